"""Sentences of any script."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aggregator.enrich.sentences import is_sentence, sentences

CASES = [
    ("en", "Mr. J. Smith of St. Ives, 61, paid $2.50. He left at 5 p.m. on Monday. Why?", 3),
    ("en", "The U.S. Senate met. It voted 51-49.", 2),
    ("lv", "Prāmis uzskrēja uz sēkļa 25. februārī plkst. 11.40. Cietušo nav, sacīja A. Bērziņš.", 2),
    ("et", "Sild avatakse 18. oktoobril. See maksis 29 mln. eurot.", 2),
    ("de", "Am 25. Februar tagt der 3. Senat. Das Urteil fällt z. B. am Freitag.", 2),
    ("fi", "Laiva ajoi karille tiistaina klo 9. Matkustajia oli 214.", 2),
    ("ru", "Паром сел на мель в 2026 г. Пострадавших нет, сказал А. Иванов.", 1),
    ("ja", "フェリーが座礁した。けが人はいない。「怖かった」と乗客は話した。", 3),
    ("zh", "渡轮搁浅。无人受伤！", 2),
    ("hi", "नौका फँस गई। कोई घायल नहीं हुआ।", 2),
    ("ar", "جنحت العبارة قرب الميناء. هل أصيب أحد؟ لا.", 3),
    ("hy", "Լաստանավը խրվել է։ Տուժածներ չկան։", 2),
    ("th", "เรือเฟอร์รี่เกยตื้น ไม่มีผู้บาดเจ็บ", 1),
    ("el", "Το πλοίο προσάραξε. Κανείς δεν τραυματίστηκε.", 2),
    ("fr", "« Nous avons eu peur ! » a dit M. Dupont. Le navire repart jeudi.", 2),
]


@pytest.mark.parametrize(("language", "text", "count"), CASES, ids=[f"{c[0]}-{c[2]}" for c in CASES])
def test_sentences_end_where_readers_say_so(language, text, count):
    """Abbreviations, initials, ordinals, times and quotes end none; every script's own full stop does."""
    assert len(sentences(text, language)) == count, sentences(text, language)


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=300))
def test_nothing_is_lost(text):
    """The sentences of any text are all of its characters but white space, in order."""
    assert "".join("".join(sentences(text, "en", 1000)).split()) == "".join(text.split())


def test_what_is_no_sentence():
    """A text that is cut off, a teaser and a headline do not end as sentences do."""
    assert is_sentence("It ran aground.”")
    assert not any(map(is_sentence, ("It ran aground…", "It ran aground...", "What we know:", "Ferry aground", "")))
