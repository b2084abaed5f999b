import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aggregator.models import Duplicate, EditedItem
from aggregator.store.reader import open_reader
from aggregator.store.textsearch import extra_terms, fold, match_query, unspaced
from aggregator.store.writer import open_writer

from .conftest import NOW, SPECS, make_item

TEXTS = {
    "lv": ("Zemestrīce satricina Rīgu", "Šoriet pulksten sešos zemestrīce satricināja ostu."),
    "et": ("Maavärin raputas sadamat", "Öösel oli maavärin."),
    "ru": ("Землетрясение в порту", "Ёлка упала ночью."),
    "ar": ("زلزال يضرب الميناء", "ضرب زلزال قوي المدينة فجر اليوم."),
    "fa": ("زلزله در بندر", "می‌گویند که زلزله شدید بود."),
    "hi": ("बंदरगाह में भूकंप", "शहर में तेज़ भूकंप के झटके महसूस किए गए।"),
    "zh": ("港口发生强烈地震", "昨夜东京附近海域发生地震。"),
    "ja": ("東京湾で強い地震", "消防庁によると、けが人はいない。"),
    "th": ("แผ่นดินไหวที่ท่าเรือ", "เมืองริมทะเลได้รับผลกระทบ"),
    "ko": ("항구에서 지진이 발생했다", "서울시는 피해를 조사하고 있다."),
    "km": ("រញ្ជួយដីនៅកំពង់ផែ", "ទីក្រុងរងផលប៉ះពាល់"),
    "el": ("Σεισμός στο λιμάνι", "Η ΠΌΛΗ ΞΎΠΝΗΣΕ."),
    "tr": ("İstanbul limanında deprem", "Deprem gece oldu."),
    "en": ("Earthquake off the coast: port is shut", "Officials said the quake, of magnitude 5.1, did no harm."),
}
IDS = {language: number for number, language in enumerate(TEXTS, 1)}


@pytest.fixture
def reader(desk):
    """One item in each of 14 languages, and one that only mentions earthquakes in its body."""
    items = [make_item(code, title, summary=summary, language=code) for code, (title, summary) in TEXTS.items()]
    body = "A long report about budgets. " * 30 + "It also names the earthquake of last year."
    desk.poll(SPECS[2].url, *items, make_item("late", "Budget is passed", body=body))
    with open_reader(desk.writer.path) as reader:
        yield reader


def found(reader, words):
    """The ids of what is found, the best first."""
    return [row["item_id"] for row in reader.search(words)]


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ("zemestrice", "lv"), ("ZEMESTRĪCE", "lv"), ("rīgu ostu", "lv"), ("maavarin", "et"), ("землетрясение", "ru"),
        ("елка", "ru"), ("ёлка", "ru"), ("σεισμός", "el"), ("istanbul", "tr"), ("İstanbul", "tr"), ("شدیدٌ", "fa"),
        ("زلزال", "ar"), ("بندر زلزله", "fa"), ("भूकंप", "hi"), ("बंदरगाह", "hi"), ("地震 港口", "zh"),
        ("海域", "zh"), ("東京湾", "ja"), ("消防庁", "ja"), ("けが", "ja"), ("แผ่นดินไหว", "th"), ("ทะเล", "th"), ("지진", "ko"),
        ("서울시", "ko"), ("កំពង់ផែ", "km"), ("σεισμος", "el"), ("πόλη", "el"), ("deprem limanında", "tr"), ("quake", "en"),
        ("magnitude 5.1", "en"), ("earthq*", "en"), ('"the coast"', "en"), ("東*", "ja"), ("港", "zh"),
    ],
)  # fmt: skip
def test_words_of_every_script_are_found(reader, words, language):
    """A word is found in each script, with and without spaces between words, whatever its case and diacritics, marked in the snippet."""
    ids = found(reader, words)
    assert IDS[language] in ids
    row = next(row for row in reader.search(words) if row["item_id"] == IDS[language])
    assert "[" in row["snippet"]


@pytest.mark.parametrize(
    "words",
    ["zemes", '"coast the"', "earthquake budget coast", "本日", "ดินไหวท่า", "지진은", "quake -harmless", "tsunami"],
)
def test_what_is_not_there_is_not_found(reader, words):
    """Parts of words, other orders in quotes, words that do not all occur, and other characters find nothing."""
    assert found(reader, words) == []


