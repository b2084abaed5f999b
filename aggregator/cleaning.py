"""Texts made safe to show, and made bare for comparing: pure functions that more than one stage needs.

What is stored keeps its markers and datelines; only the forms for comparison (`match_title`, `match_summary`,
`title_key`) lose them.
"""

import html
import re
import unicodedata
from functools import lru_cache
from typing import Final

__all__ = ["match_summary", "match_title", "plain", "plain_line", "title_key", "unescape"]

# Controls, soft hyphen, bidi embeddings/overrides/isolates and marks, zero-width space and no-break space, word joiner,
# invisible operators, interlinear marks, line separators that are not ours, private use and unassigned planes.
_UNSAFE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufe00-\ufe0d\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e0fff]"
)
# Those of them that count as printable.
_UNSAFE_BUT_PRINTABLE: Final = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u3164\ufe00-\ufe0d\uffa0]")
# Runs of combining marks that no language has: to put them in order takes time that grows with the square of their number.
# The Unicode Stream-Safe Text Format (UAX #15, section 13) allows 30.
_MARKS: Final = "".join(
    c
    for first, last in ((0x300, 0x3100), (0xA600, 0xAC00), (0xFB1E, 0xFE30), (0x10100, 0x12000), (0x16A00, 0x1E950))
    for c in map(chr, range(first, last))
    if unicodedata.combining(c)
)
_RUN: Final = re.compile(r"[^\w\s]{31}")  # found faster
_PILE: Final = re.compile(f"([{re.escape(_MARKS)}]{{30}})[{re.escape(_MARKS)}]+")
# Joiners carry meaning in Arabic, Persian, Syriac, Indic, Sinhala, Mongolian and Khmer writing, and in emoji sequences;
# anywhere else they only make equal texts differ.
_JOINERS: Final = re.compile(
    "(?<![\u0600-\u08ff\u0900-\u0dff\u1780-\u18af\u2600-\u27bf\ufb50-\ufeff\ufe0f\U0001f000-\U0001faff])[\u200c\u200d]+"
    "|[\u200c\u200d]+(?![\u0600-\u08ff\u0900-\u0dff\u1780-\u18af\u2600-\u27bf\ufb50-\ufeff\U0001f000-\U0001faff])"
)
_SPACES: Final = re.compile("[\t \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+")
_LINE_BREAKS: Final = re.compile("\r\n?|\u2028|\u0085")
_PARAGRAPH_BREAKS: Final = re.compile("[ \t]*(?:\n[ \t]*){2,}|\u2029")
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")


def unescape(text: str) -> str:
    """Entities decoded, also those escaped twice or three times (`&amp;amp;quot;`), as carelessly made feeds hold."""
    for _ in range(3):
        if "&" not in text or not _ENTITY.search(text):
            break
        text = html.unescape(text)
    return text


def plain(text: str) -> str:
    """`text` in NFC without controls, bidi overrides and zero-width tricks; paragraphs stay, divided by an empty line.

    Joiners (U+200C, U+200D) stay where the writing needs them: Persian, Indic scripts, emoji.
    """
    if not text.isascii() and _RUN.search(text):
        text = _PILE.sub(r"\1", text)
    if text.isprintable() and (
        text.isascii() or (unicodedata.is_normalized("NFC", text) and not _UNSAFE_BUT_PRINTABLE.search(text))
    ):
        return " ".join(text.split())
    text = unicodedata.normalize("NFC", _LINE_BREAKS.sub("\n", text))
    text = _UNSAFE.sub("", text)
    if "\u200c" in text or "\u200d" in text:
        text = _JOINERS.sub("", text)
    paragraphs = (" ".join(_SPACES.sub(" ", part).split()) for part in _PARAGRAPH_BREAKS.split(text))
    # NFC once more: what was removed may have stood between a letter and its accent.
    joined = "\n\n".join(part for part in paragraphs if part)
    return joined if joined.isascii() else unicodedata.normalize("NFC", joined)


def plain_line(text: str) -> str:
    """`plain`, on one line."""
    text = plain(text)
    return " ".join(text.split()) if "\n" in text else text


# --- forms for comparison ------------------------------------------------------------------------------------------

