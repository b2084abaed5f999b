"""One sentence that says what happened, taken from the outlet's own words. Pure, no model, every language.

The classic lead baseline takes the first sentence, which is hard to beat on news (Nenkova 2005). This looks at the first
few of the description and of the body, without datelines and teasers, and takes another than the first only where that is
a teaser, a greeting, a question, a repetition of the title, or cut off.
"""

import re
from dataclasses import dataclass
from typing import Final

from aggregator.cleaning import match_summary, plain_line
from aggregator.enrich.sentences import is_sentence, sentences
from aggregator.enrich.words import cosine, numbers, pieces

__all__ = ["MAX_CHARS", "Extract", "candidates", "is_teaser", "one_sentence"]

MAX_CHARS: Final = 320  # a sentence that is longer is cut at a clause
_LOOKED_AT: Final = 6  # sentences of the body
_SHORT, _LONG = 40, 260  # characters of a sentence that reads well
_REPEATS: Final = 0.8  # likeness with the title from which a sentence says nothing new

# What no sentence of a report begins with or holds: invitations to read, watch, subscribe, follow; credits; corrections.
_TEASERS: Final = re.compile(
    r"^(?:(?:read|see|watch|listen)\s*(?::|(?:more|also|next|full|the\s+full|live|here|how|why)\b)|read\s+on\b|also\s+(?:read|see|watch)\b|click\b|tap\b|"
    r"sign\s+up\b|subscribe\b|follow\s+(?:us|our|the\s+latest|live|along|@)|join\s+(?:us|our|the\s+conversation)|download\s+(?:our|the)\b|share\s+(?:this|on|your)\b|"
    r"(?:file\s+)?(?:photo|picture|image|video|credit)s?\s*(?::|by\b|credit|©|/)|advertisement\b|sponsored\b|related\s*:|editor['’]?s\s+note|correction\s*:|updated?\s*:|"
    r"stay\s+(?:tuned|informed|up)\b|get\s+(?:the\s+latest|our|more)\b|don['’]t\s+miss\b|"
    r"(?:lasi(?:et)?|skaties|skatieties|klausies|abonē(?:jiet)?|pieraksties|pierakstieties|sekojiet?)\b|seko\s+(?:mums|līdzi)|vairāk\s+(?:lasi|šeit|informācijas)|reklāma\s*$|foto\s*[:/©]|"
    r"loe\s+(?:ka|edasi|lähemalt|rohkem|siit|artiklit)|vaata\s+(?:ka|videot|galeriid|lähemalt|otse)|(?:kuula|telli|liitu)\b|jälgi\s+(?:meid|otse)|"
    r"skaityki(?:te)?\b|žiūrėki(?:te)?\b|prenumeruoki(?:te)?\b|sek(?:ite|ti)\s+mus|daugiau\s+(?:skaitykite|informacijos|apie)|nuotr\.|"
    r"(?:lue|katso)\s+(?:myös|lisää|koko|video|kuvat|tästä)|kuuntele\b|tilaa\s+(?:uutiskirje|lehti|ilmoitukset)|seuraa\s+(?:meitä|tilannetta)|"
    r"läs\s+(?:mer|också|även|hela)|les\s+(?:mer|også|mere|hele)|lyssna\s+på|prenumerera\b|följ\s+(?:oss|med)|følg\s+(?:oss|med)|"
    r"(?:lesen|hören|sehen|folgen|abonnieren)\s+sie\b|mehr\s+(?:dazu|lesen|zum\s+thema)|anzeige\s*$|"
    r"(?:lire|voir|écouter)\s+(?:aussi|la\s+suite|également)|à\s+lire\b|abonnez|inscrivez-|suivez(?:-|\s+(?:nous|notre|le\s+direct))|publicité\s*$|"
    r"(?:lea|leer|vea|mire|escuche)\s+(?:también|más|el\s+video|aquí|aqui)|suscr[íi]b(?:ase|ete)\b|síg(?:a|ue)nos\b|publicidad\s*$|"
    r"(?:leia|veja|ouça)\s+(?:também|mais|a\s+íntegra)|assine\b|siga\s+(?:o|a|nos)\b|(?:leggi|guarda|ascolta)\s+(?:anche|tutto|il\s+video|di\s+più)|abbonati\b|iscriviti\b|segui(?:ci|\s+la\s+diretta)|"
    r"(?:czytaj|zobacz|posłuchaj)\s|subskrybuj|čtěte\b|přečtěte\s+si|čítajte\b|olvass\b|kövess\s+minket|iratkozz\b|citește\s+(?:și|mai)|abonează-te|urmărește-ne|"
    r"читайте\b|смотрите\b|слушайте\b|подпи(?:шитесь|сывайтесь)|подробнее\b|фото\s*[:/©]|реклама\s*$|дивіться\b|слухайте\b|підпи(?:шіться|суйтес[ья])|детальніше\b|докладніше\b|"
    r"διαβάστε\b|δείτε\s+(?:επίσης|εδώ|το\s+βίντεο)|ακολουθήστε\b|(?:okumak|izlemek)\s+için|tıklayın|abone\s+ol|bizi\s+takip|اقرأ\s|شاهد\s+(?:أيضا|الفيديو|بالفيديو)|تابع(?:وا|نا)|اشترك|"
    r"بیشتر\s+بخوانید|यह\s+भी\s+पढ़ें|और\s+पढ़ें|阅读(?:更多|全文|原文)|点击|关注(?:我们|公众号)|扫码|続きを|関連記事|会員登録|더보기|구독"
    r"|this\s+(?:article|story|post)\s+(?:was\s+(?:originally|first)|first|originally)|(?:the\s+)?content\s+of\s+this|all\s+rights\s+reserved"
    r"|here(?:['’]s|\s+is|\s+are)\s+(?:what|how|why|everything)\b|what\s+(?:you\s+need\s+to\s+know|we\s+know)\b|©)",
    re.IGNORECASE,
)
_ASKING: Final = re.compile(
    r"\b(?:(?:our|the|a|this|free|daily|weekly|morning)\s+newsletter|sign\s+up\s+(?:for|to|here|now)|log\s+in\s+to|download\s+(?:our|the)\s+app|in\s+our\s+app|"
    r"(?:our|to\s+the)\s+(?:telegram|whatsapp)|accept\s+(?:all\s+)?cookies|mūsu\s+(?:lietotn|vēstkop|kanāl)\w*|pieraksti(?:es|eties)\s+|(?:meie|telli)\s+uudiskir\w*|mūsų\s+naujienlaišk\w+|"
    r"uutiskir(?:je|jeemme)\b|(?:vårt|vår|vårat)\s+nyhetsbrev|unse(?:ren|rem)\s+newsletter|(?:notre|nos)\s+newsletters?|nuestro\s+boletín|nossa\s+newsletter|nostra\s+newsletter|"
    r"подпи(?:шитесь|сывайтесь)\s|(?:наш|нашем|наши)\s+(?:канал|телеграм)\w*|підпи(?:шіться|суйтес[ья])\s|(?:наш|нашому)\s+(?:канал|телеграм)\w*|"
    r"النشرة\s+البريدية|メルマガ|뉴스레터)",
    re.IGNORECASE,
)
# "ABUJA (Halcyon) - ": the place in capitals, an agency that cleaning.py does not know.
_DATELINE: Final = re.compile(
    r"^[^\W\d_a-zа-яα-ω][^\W\d_a-zа-яα-ω'’. -]{2,30}(?:,[^\n!?();:]{2,25})?\s\([^()\d]{2,25}\)\s[-–—]{1,2}\s(?=\S)"
)
_QUESTION: Final = re.compile(r"[?؟？;]['\"»”’」』)]*$")
_QUOTE: Final = re.compile(r"^[\"'„“«»‘‚「『–—-]")
_CUT: Final = re.compile(r"(?:…|\.{3}|[\[(](?:…|\.{3})[\])]|:)\s*$")
_CLAUSE: Final = re.compile(r"[;,:–—،、，؛]\s")


