"""Labelled items through the production path: one by one in the order of time, with the repair passes of the daemon."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from aggregator.config import Stories
from aggregator.errors import UsageError
from aggregator.models import Merge, Move, Repair, Split, StoryItem, Vector, parse_iso
from aggregator.stories.clusterer import Clusterer
from aggregator.stories.model import PairModel
from aggregator.stories.quality import Scores, score

__all__ = ["Evaluation", "LabelledItem", "evaluate", "follow", "read_labelled"]

Embed = Callable[[Sequence[StoryItem]], Sequence[Vector]]


@dataclass(frozen=True, slots=True)
class LabelledItem:
    """An item with its own id and the event that it belongs to; `cluster` is "" when nobody has said."""

    id: str
    title: str
    summary: str
    language: str
    country: str
    outlet: str
    at: datetime
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What became of the items: {id: story id}, and the scores against the labels; None when not all have one.

    `repairs` counts merges, splits and moves after the first decision.
    """

    assignments: Mapping[str, int]
    scores: Scores | None
    repairs: int


def read_labelled(path: Path) -> list[LabelledItem]:
    """Items of a JSONL file with the keys id, title, summary, lang, country, outlet, published, cluster.

    Only id, title and published are required. Raises UsageError, which names file and line.
    """
    items = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text at byte {error.start}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            raw = json.loads(line)
            items.append(
                LabelledItem(
                    id=str(raw["id"]),
                    title=raw["title"],
                    summary=raw.get("summary") or "",
                    language=raw.get("lang") or "",
                    country=raw.get("country") or "",
                    outlet=raw.get("outlet") or "",
                    at=parse_iso(raw["published"]),
                    cluster=str(raw.get("cluster") or ""),
                )
            )
        except KeyError as error:
            raise UsageError(f"{path}: line {number}: {error.args[0]}: missing") from None
        except (ValueError, TypeError, AttributeError) as error:
            raise UsageError(f"{path}: line {number}: not a labelled item: {error}") from None
    return items


def evaluate(
    items: Sequence[LabelledItem],
    settings: Stories,
    *,
    vectors: Mapping[str, Vector] | None = None,
    embed: Embed | None = None,
    model: PairModel | None = None,
) -> Evaluation:
    """Group `items` as the daemon would, in the order of their time, and score the outcome.

    `vectors` gives embeddings by item id; what it lacks `embed` makes, and where there is neither words alone decide.
    Repair passes run every `settings.repair_every_s` of the items' time, and one over everything at the end.
    """
    ordered = sorted(items, key=lambda item: (item.at, item.id))
    stream = _as_stream(ordered, vectors or {}, embed)
    clusterer = Clusterer(settings, model=model)
    every = timedelta(seconds=settings.repair_every_s)
    due = stream[0].at + every if stream else None
    placed: dict[int, int] = {}
    repairs = 0
    for item in stream:
        if due is not None and item.at >= due:
            repairs += follow(placed, clusterer.repair(item.at))
            due = item.at + every
        placed[item.item_id] = clusterer.add(item).story_id
    if stream:
        repairs += follow(placed, clusterer.repair(stream[-1].at, everything=True))
    found = {item.id: placed[number] for number, item in enumerate(ordered, 1)}
    scores = None
    if ordered and all(item.cluster for item in ordered):
        scores = score([i.cluster for i in ordered], list(found.values()), [i.language for i in ordered])
    return Evaluation(found, scores, repairs)


def follow(placed: dict[int, int], repairs: Sequence[Repair]) -> int:
    """Carry `repairs` over to {item id: story id}; how many there were."""
    for repair in repairs:
        match repair:
            case Merge(story_id, into):
                placed.update({i: into for i, story in placed.items() if story == story_id})
            case Split(_, new_story_id, item_ids):
                placed.update(dict.fromkeys(item_ids, new_story_id))
            case Move(item_id, _, to_story):
                placed[item_id] = to_story
    return len(repairs)


def _as_stream(ordered: Sequence[LabelledItem], vectors: Mapping[str, Vector], embed: Embed | None) -> list[StoryItem]:
    outlets: dict[tuple[str, str], int] = {}
    stream = [
        StoryItem(
            item_id=number,
            title=item.title,
            summary=item.summary,
            language=item.language,
            country=item.country,
            outlet_id=outlets.setdefault((item.outlet, item.country), len(outlets) + 1),
            at=item.at,
            outlet=item.outlet,
            vector=vectors.get(item.id),
        )
        for number, item in enumerate(ordered, 1)
    ]
    missing = [row for row, item in enumerate(stream) if item.vector is None]
    if embed is not None and missing:
        for row, vector in zip(missing, embed([stream[row] for row in missing]), strict=True):
            stream[row] = replace(stream[row], vector=vector)
    return stream