_MEDIA: Final = (
    r"foto(?:gr[aā]fij[aās]+|galerij[aāe]+|gallery|galeri[ai]?d?|stor[yi])?s?|photos?|pics?|pictures|pildid|galerii|galerie|"
    r"galerij[aāeě]+|gallery|galería|galleria|video(?:s|d|ot|osiuž\w+|klip\w*)?|videó|vídeos?|vidéos?|videointervija|"
    r"vaizdo\s+įrašas|nuotraukos|wideo|zdjęcia|bilder|bildstrecke|kuvat|kuvagalleria|audio|podcasts?|podkāsts|"
    r"infogra[fp]\w+|фото(?:репортаж|галерея|графии)?|видео|відео|выява|снимки|слике|φωτ[οό](?:γραφίες)?|βίντεο|εικόνες|"
    r"فيديو|بالفيديو|صور|بالصور|شاهد|ویدئو|ویدیو|فیلم|عکس|تصاویر|वीडियो|तस्वीरें|फोटो|動画|写真|映像|视频|影片|组图|图集|사진|영상|포토|화보"
)
_URGENT: Final = (
    r"breaking(?:\s+news)?|just\s+in|urgent|live(?:\s?-?(?:blogs?|ticker|updates?|stream))?|updated?|watch|tiešraide|"
    r"teksta\s+tiešraide|papildin[āa]t[sa]|atjaunots|papildyta|atnaujinta|tiesiogiai|täiendatud|uuendatud|otseblogi|"
    r"otse(?:pilt|ülekanne)|suora|päivitetty|eilmeldung|liveticker|aktualisiert|pilne|na\s+żywo|aktualizacja|aktualizováno|"
    r"živě|online|naživo|frissítve|élő|urgente|última\s+hora|en\s+vivo|en\s+directo|ao\s+vivo|diretta|ultim['’]?ora|"
    r"aggiornato|en\s+direct|direct|mis\s+à\s+jour|alerte\s+info|son\s+dakika|canlı|güncellendi|uživo|най-ново|на\s+живо|"
    r"срочно|молния|обновл\w+|обновля\w+|онлайн|терміново|оновлено|онлайн-трансляц\w+|наживо|έκτακτο|ζωντανά|"
    r"عاجل|مباشر|فوری|زنده|ब्रेकिंग(?:\s+न्यूज)?|लाइव|速報|快讯|突发|直播|속보|생중계|terkini|trực\s+tiếp"
)
_MARKER: Final = rf"(?:{_MEDIA}|{_URGENT})"
_MARKERS: Final = rf"{_MARKER}(?:(?:\s*[/,+&|•·]\s*|\s+(?:un|ja|ir|und|and|i|y|e|et|и|і|та|ve|\+)\s+|\s+){_MARKER})*"
_BRACKETED: Final = re.compile(rf"[(\[{{【〔<«]\s*{_MARKERS}\s*[)\]}}】〕>»]", re.IGNORECASE)
_LEADING: Final = re.compile(
    rf"^\W*{_MARKERS}\s*(?:[:：|!–—•／]+|-+(?=\s)|\.\s(?=\S)|/{{1,3}}(?=\s))\s*(?=\S)", re.IGNORECASE
)
_TRAILING: Final = re.compile(rf"\s*(?:[|–—•/;:+(]|\s-|,|\.)\s*{_MARKERS}\s*[)!.]*$", re.IGNORECASE)
_ELLIPSIS: Final = re.compile(r"\s*(?:[\[(]\s*(?:…|\.{3}|&hellip;)\s*[\])]|…|\.{3,})\s*$")
_SUFFIX: Final = re.compile(
    r"\s+(?:[|–—•·»]|-{1,2}|::|//)\s+(?=\S)|\s*[|｜]\s*|\s*::\s*|(?<=[」』。！？])\s*[-－–—]\s*|\s*｜\s*"
)
_DOMAIN: Final = re.compile(r"^(?:www\.)?[\w-]+(?:\.[\w-]+)*\.[a-z]{2,6}$", re.IGNORECASE)
_NOT_WORD: Final = re.compile(r"[\W_]+")
_SIGNS: Final = re.compile(r"[^\w\s]|_")

