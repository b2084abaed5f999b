"""Pages that answer 200 and are not the article: paywalls, consent, log-in, anti-bot and error pages. Pure."""

import re
from typing import Final
from urllib.parse import urlsplit

from aggregator.enrich.words import numbers, pieces

__all__ = ["tells_of", "wall"]

_HEAD: Final = 400_000  # characters of the page that are looked at
_FULL: Final = 900  # characters of text with which a page that only mentions subscriptions has told enough
_CONSENT_WORDS: Final = 2  # different ones: an article about biscuits has one
_LEAST: Final = 140  # characters; shorter is no article

# schema.org, as Google asks publishers to mark what is behind a paywall; and Open Graph's content tier.
_NOT_FREE: Final = re.compile(
    r"[\"']isAccessibleForFree[\"']\s*:\s*[\"']?false|itemprop=[\"']isAccessibleForFree[\"'][^>]{0,80}\bfalse",
    re.IGNORECASE,
)
_LOCKED: Final = re.compile(r"<meta[^>]{0,200}article:content_tier[^>]{0,80}[\"']locked[\"']", re.IGNORECASE)
_PAYWALL: Final = re.compile(
    r"class=[\"'][^\"'<>]{0,200}\b(?:paywall|pay-wall|tp-modal|piano-(?:offer|template|container)|subscriber-only|premium-(?:content|lock)|"
    r"article-(?:locked|paywall)|regwall|login-wall)\b"
    r"|(?:subscribe|sign in|log in|register)\s+(?:now\s+)?to\s+(?:continue|keep|read|unlock)|(?:this (?:article|content|story) is|only) (?:available )?(?:for|to) (?:our )?subscribers"
    r"|already a subscriber|you have reached your (?:article )?limit|raksts pieejams (?:tikai )?abonent|lai (?:turpinātu|lasītu)[^<]{0,40}(?:abonē|pieslēdz|reģistrē)"
    r"|artikkel on (?:loetav )?(?:ainult )?tellija|lugemiseks (?:telli|logi)|edasi lugemiseks|norėdami (?:skaityti|tęsti)[^<]{0,40}(?:prenumeruok|prisijun)|tik prenumeratoriams"
    r"|vain tilaajille|lue koko juttu tilaajana|tilaajille|endast för prenumeranter|för att läsa (?:vidare|hela)|kun for abonnenter|for å lese videre|læs videre som"
    r"|weiterlesen mit|nur für abonnenten|jetzt (?:weiterlesen|abonnieren)|réservé (?:à nos|aux) abonnés|il vous reste [^<]{1,20} à lire|contenido exclusivo para suscriptores"
    r"|sólo para suscriptores|exclusivo para assinantes|contenuto riservato agli abbonati|articolo riservato|tylko dla (?:subskrybentów|prenumeratorów)|jen pro předplatitele"
    r"|доступ(?:но|ен) только (?:для )?подписчик|только для подписчиков|лише для передплатників|μόνο για συνδρομητές|会員限定|有料会員|この記事は有料|付费阅读|仅限订阅|구독자 전용",
    re.IGNORECASE,
)
_CONSENT: Final = re.compile(
    r"\bcookies?\b|\bconsent\b|\bgdpr\b|privacy (?:policy|settings|choices)|legitimate interest|sīkdat\w+|küpsis\w*|slapuk\w+|eväste\w*|informasjonskapsl\w+|"
    r"einwilligung\w*|datenschutz\w*|zustimm\w+|consentement|confidentialité|consentimiento|privacidad\w*|consenso|soubor\w* cookie|ciasteczk\w+|"
    r"куки|файлы? cookie|конфиденциальност\w+|конфіденційност\w+|çerez\w*|ملفات تعريف|クッキー",
    re.IGNORECASE,
)
_CHALLENGE: Final = re.compile(
    r"<title>\s*(?:just a moment|attention required|access denied|are you (?:a )?(?:robot|human)|verify(?:ing)? you are human|ddos-guard|pardon our interruption|"
    r"security check|robot check|проверка браузера)|cf-chl-|_cf_chl_opt|g-recaptcha-response|px-captcha|captcha-delivery\.com|enable javascript and cookies to continue",
    re.IGNORECASE,
)
_MISSING: Final = re.compile(
    r"<title>[^<]{0,60}(?:\b404\b|page not found|not found|lapa nav atrasta|lehte ei leitud|puslapis nerastas|sivua ei löydy|sidan (?:kunde inte|finns inte)|"
    r"seite nicht gefunden|page introuvable|página no encontrada|pagina non trovata|nie znaleziono|stránka nenalezena|страница не найдена|сторінку не знайдено)",
    re.IGNORECASE,
)
_LOGIN: Final = re.compile(r"<input[^>]{0,200}type=[\"']?password", re.IGNORECASE)


def wall(html: str, text: str, url: str, everything: str = "") -> str:
    """Why the page at `url` is not the article, in words; "" when it seems to be one.

    `text` is what was extracted; `everything` the same with what only asks the reader for something.

    Errs on the side of keeping nothing: a stored paywall notice would be shown as the outlet's words.
    """
    head = html[:_HEAD]
    host = urlsplit(url).hostname or ""
    if _CHALLENGE.search(head) and len(text) < _FULL:
        return "an anti-bot page"
    if _MISSING.search(head[:20_000]) and len(text) < _FULL:
        return "a page that says there is nothing"
    told = everything or text
    marks = {found.casefold() for found in _CONSENT.findall(told)}
    if host.split(".")[0] in {"consent", "guce", "cmp", "privacy"} or (
        len(marks) >= _CONSENT_WORDS and len(_CONSENT.findall(told)) * 120 > len(told) + 120
    ):
        return "a consent page"
    if _NOT_FREE.search(head) or _LOCKED.search(head):
        return "a paywall (the page says that it is not free)"
    if len(text) < _FULL and _PAYWALL.search(head):
        return "a paywall"
    if len(text) < _LEAST:
        return "a log-in page" if _LOGIN.search(head) else f"no article: {len(text)} characters of text"
    return ""


def tells_of(title: str, text: str) -> bool:
    """Whether `text` is about what `title` says: a third of its longer words, or any of its numbers of two digits, is there.

    Dead links often lead to the front page, with 200.
    """
    wanted = {piece for piece in pieces(title) if len(piece) > 3 or not piece.isascii()}  # noqa: PLR2004 - function words are short
    if not wanted:
        return True
    if any(len(number) > 1 for number in numbers(title) & numbers(text)):
        return True
    return 3 * len(wanted & pieces(text).keys()) >= len(wanted)
