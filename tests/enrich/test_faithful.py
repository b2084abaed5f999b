"""What the checks let through and what they keep out."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelserver import ARTICLES

from aggregator.enrich.base import Article, Texts
from aggregator.enrich.faithful import names, problems, strange_numbers
from aggregator.parsing.language import detect

FERRY = Article(ARTICLES["ferry"][0][1], "", ARTICLES["ferry"][0][2], "lv")
TITLE, SUMMARY, PARAGRAPHS = ARTICLES["ferry"][1]
GOOD = Texts(TITLE, SUMMARY, "\n\n".join(PARAGRAPHS))


def test_true_translations_pass():
    """Translations of three invented articles pass every check."""
    for (language, title, body), (english, summary, paragraphs) in ARTICLES.values():
        source = Article(title, "", body, language)
        assert problems(source, Texts(english, summary, "\n\n".join(paragraphs)), "en", detect) == []


WRONG = [
    ("numbers", replace(GOOD, summary=GOOD.summary.replace("214", "412"))),
    ("numbers", replace(GOOD, body=GOOD.body + " At least 37 people died.")),
    ("names", replace(GOOD, body="The news came from Bartholomew Quigley of Transnistria Holdings in Wolverhampton, and from Jeffrey Epsom.")),
    ("nothing of", Texts("Parliament dissolves after defeat", "The vote was close.", "Members voted late at night. A new vote follows.")),
    ("language", Texts(FERRY.title, FERRY.body[:150], FERRY.body)),
    ("language", Texts("Il traghetto si è arenato davanti al porto", "Il traghetto Jūras Zvaigzne si è arenato vicino a Ventspils con 214 passeggeri.", "Nessuno è rimasto ferito, ha detto il capitano Andris Bērziņš.")),
    ("markup", replace(GOOD, title="**Ferry** Jūras Zvaigzne runs aground near Ventspils")),
    ("markup", replace(GOOD, body="<p>" + GOOD.body + "</p>")),
    ("markup", replace(GOOD, body="- " + GOOD.body)),
    ("address", replace(GOOD, summary=SUMMARY + " See http://evil.example/x")),
    ("address", replace(GOOD, summary=SUMMARY + " Write to win@evil.example")),
    ("talks about itself", replace(GOOD, title="Here is the translation: ferry Jūras Zvaigzne runs aground near Ventspils")),
    ("no title", replace(GOOD, title="")),
    ("no paragraphs", replace(GOOD, body="")),
    ("a title of", replace(GOOD, title=TITLE + " and so on" * 40)),
    ("a summary of", replace(GOOD, summary=" ".join([SUMMARY] * 4))),
    ("longer than the article", replace(GOOD, body=" ".join([GOOD.body] * 4))),
    ("too many paragraphs", replace(GOOD, body="\n\n".join(["No one was hurt."] * 8))),
]  # fmt: skip


@pytest.mark.parametrize(("told", "made"), WRONG, ids=[f"{n}-{w[0]}" for n, w in enumerate(WRONG)])
def test_wrong_texts_are_named(told, made):
    """Made-up numbers and names, another event, another language, markup, addresses, talk and wrong lengths are each told."""
    assert any(told in problem for problem in problems(FERRY, made, "en", detect))


def test_a_title_alone_gets_no_summary():
    """Where the outlet gave a title only, whatever else a model tells is made up."""
    source = Article("Jelgavā svin pilsētas svētkus", "", "", "lv")
    assert problems(source, Texts("Jelgava celebrates its city festival"), "en", detect) == []
    made = Texts("Jelgava celebrates its city festival", "Thousands came to the market square.")
    assert "a summary of nothing but a title" in problems(source, made, "en", detect)


SAME = [
    ("Plkst. 15.30 ieradās 14 000 cilvēku", "At 3:30 p.m. 14,000 people came"),
    ("Kello 5.30 pm", "17.30"),
    ("3万5000人が避難", "35,000 people were evacuated"),
    ("٣٥ شخصا في 2026", "35 people in 2026"),
    ("80. gados, 2,5 miljoni eiro", "in the 1980s, 2.5 million euros"),
    ("25.02.2026.", "on 2026-02-25"),
]


@pytest.mark.parametrize(("source", "made"), SAME)
def test_numbers_may_be_written_otherwise(source, made):
    """Times of day, groups of thousands, other digits, East Asian units, decades and dates are the same number."""
    assert strange_numbers(Article(source, "", "", "lv"), made) == set()


@settings(deadline=None)  # the machine may be busy
@given(st.integers(13, 10**7), st.integers(13, 10**7))
def test_another_number_is_strange(one, other):
    """Any number that the source does not hold, in whatever notation of the same, is told."""
    source = Article(f"There were {one} of them", "", "", "en")
    assert strange_numbers(source, f"There were {one} of them") == set()
    if other != one and str(other) not in {f"{one}00", f"19{one}", f"20{one}"} and len(str(other)) > 4:
        assert strange_numbers(source, f"There were {other}") == {str(other)}


def test_names_are_words_with_capitals_inside_sentences():
    """The first word of a sentence is none; short words are none."""
    assert names("The captain Andris Bērziņš spoke. Tugs came from Liepāja. I am OK.") == [
        "Andris",
        "Bērziņš",
        "Liepāja",
    ]
