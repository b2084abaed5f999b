"""Bodies from pages, one-sentence summaries, digests of stories, translations: each optional, each with its provenance."""

from aggregator.config import Translation
from aggregator.enrich.argos import ArgosMaker
from aggregator.enrich.base import Maker
from aggregator.enrich.chat import ChatMaker
from aggregator.enrich.http import Endpoint, read_key
from aggregator.enrich.libretranslate import LibreTranslateMaker
from aggregator.errors import ConfigError

__all__ = ["open_maker"]


def open_maker(settings: Translation) -> Maker | None:
    """The translator that is configured, or None. No request is made. Raises ConfigError."""
    match settings.backend:
        case "off":
            return None
        case "argos":
            return ArgosMaker(max_chars=settings.max_chars)
        case "chat":
            if not settings.model:
                raise ConfigError('[translation] model: empty; the server needs a name, such as "qwen3:4b"')
            key = read_key(settings.api_key_file)
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            endpoint = Endpoint(settings.url, timeout_s=settings.timeout_s, headers=headers)
            return ChatMaker(endpoint, settings.model, max_chars=settings.max_chars)
        case "libretranslate":
            endpoint = Endpoint(settings.url, timeout_s=settings.timeout_s)
            return LibreTranslateMaker(endpoint, api_key=read_key(settings.api_key_file), max_chars=settings.max_chars)