@dataclass(frozen=True, slots=True)
class Extract:
    """A sentence and where it stands: `place` is "description" or "body"; `whole` is False when it had to be shortened."""

    text: str
    place: str
    whole: bool = True


def is_teaser(text: str) -> bool:
    """Whether `text` invites to read, watch, subscribe or follow, or is a credit: no part of a report."""
    return bool(_TEASERS.search(text) or _ASKING.search(text))


def candidates(description: str, body: str, language: str = "") -> list[Extract]:
    """Sentences that may say what happened, in order, without datelines; the description's first."""
    found: list[Extract] = []
    seen: set[str] = set()
    for place, text in (("description", _whole(description)), ("body", _opening(body))):
        for raw in sentences(text, language, _LOOKED_AT):
            sentence = _DATELINE.sub("", raw)
            key = "".join(filter(str.isalnum, sentence.casefold()))
            if key and key not in seen:
                seen.add(key)
                found.append(Extract(sentence, place))
    return found


def one_sentence(title: str, description: str, body: str, language: str = "") -> Extract | None:
    """The sentence of the description or of the body's beginning that best says what happened; None when there is none.

    At most MAX_CHARS characters. `body` has its paragraphs divided by an empty line.
    """
    options = candidates(description, body, language)
    if not options:
        return None
    best, most = None, 0.0
    said = pieces(title)
    order = {"description": 0, "body": 0}
    for option in options:
        score = _score(
            option.text, title, said, order[option.place], later=option.place == "body" and order["description"] > 0
        )
        order[option.place] += 1
        if best is None or score > most:
            best, most = option, score
    return None if best is None or most <= 0 else _shortened(best)


