"""Bytes to text: what the bytes are comes before what anybody says they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.parsing.decode import decode

TEXTS = {
    "windows-1250": "Žluťoučký kůň přeskočil plot u Brna – starosta mlčí",
    "windows-1251": "Пожар в порту потушен, пострадавших нет – мэрия",
    "windows-1252": "Größere Störung im Zugverkehr – “Geduld” gefragt",
    "windows-1253": "Η κυβέρνηση παραιτήθηκε μετά την ψηφοφορία",
    "windows-1254": "Belediye başkanı yarın açıklama yapacak, işçiler bekliyor",
    "windows-1255": "הממשלה החליטה על תקציב חדש לחינוך",
    "windows-1256": "أعلنت الحكومة عن ميزانية جديدة للتعليم",
    "windows-1257": "Ugunsgrēks ostā nodzēsts, cietušo nav – mērija ziņo",
    "iso-8859-2": "Rząd upadł po nocnym głosowaniu, źle się dzieje",
    "iso-8859-4": "Vald teatas: äike lõhkus katuseid, šokk möödub",
    "iso-8859-5": "Влада је усвојила буџет за наредну годину",
    "iso-8859-7": "Ο δήμαρχος μίλησε για την πλημμύρα",
    "iso-8859-9": "Öğrenciler yağmurda bekledi, şehir durdu",
    "iso-8859-13": "Vyriausybė žada pagalbą ūkininkams, įstatymas priimtas",
    "iso-8859-15": "L’œuvre coûte 5 € à la mairie".replace("’", "'"),
    "koi8-r": "Пожар в порту потушен, пострадавших нет",
    "koi8-u": "Уряд ухвалив бюджет, її підтримали всі",
    "gb2312": "市政府昨日宣布新的地铁线路明年开工",
    "gbk": "港口火災已經撲滅，無人受傷",
    "gb18030": "市政府宣布新的地铁线路，㐀字也在",
    "big5": "港口火災已經撲滅，無人受傷",
    "shift_jis": "港の火災は鎮火し、けが人はいない",
    "euc-jp": "港の火災は鎮火し、けが人はいない",
    "iso-2022-jp": "港の火災は鎮火し、けが人はいない",
    "euc-kr": "항구 화재가 진화되었고 부상자는 없다",
    "tis-620": "รัฐบาลประกาศงบประมาณใหม่",
    "utf-8": "Ugunsgrēks ostā 火事 пожар",
}


def document(text, encoding=""):
    """A small feed that declares an encoding, or none."""
    declared = f' encoding="{encoding}"' if encoding else ""
    return f'<?xml version="1.0"{declared}?>\n<rss version="2.0"><channel><title>{text}</title></channel></rss>'


@pytest.mark.parametrize("encoding", TEXTS)
def test_declared_in_the_document(encoding):
    """Every encoding of the press is read when the XML declaration names it."""
    assert TEXTS[encoding] in decode(document(TEXTS[encoding], encoding).encode(encoding)).text


@pytest.mark.parametrize("encoding", TEXTS)
def test_declared_in_the_header(encoding):
    """The HTTP header's charset is believed when the document names none."""
    found = decode(document(TEXTS[encoding]).encode(encoding), f'application/rss+xml; charset="{encoding}"')
    assert TEXTS[encoding] in found.text


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-8-sig"]
)
def test_wide_encodings_with_and_without_mark(encoding):
    """UTF-16 and UTF-32 are known by their mark or their zero bytes, whatever the declaration says."""
    for declared in ("utf-16", "utf-8", "iso-8859-1"):
        assert TEXTS["utf-8"] in decode(document(TEXTS["utf-8"], declared).encode(encoding)).text


@pytest.mark.parametrize(
    "wrong", ["windows-1251", "iso-8859-1", "us-ascii", "nonsense", "undefined", "idna", "zlib_codec", "utf-7"]
)
def test_valid_utf8_beats_every_label(wrong):
    """UTF-8 under a wrong label is not garbled."""
    body = document(TEXTS["utf-8"], wrong).encode()
    assert TEXTS["utf-8"] in decode(body, f"text/xml; charset={wrong}").text


def test_one_bad_byte_does_not_garble_a_feed():
    """A stray byte in UTF-8 becomes one replacement character, also under a label that would take all bytes."""
    body = document(TEXTS["utf-8"] * 5, "windows-1252").encode().replace(b"</title>", b"\x92</title>")
    found = decode(body, "text/xml; charset=windows-1252")
    assert TEXTS["utf-8"] * 5 + "\ufffd" in found.text
    assert found.warning


def test_header_beats_declaration():
    """Of two labels the HTTP header's is tried first, the declaration's when the first cannot be."""
    text = TEXTS["windows-1251"]
    assert text in decode(document(text, "iso-8859-5").encode("cp1251"), "text/xml; charset=windows-1251").text
    assert (
        TEXTS["shift_jis"]
        in decode(document(TEXTS["shift_jis"], "shift_jis").encode("cp932"), "text/xml; charset=euc-kr").text
    )


@pytest.mark.parametrize(
    ("language", "encoding"), [("lv", "cp1257"), ("ru", "cp1251"), ("pl", "cp1250"), ("el", "cp1253"), ("fr", "cp1252")]
)
def test_unlabelled_bytes_are_read_as_usual_for_the_language(language, encoding):
    """Without any label the feed's language decides, and a warning says so."""
    text = next(text for name, text in TEXTS.items() if name.removeprefix("windows-") == encoding.removeprefix("cp"))
    found = decode(document(text).encode(encoding), "", language)
    assert text in found.text
    assert found.warning


def test_what_xml_cannot_hold_is_dropped():
    """Control characters, lone surrogates and byte order marks go; tabs and line breaks stay."""
    assert decode(b"\xef\xbb\xbf\xef\xbb\xbfa\x00\x08b\tc\nd\x1b").text == "ab\tc\nd"


@given(st.binary(max_size=300), st.text(max_size=40), st.sampled_from(["", "lv", "zh", "xx"]))
def test_any_bytes_become_text(body, content_type, language):
    """No bytes and no header make it raise, and what comes out can be written as UTF-8."""
    decode(body, content_type, language).text.encode("utf-8")
    decode(b"<?xml version='1.0' encoding='" + body, content_type, language).text.encode("utf-8")


def test_a_label_of_utf8_that_was_never_true():
    """Bytes that are said to be UTF-8 and hardly ever are read as usual for the language, not turned into replacements."""
    title = "Žāle un ķirši aug pie mājas Rīgā"
    body = f'<?xml version="1.0" encoding="utf-8"?><rss><title>{title}</title></rss>'.encode("windows-1257")
    found = decode(body, "text/xml; charset=utf-8", "lv")
    assert title in found.text
    assert "says UTF-8" in found.warning
