"""Stories: an item as the clusterer sees it, and what is decided of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

__all__ = ["Assignment", "Doubts", "Merge", "Move", "Question", "Repair", "Split", "StoryItem", "Vector", "Verdict"]


Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class StoryItem:
    """An item as the clusterer sees it. `vector` is the embedder's, L2-normalised, or None when there is none (yet)."""

    item_id: int
    title: str
    summary: str
    language: str
    country: str
    outlet_id: int
    at: datetime  # published_at
    outlet: str = ""  # its name, which titles often end with
    vector: Vector | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where an item went, and why.

    `similarity` is the probability (0-1) that it belongs there; for the first item of a story, 1. `nearest_item_id` is
    the member that spoke most for it; `reprint_of` the earliest item whose text this one repeats. `reasons` are short
    names with numbers or words, stored as JSON.
    """

    item_id: int
    story_id: int
    is_new_story: bool
    similarity: float
    nearest_item_id: int | None = None
    reprint_of: int | None = None
    reasons: Mapping[str, float | int | str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Merge:
    """Story `story_id` ended; its items went to `into`."""

    story_id: int
    into: int
    reason: str


@dataclass(frozen=True, slots=True)
class Split:
    """`item_ids` left `story_id` and are the new story `new_story_id`."""

    story_id: int
    new_story_id: int
    item_ids: tuple[int, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Move:
    """One item changed story."""

    item_id: int
    from_story: int
    to_story: int
    similarity: float
    reason: str


Repair = Merge | Split | Move


@dataclass(frozen=True, slots=True)
class Question:
    """Whether two items, `item_id` the lower, tell the same event. `stake`: how many items an answer is expected to put right."""

    item_id: int
    other_id: int
    stake: float


@dataclass(frozen=True, slots=True)
class Doubts:
    """What a repair pass is not sure of among the items that it has `seen`, what is worth most first."""

    questions: tuple[Question, ...] = ()
    seen: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge said of two items, `item_id` the lower. Numbers of verdicts grow."""

    verdict_id: int
    item_id: int
    other_id: int
    same: bool