def _score(text: str, title: str, said: dict[str, int], position: int, *, later: bool) -> float:
    """How well a sentence serves; 0 or less: not at all."""
    if is_teaser(text) or len(text) < 12:  # noqa: PLR2004 - no sentence is shorter
        return 0.0
    bag = pieces(text)
    likeness = cosine(bag, said)
    score = 1.0 / (1 + 0.22 * position) - (0.12 if later else 0.0)
    if likeness > _REPEATS and len(text) < len(title) * 1.3:
        score -= 0.5
    if _QUESTION.search(text):
        score -= 0.45
    if _QUOTE.search(text):
        score -= 0.2
    if _CUT.search(text):
        score -= 0.35
    elif not is_sentence(text):
        score -= 0.1
    if len(text) < _SHORT:
        score -= 0.35 * (1 - len(text) / _SHORT) + 0.1
    elif len(text) > _LONG:
        score -= min(0.3, (len(text) - _LONG) / 800)
    return score + 0.15 * bool(numbers(text) - numbers(title))


def _whole(description: str) -> str:
    """The description on one line; where it was cut off, it still ends with "…"."""
    text = plain_line(description)
    bare = match_summary(text) if text else ""
    return bare + "…" if _CUT.search(text[-8:]) and not is_sentence(bare) and not _CUT.search(bare) else bare


def _opening(body: str) -> str:
    """The body's first paragraphs, each without what stands before its first sentence."""
    paragraphs = [part for part in body[:6000].split("\n\n") if part.strip()][:_LOOKED_AT]
    return "\n\n".join(match_summary(part) if n < 2 else part for n, part in enumerate(paragraphs))  # noqa: PLR2004 - a kicker may come first


def _shortened(extract: Extract) -> Extract:
    """At most MAX_CHARS characters, ended at a clause or at a word, with "…"."""
    text = extract.text
    if len(text) <= MAX_CHARS:
        return extract
    head = text[: MAX_CHARS - 1]
    clause = [found.start() for found in _CLAUSE.finditer(head)]
    end = (
        clause[-1]
        if clause and clause[-1] > MAX_CHARS // 2
        else head.rfind(" ")
        if " " in head[MAX_CHARS // 2 :]
        else len(head)
    )
    return Extract(head[:end].rstrip(" ,;:–—") + "…", extract.place, whole=False)
