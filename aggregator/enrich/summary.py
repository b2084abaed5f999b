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
    r"^(?:(?:read|see|watch|listen|also|click|tap|sign\s+up|subscribe|follow|join|download|share|photo|picture|image|credit|file\s+photo|"
    r"advertisement|sponsored|related|editor['’]?s\s+note|correction|updated?|copyright|stay\s+(?:tuned|informed)|get\s+(?:the|our)|"
    r"lasi(?:et)?|lasīt|skaties|skatieties|klausies|abonē|pieraksties|seko|reklāma|foto|vairāk|loe|vaata|kuula|telli|jälgi|reklaam|lisaks|"
    r"skaity\w+|žiūrėk\w*|prenumeruok\w*|sek\w+te?\s+mus|nuotr|daugiau|lue|katso|kuuntele|tilaa|seuraa|läs|lyssna|prenumerera|"
    r"foto(?:grafie)?|les\b|abonner|mehr|lesen|hören|abonnieren|anzeige|lire|voir|écouter|abonnez|inscrivez|suivez|publicité|à\s+lire|"
    r"lea|leer|vea|mire|escuche|suscr[íi]b\w+|síg\w+|publicidad|leia|veja|assine|siga|leggi|guarda|abbonati|iscriviti|segui\w*|"
    r"czytaj|zobacz|posłuchaj|subskrybuj|reklama|čtěte|přečtěte|sledujte|čítajte|olvass|kövess|iratkozz|citește|abonează|urmărește|"
    r"читайте|смотрите|слушайте|подпис\w+|подробн\w+|фото|реклама|дивіться|підпис\w+|слухайте|детальн\w+|докладн\w+|"
    r"διαβάστε|δείτε|ακούστε|ακολουθήστε|okumak|tıklayın|abone|takip|اقرأ|شاهد|تابع|اشترك|بیشتر|بخوانید|पढ़ें|देखें|阅读|点击|关注|扫码|続きを|"
    r"関連記事|会員登録|더보기|구독)\b"
    r"|this\s+(?:article|story|post)\s+(?:was|first|originally|is)|(?:the\s+)?content\s+of\s+this|all\s+rights\s+reserved"
    r"|here(?:['’]s|\s+is|\s+are)\s+(?:what|how|why|everything|the)|what\s+(?:you\s+need\s+to\s+know|we\s+know)|©)",
    re.IGNORECASE,
)
_ASKING: Final = re.compile(
    r"\b(?:subscri(?:be|ption)|newsletter|sign\s+up|log\s+in|cookies?|our\s+app|telegram|whatsapp|paywall|"
    r"abonē|abonement\w+|vēstkop\w+|abonent\w+|telli\w*\s+uudiskiri|uudiskir\w+|naujienlaišk\w+|prenumerat\w+|uutiskir\w+|nyhetsbrev|"
    r"newsletters?|abonnement\w*|abonnieren|suscripci\w+|boletín|assinatura|abbonament\w+|subskrypcj\w+|рассылк\w+|подписк\w+|подпишитесь|"
    r"підписк\w+|підпишіться|розсилк\w+|ενημερωτικ\w+\s+δελτίο|bülten\w*|النشرة\s+البريدية|न्यूज़लेटर|メルマガ|뉴스레터)\b",
    re.IGNORECASE,
)
# "ABUJA (Halcyon) - ": the place in capitals, an agency that cleaning.py does not know.
_DATELINE: Final = re.compile(
    r"^[^\W\d_a-zа-яα-ω][^\W\d_a-zа-яα-ω'’. -]{2,30}(?:,[^\n!?();:]{2,25})?\s\([^()\d]{2,25}\)\s[-–—]{1,2}\s(?=\S)"
)
_QUESTION: Final = re.compile(r"[?؟？;]['\"»”’」』)]*$")
_QUOTE: Final = re.compile(r"^[\"'„“«»‘‚「『–—-]")
_CUT: Final = re.compile(r"(?:…|\.{3}|\[…\]|:)\s*$")
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
    for place, text in (
        ("description", match_summary(plain_line(description)) if description else ""),
        ("body", _opening(body)),
    ):
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