def test_the_best_comes_first(reader):
    """An item about it is before one that mentions it at the end of a long body, where the snippet then shows the place."""
    rows = reader.search("earthquake")
    assert [row["item_id"] for row in rows] == [IDS["en"], len(IDS) + 1]
    assert "[earthquake]" in rows[1]["snippet"]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(max_size=30))
def test_no_words_are_an_error(reader, words):
    """Whatever a person types is a search, FTS5's operators and quotes too."""
    reader.search(words.encode("utf-8", "ignore").decode())


@pytest.mark.parametrize(
    "words", ["", "   ", '"', '""', "*", "AND", "NEAR(", "title:", "-", "(", "a OR", "^", "{x}", "'; --"]
)
def test_operators_are_words(reader, words):
    """What is FTS5 syntax is taken for words, and a search for nothing finds nothing."""
    assert found(reader, words) == []


def test_what_is_indexed_beside_the_texts():
    """Runs without spaces become overlapping pairs; words whose marks people leave out are there without; others are not."""
    assert extra_terms("東京湾 today 雨") == "東京 京湾 | 雨"
    assert extra_terms("Rīgā, Ёлка мой Σεισμός", "أخبار") == "Елка | Σεισμος | اخبار"
    assert fold("مُحَمَّد שָׁלוֹם їжа é") == "محمد שלום іжа é"
    assert match_query("ёлка*") == '("ёлка"* OR "елка"*)'
    assert match_query('東京湾 "one two" thr*') == 'pairs : "東京 京湾" AND "one two" AND "thr"*'
    assert [unspaced(t) for t in ("東京", "서울", "ท่าเรือ", "Rīga", "मौसम")] == [True, True, True, False, False]


def segments(writer):
    """How many segments the index of words has."""
    return writer.value("SELECT count(DISTINCT segid) FROM search_words_idx")


def test_a_transaction_is_one_segment_of_the_index(desk):
    """Many new items of a poll, edits beside new ones, and a batch of pruning add one segment each: FTS5 flushes only at the end."""
    url = SPECS[2].url
    desk.poll(url, *(make_item(n, f"Storm number {n}", body="Text") for n in range(10)))
    assert segments(desk.writer) == 1
    edits = [EditedItem(n, make_item(n - 1, f"Calm number {n}"), ("title", "summary")) for n in (7, 3, 5)]
    desk.poll(url, make_item("a", "Rain"), *edits, make_item("b", "Snow"))
    assert segments(desk.writer) == 2
    desk.writer.prune(range(1, 6), now=NOW)
    assert segments(desk.writer) == 3
    with open_reader(desk.writer.path) as reader:
        assert sorted(found(reader, "storm")) == [6, 8, 9, 10]
        assert found(reader, "calm") == [7]
        assert found(reader, "rain snow") == []
        assert found(reader, "rain") == [11]


def test_edits_of_one_poll_leave_the_last_words(desk):
    """An item that one poll edits twice is found by the last words only, in both indexes; the words of a failed poll leave nothing."""
    url = SPECS[3].url
    desk.poll(url, make_item(1, "東京湾 alpha", summary=""))
    texts = ("大阪城 beta", "京都駅 gamma")
    desk.poll(url, *(EditedItem(1, make_item(1, text, summary=""), ("title", "summary")) for text in texts))
    with pytest.raises(IndexError):
        desk.poll(url, make_item(2, "Lost delta"), Duplicate(5, make_item(3, "x")))
    with open_reader(desk.writer.path) as reader:
        assert found(reader, "gamma") == found(reader, "京都") == [1]
        assert [word for word in ("alpha", "beta", "delta", "東京", "大阪", "大阪城") if found(reader, word)] == []
        sql = "SELECT item_id FROM search_characters WHERE characters MATCH ?"
        assert [len(reader.query(sql, (word,))) for word in ("東京湾", "大阪城", "京都駅")] == [0, 0, 1]


def test_a_daemon_sets_how_often_segments_are_merged(path):
    """The setting is in a new file and comes into an older one at start."""
    asked = "SELECT (SELECT v FROM search_words_config WHERE k = 'automerge'), (SELECT v FROM search_unspaced_config WHERE k = 'automerge')"
    for _ in range(2):
        with open_writer(path, now=NOW) as writer:
            assert tuple(writer.row(asked)) == (8, 8)
            writer.connection.execute("INSERT INTO search_words (search_words, rank) VALUES ('automerge', 4)")
            assert tuple(writer.row(asked)) == (4, 8)