_AGENCIES: Final = (
    r"LETA|BNS|ELTA|ERR|AFP|AP|Reuters|dpa|EFE|ANSA|TASS|ТАСС|РИА(?:\s+Новости)?|RIA|Interfax(?:-\w+)?|Интерфакс(?:-\w+)?|"
    r"Ukrinform|Укрінформ|Укринформ|УНІАН|УНИАН|PAP|ČTK|ČT|TASR|SITA|MTI|Agerpres|AGERPRES|Mediafax|News\.ro|BTA|БТА|STT|NTB|"
    r"TT|Ritzau|Tanjug|Танјуг|Hina|HINA|STA|FENA|SRNA|Beta|APA|Belga|ANP|ATS|SDA|Keystone-SDA|AAP|NZN|CP|UPI|Lusa|LUSA|"
    r"Europa\s+Press|Xinhua|新华社|Kyodo|共同|時事|Jiji|Yonhap|연합뉴스|뉴시스|PTI|ANI|IANS|UNB|APP|BSS|Bernama|Antara|ANTARA|AA|DHA|"
    r"İHA|IHA|IRNA|ISNA|WAM|SPA|MENA|NAN|GNA|BelTA|БелТА|БЕЛТА|Kazinform|Казинформ|Azertac|Azərtac|Trend|Armenpress|"
    r"Moldpres|MOLDPRES|IPN|Montsame|VNA|TTXVN|CNA|KUNA|QNA|Petra|TAP|APS|MAP|ΑΠΕ(?:-ΜΠΕ)?|ANA-MPA|Télam|Notimex|Andina|"
    r"Prensa\s+Latina|ABI|رويترز|أ\s?ف\s?ب|وام|واس|ایرنا|ایسنا|भाषा|एएनआई"
)
_DATELINES: Final = (
    # such as "RIGA, Feb 25 (LETA) - ", "VILNIUS (AP) — ", "(Reuters) - ", "ΑΘΗΝΑ, 25 Φεβ (ΑΠΕ-ΜΠΕ) -"
    re.compile(rf"^[^\n.!?()]{{0,60}}\(\s*(?:{_AGENCIES})(?:\s*[/,–-]\s*[^()]{{1,25}})?\s*\)\s*[-–—―:.]*\s*"),
    # such as "МОСКВА, 25 фев — РИА Новости.", "Rīga, 25. febr., LETA.", "Vilnius, vasario 25 d. (BNS)."
    re.compile(rf"^[^\n!?()]{{0,60}}?[,—–-]\s*/?(?:{_AGENCIES})/?\s*[-–—―:.]+\s+"),
    # such as "BNS, Vilnius. " and "LETA: "
    re.compile(rf"^/?(?:{_AGENCIES})/?(?:,\s*[\w. -]{{2,30}})?\s*[-–—―:.]+\s+"),
    # "PARIS, Feb. 25 — ", "NAIROBI, Kenya — "; the place in capitals
    re.compile(r"^(?:[^\W\d_a-zа-яα-ω][^\W\d_a-zа-яα-ω'’. -]{2,30})(?:,\s*[^\n!?():;]{2,30})?\s+[–—―-]{1,2}\s+(?=\S)"),
    # such as 【東京共同】 and (서울=연합뉴스) 홍길동 기자 =, then 新华社北京2月25日电
    re.compile(r"^【[^】]{2,20}】\s*|^[(\[][^()\[\]=]{1,12}=[^()\[\]]{2,12}[)\]](?:\s*[^=]{2,15}기자\s*=)?\s*"),
    re.compile(r"^(?:新华社|中新社|中新网|中央社)[^\s。，]{2,16}[电電](?:\s*[（(][^）)]{2,30}[）)])?\s*"),
)
_TAILS: Final = (
    re.compile(r"\s*The post\b.{1,400}\bappeared first on\b.{1,120}$", re.DOTALL),
    re.compile(
        r"\s*(?:(?:Read|Continue reading|See|Learn)\s+(?:more|the\s+full|on|full)\b[^.!?]{0,80}|Continue reading\b.{0,200}"
        r"|Lasīt (?:vairāk|tālāk)|Loe (?:edasi|lähemalt)\b.{0,60}|Skaityti (?:daugiau|toliau)|Lue lisää|Läs mer|Les mer|Læs mere"
        r"|Weiterlesen|Mehr dazu|Lire la suite|Leer más|Seguir leyendo|Leia mais|Leggi (?:tutto|di più|anche)|Lees (?:meer|verder)"
        r"|Czytaj (?:więcej|dalej)|Číst (?:dál|více)|Čítať (?:ďalej|viac)|Tovább|Citește (?:mai mult|mai departe|continuarea)"
        r"|Читать (?:далее|дальше|полностью)|Подробнее|Читати далі|Детальніше|Чытаць далей|Прочетете още|Opširnije|Više"
        r"|Διαβάστε (?:περισσότερα|επίσης)|Devamını oku|Haberin devamı|اقرأ (?:المزيد|أيضا)|ادامه مطلب|और पढ़ें|続きを読む|阅读全文|더보기)"
        r"\s*[.…»›>→:]*\s*$",
        re.IGNORECASE,
    ),
)
# Words without one of which no tail is there: a search of all the patterns at every place would cost more than the rest.
_TAIL_WORDS: Final = (
    "appeared first on", "more", "read", "full", "lasīt", "loe ", "skaityti", "lue ", "läs ", "les ", "læs ", "weiterlesen",
    "mehr ", "lire ", "leer ", "leyendo", "leia ", "leggi ", "lees ", "czytaj", "číst", "čítať", "tovább", "citește",
    "читать", "подробнее", "читати", "детальніше", "чытаць", "прочетете", "opširnije", "više", "διαβάστε", "oku", "devamı",
    "اقرأ", "ادامه", "पढ़ें", "続きを読む", "阅读全文", "더보기",
)  # fmt: skip
_ENDS: Final = ("…", "...", "]", ")")
_LOOK: Final = 400  # characters at either end of a text within which datelines and tails are sought


