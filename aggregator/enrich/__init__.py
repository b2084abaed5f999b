"""Bodies from pages, one-sentence summaries, digests of stories, translations, verdicts: each optional, each with its provenance."""

from aggregator.config import Judge, Translation
from aggregator.enrich.argos import ArgosMaker
from aggregator.enrich.base import Maker
from aggregator.enrich.chat import ChatMaker
from aggregator.enrich.completions import Chat
from aggregator.enrich.http import Endpoint, read_key
from aggregator.enrich.judge import ChatJudge
from aggregator.enrich.libretranslate import LibreTranslateMaker
from aggregator.errors import ConfigError

__all__ = ["open_judge", "open_maker"]


def open_maker(settings: Translation) -> Maker | None:
    """The translator that is configured, or None. No request is made. Raises ConfigError."""
    match settings.backend:
        case "off":
            return None
        case "argos":
            return ArgosMaker(max_chars=settings.max_chars)
        case "chat":
            return ChatMaker(_chat(settings, "translation"), max_chars=settings.max_chars)
        case "libretranslate":
            endpoint = Endpoint(settings.url, table="translation", timeout_s=settings.timeout_s)
            key = read_key(settings.api_key_file, "translation")
            return LibreTranslateMaker(endpoint, api_key=key, max_chars=settings.max_chars)


def open_judge(settings: Judge) -> ChatJudge | None:
    """The judge that is configured, or None. No request is made. Raises ConfigError."""
    if settings.backend == "off":
        return None
    return ChatJudge(_chat(settings, "judge"), max_chars=settings.max_chars)


def _chat(settings: Judge | Translation, table: str) -> Chat:
    if not settings.model:
        raise ConfigError(f'[{table}] model: empty; the server needs a name, such as "qwen3:4b"')
    key = read_key(settings.api_key_file, table)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    endpoint = Endpoint(settings.url, table=table, timeout_s=settings.timeout_s, headers=headers)
    return Chat(endpoint, settings.model)
