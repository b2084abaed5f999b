"""What an embedder is, and the text of an item that it is given."""

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from aggregator.cleaning import match_summary, match_title

__all__ = ["MAX_TEXT_CHARS", "TITLE_WEIGHT", "Embedder", "item_text", "item_vectors", "normalised", "vectors_name"]

# The first sentences tell what happened. About 100 tokens of a multilingual model, 160 ms on one core.
MAX_TEXT_CHARS: Final = 420
# The title counts once more: it names the event, where the summary may say anything of it. Average precision of the projected
# cosine over the pairs of six labelled sets: 46.6 % without, 49.6 / 50.3 / 50.2 with 1 / 0.5 / 0.3; see docs/stories.md.
TITLE_WEIGHT: Final = 0.5
_STOPS: Final = (
    ".",
    "!",
    "?",
    "…",
    "\u3002",
    "\uff01",
    "\uff1f",
    "\u0964",
    "\u061f",
    "\u06d4",
)  # with CJK, Indic, Arabic


class Embedder(Protocol):
    """Turns texts of any language into vectors of one space. Implementations are safe to call from one thread at a time."""

    @property
    def name(self) -> str:
        """Names model and version; vectors of different names must not be compared."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Rows in the order of `texts`, shape (n, dimensions), L2-normalised. Raises EmbedderError."""

    def close(self) -> None:
        """Free what it holds; it is not used afterwards."""


def item_text(title: str, summary: str, outlet: str = "") -> str:
    """What an item is embedded as: its title and the start of its summary, without markers, datelines, outlet names.

    A title alone says less: recall of the same event at rank one in another language was 52 % with it and 90 % with the
    summary. A summary that only repeats the title is left out.
    """
    head = match_title(title, outlet)
    tail = match_summary(summary)
    if not tail or tail.startswith(head):
        text = tail or head
    else:
        text = f"{head} {tail}" if head.endswith(_STOPS) else f"{head}. {tail}"
    if len(text) > MAX_TEXT_CHARS:
        cut = text[:MAX_TEXT_CHARS]
        text = cut.rsplit(" ", 1)[0] if " " in cut[MAX_TEXT_CHARS // 2 :] else cut
    return text


def item_vectors(embedder: Embedder, items: Iterable[tuple[str, str, str]]) -> NDArray[np.float32]:
    """One vector an item (title, summary, outlet's name): of its text, and of its title alone with TITLE_WEIGHT.

    Shape (n, dimensions), L2-normalised. A title costs about a third of what the text costs. Raises EmbedderError.
    """
    texts = [(item_text(title, summary, outlet), item_text(title, "", outlet)) for title, summary, outlet in items]
    rows = embedder.embed([text for text, _ in texts])
    more = [number for number, (text, title) in enumerate(texts) if title not in {"", text}]
    if more:
        rows[more] += TITLE_WEIGHT * embedder.embed([texts[number][1] for number in more])
    return normalised(rows)


def vectors_name(embedder: Embedder) -> str:
    """Names what `item_vectors` makes with `embedder`: vectors of different names must not be compared."""
    return f"{embedder.name}+title"


def normalised(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """`rows` scaled to length one; a row of zeros stays."""
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    result: NDArray[np.float32] = (rows / np.maximum(length, 1e-12)[:, None]).astype(np.float32)
    return result
