"""Measure the rule of aggregator/stories/joining.py on probabilities of a model that has not seen the set.

    joining.py [--cache DIR] [SET.jsonl ...]

Each set is left out in turn; projection and weights are trained on the others, the set is grouped at once, and by the
production path (one by one, with repair passes), with the rule as it is and with its BIAS moved. Prints B-cubed precision,
recall and F1 and cross-lingual pair F1. CACHE is that of train.py. Minutes for each set.
"""

import argparse
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import numpy as np
import train

from aggregator.config import Stories
from aggregator.stories import joining, model
from aggregator.stories.clusterer import Clusterer
from aggregator.stories.evaluate import follow
from aggregator.stories.joining import evidences
from aggregator.stories.linkage import grouped
from aggregator.stories.model import PairModel
from aggregator.stories.projection import Projection
from aggregator.stories.quality import bcubed, score

SHIFTS = (-0.6, -0.3, 0.0, 0.3, 0.6)


def scores(gold: list[str], told: list[int], languages: list[str]) -> list[float]:
    found = score(gold, told, languages)
    return [100 * v for v in (found.bcubed.precision, found.bcubed.recall, found.bcubed.f1, found.cross_lingual.f1)]


def at_once(matrix: train.Floats) -> list[int]:
    """All items grouped by the rule; a label for each."""
    label = [0] * len(matrix)
    for number, group in enumerate(grouped(matrix, lambda m, one, others: evidences(m, one, others, len(matrix)))):
        for row in group:
            label[row] = number
    return label


def as_stream(items: list, pair_model: PairModel) -> list[int]:
    """The stories of the production path."""
    clusterer = Clusterer(Stories(), model=pair_model)
    placed: dict[int, int] = {}
    due = items[0].at + timedelta(seconds=900)
    for item in items:
        if item.at >= due:
            follow(placed, clusterer.repair(item.at))
            due = item.at + timedelta(seconds=900)
        placed[item.item_id] = clusterer.add(item).story_id
    follow(placed, clusterer.repair(items[-1].at, everything=True))
    return [placed[item.item_id] for item in items]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", type=Path)
    parser.add_argument("--cache", type=Path, default=train.ROOT / "benchmarks" / ".work" / "vectors")
    args = parser.parse_args()
    paths = args.sets or sorted((train.ROOT / "tests" / "eval" / "data").glob("stories_*.jsonl"))
    sets = [train.play(path, args.cache) for path in paths]
    kept = joining.BIAS
    rows: dict[float, list[list[float]]] = {shift: [] for shift in SHIFTS}
    streams = []
    for path, held in zip(paths, sets, strict=True):
        others = [one for one in sets if one is not held]
        projection = train.make_projection(others)
        tables = [train.with_dense(one, projection) for one in others]
        weights = {}
        for name, lexical in (("full", False), ("lexical", True)):
            raw, bias = train.train(tables, others, lexical=lexical)
            weights[name] = {"bias": bias, **dict(zip(model.FEATURES, raw.tolist(), strict=True))}
            if not lexical:
                chance = train.predict(train.with_dense(held, projection), raw, bias)
        matrix = np.zeros((len(held.gold), len(held.gold)))
        matrix[held.first, held.second] = matrix[held.second, held.first] = chance
        languages = [one.language for one in held.profiles]
        for shift in SHIFTS:
            joining.BIAS = kept + shift
            rows[shift].append(scores(held.gold, at_once(matrix), languages))
        joining.BIAS = kept
        items = [replace(item, item_id=n) for n, item in enumerate(train.read_items(path, args.cache)[0], 1)]
        with patch.object(Projection, "load", return_value=projection):
            told = as_stream(items, PairModel(weights))
        streams.append(scores(held.gold, told, languages))
        agree = 100 * bcubed(at_once(matrix), told).f1
        print(
            held.name,
            "at once",
            np.round(rows[0.0][-1], 1),
            "stream",
            np.round(streams[-1], 1),
            f"agree {agree:.1f}",
            flush=True,
        )
    for shift, found in rows.items():
        print(f"BIAS {kept + shift:.2f}: at once, mean", np.round(np.mean(found, 0), 1))
    print("stream, mean", np.round(np.mean(streams, 0), 1))


if __name__ == "__main__":
    main()
