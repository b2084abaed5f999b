"""Translation inside this process by Argos Translate (CTranslate2), where the user has installed it and a language pair.

Nothing is downloaded: `argospm install translate-lv_en` or the like is the user's step. The only user of argostranslate.
"""

import asyncio
import importlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aggregator.cleaning import plain, plain_line
from aggregator.enrich.base import Article, Made, NotMade, Texts, Trouble
from aggregator.enrich.libretranslate import parts_of
from aggregator.errors import ConfigError

__all__ = ["ArgosMaker"]


class ArgosMaker:
    """One text after the other, in a thread of its own. Raises ConfigError when Argos Translate is not installed."""

    def __init__(self, *, max_chars: int = 6000) -> None:
        try:
            self._translate: Any = importlib.import_module("argostranslate.translate")
            package = importlib.import_module("importlib.metadata").version("argostranslate")
        except ImportError:
            raise ConfigError(
                '[translation] backend: "argos" needs Argos Translate: pip install argostranslate, then argospm install translate-lv_en '
                "(or the pairs you need)"
            ) from None
        self._max_chars = max_chars
        self._name = f"argostranslate {package}"
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="argos")

    @property
    def name(self) -> str:
        """Library and version."""
        return self._name

    async def aclose(self) -> None:
        """End the thread; what it is doing is finished."""
        await asyncio.to_thread(self._thread.shutdown, wait=True, cancel_futures=True)

    async def make(self, article: Article, language: str, attempt: int = 0) -> Made | NotMade:  # noqa: ARG002 - it answers the same each time
        """See Maker."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._made, article, language)

    def _made(self, article: Article, language: str) -> Made | NotMade:
        target = language.partition("-")[0]
        try:
            title, summary, *paragraphs = [
                self._translate.translate(part, article.language, target) if part else ""
                for part in parts_of(article, self._max_chars)
            ]
        except AttributeError:  # what argostranslate raises for a pair that is not installed
            pair = f"translate-{article.language}_{target}"
            return NotMade(Trouble.SET_UP, f"no such pair is installed: argospm install {pair}")
        except Exception as error:  # noqa: BLE001 - whatever a model raises for a text is that text's failure
            return NotMade(Trouble.ANSWER, plain_line(f"argostranslate: {type(error).__name__}: {error}")[:300])
        return Made(
            Texts(plain_line(title), plain_line(summary), "\n\n".join(filter(None, map(plain, paragraphs)))), self._name
        )