def _bare(text: str) -> str:
    return _NOT_WORD.sub("", text.casefold())


def _is_outlet(segment: str, outlet: str) -> bool:
    name, part = _bare(outlet), _bare(segment)
    if not name or len(part) < 2:  # noqa: PLR2004 - one letter says nothing
        return False
    short = min(len(name), len(part))
    return name == part or (short >= 4 and (name.startswith(part) or part.startswith(name)))  # noqa: PLR2004 - "Delfi" in "Delfi.lv"


def _without_suffix(title: str, outlet: str) -> str:
    """`title` without " | Outlet", " - Outlet", " – example.com" and pipe-divided section names at its end."""
    if not any(sign in title for sign in "|–—•·»-:/｜」』。！？"):
        return title
    for _ in range(3):
        found = None
        for found in _SUFFIX.finditer(title):  # noqa: B007 - the last one is wanted
            pass
        if found is None or not found.start():
            break
        head, tail = title[: found.start()], title[found.end() :]
        piped = "|" in found.group() or "｜" in found.group() or "::" in found.group()
        if not (
            _is_outlet(tail, outlet)
            or _DOMAIN.match(tail)
            or (piped and len(tail.split()) <= 4 and len(tail) * 2 < len(head) + 8)  # noqa: PLR2004 - a section or brand
        ):
            break
        title = head
    return title


@lru_cache(maxsize=4096)
def match_title(title: str, outlet: str = "") -> str:
    """`title` for comparison by words: without the outlet's name, "(FOTO)", "VIDEO:", "BREAKING:", "[…]" and datelines.

    Never empty when `title` is not: a title of markers alone comes back as it is. Letter case and punctuation stay.
    """
    text = plain_line(title)[:1000]
    text = _without_suffix(text, outlet)
    if outlet and ":" in text:
        head, _, rest = text.partition(":")
        if _is_outlet(head, outlet) and len(rest.split()) > 2:  # noqa: PLR2004 - "Delfi: what the minister said"
            text = rest.strip()
    for pattern in _DATELINES[:2]:
        text = pattern.sub("", text, count=1) or text
    text = _BRACKETED.sub(" ", text)
    for _ in range(2):
        shorter = _TRAILING.sub("", _LEADING.sub("", text, count=1), count=1)
        if shorter == text:
            break
        text = shorter
    if text.endswith(_ENDS):
        text = _ELLIPSIS.sub("", text)
    return " ".join(text.split()).strip(" |–—-") or plain_line(title)[:1000]


@lru_cache(maxsize=4096)
def match_summary(summary: str) -> str:
    """`summary` for comparison: without dateline, "[…]", "Read more", "The post … appeared first on …"."""
    text = plain_line(summary)
    head, rest = text[:_LOOK], text[_LOOK:]
    head = _BRACKETED.sub(" ", head).lstrip()
    for pattern in _DATELINES:
        shorter = pattern.sub("", head, count=1)
        if shorter and shorter != head:
            head = shorter
            break
    text = head + rest
    front, tail = text[:-_LOOK] if len(text) > _LOOK else "", text[-_LOOK:]
    folded = tail.casefold()
    if any(word in folded for word in _TAIL_WORDS):
        for pattern in _TAILS:
            tail = pattern.sub("", tail, count=1)
    if tail.endswith(_ENDS):
        tail = _ELLIPSIS.sub("", tail, count=1)
    return " ".join((front + tail).split()) or text


def title_key(title: str, outlet: str = "") -> str:
    """The form in which two titles of one outlet are the same: words and numbers, folded, one space between.

    Marks of combining scripts stay (NFKC), diacritics too: `zāle` and `zale` differ.
    """
    folded = unicodedata.normalize("NFKC", match_title(title, outlet)).casefold()
    return " ".join(_SIGNS.sub(_mark_or_space, folded).split())


def _mark_or_space(found: re.Match[str]) -> str:
    return found[0] if unicodedata.category(found[0])[0] == "M" else " "
