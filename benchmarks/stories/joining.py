"""Measure the rules of aggregator/stories/joining.py on probabilities of models that have not seen the set.

    joining.py [--cache DIR] [--one-outlet DIR] [--sweep] [--unseen SET.jsonl] [SET.jsonl ...]

Each set is left out in turn: projection and weights are trained on the others, and the second look (support.py) on what
the others got when they were left out. Then the set is grouped at once, and by the production path (one by one, with repair
passes). Prints B-cubed precision, recall and F1 and cross-lingual pair F1. `--sweep` groups at once with other coefficients of the
rule for groups. `--unseen` scores a set by the shipped weights, which it must not have trained. CACHE is that of train.py.
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
from aggregator.stories.joining import group_evidences
from aggregator.stories.linkage import grouped
from aggregator.stories.model import PairModel
from aggregator.stories.projection import Projection
from aggregator.stories.quality import bcubed, score
from aggregator.stories.support import supported

SWEEP = [  # GROUP_BIAS, GROUP_PER_PAIRS, GROUP_PER_SMALLER
    (bias, pairs, smaller)
    for pairs, smaller in ((0.0, 0.0), (0.5, -1.0), (0.5, -1.4), (0.7, -1.4), (0.7, -1.8), (0.9, -1.8), (0.9, -2.4))
    for bias in (0.1, 0.35, 0.6, 0.85)
]


def scores(gold: list[str], told: list[int], languages: list[str]) -> list[float]:
    found = score(gold, told, languages)
    return [100 * v for v in (found.bcubed.precision, found.bcubed.recall, found.bcubed.f1, found.cross_lingual.f1)]


def at_once(matrix: train.Floats) -> list[int]:
    """All items grouped by the rule; a label for each."""
    label = [0] * len(matrix)
    for number, group in enumerate(grouped(matrix, group_evidences)):
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


def shown(found: list[float]) -> str:
    return "{:5.1f} {:5.1f} {:5.1f} cross {:5.1f}".format(*found)


class Fold:
    """A set with what was trained without it."""

    def __init__(self, held: train.Set, others: list[train.Set], extra: list[train.Set]) -> None:
        self.held = held
        self.projection = train.make_projection(others)
        tables = [train.with_dense(one, self.projection) for one in others + extra]
        self.weights: dict[str, dict[str, float]] = {}
        for name, lexical in (("full", False), ("lexical", True)):
            raw, bias = train.train(tables, others + extra, lexical=lexical)
            self.weights[name] = {"bias": bias, **dict(zip(model.FEATURES, raw.tolist(), strict=True))}
            if not lexical:
                self.chance = train.predict(train.with_dense(held, self.projection), raw, bias)

    def matrix(self) -> train.Floats:
        """The probabilities of the set's pairs after the second look."""
        return supported(train.matrix_of(self.held, self.chance), self.weights["support"])

    def languages(self) -> list[str]:
        """Of the items."""
        return [one.language for one in self.held.profiles]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", type=Path)
    parser.add_argument("--cache", type=Path, default=train.ROOT / "benchmarks" / ".work" / "vectors")
    parser.add_argument("--one-outlet", type=Path, metavar="DIR", help="as for train.py")
    parser.add_argument("--sweep", action="store_true", help="other coefficients of the rule for groups")
    parser.add_argument(
        "--unseen", type=Path, metavar="SET", help="score a set by the shipped weights, and nothing else"
    )
    args = parser.parse_args()
    if args.unseen:
        items, gold, _ = train.read_items(args.unseen, args.cache)
        numbered = [replace(item, item_id=n) for n, item in enumerate(items, 1)]
        bare = [replace(item, vector=None) for item in numbered]
        for name, stream in (("with vectors", numbered), ("words alone", bare)):
            told = as_stream(stream, PairModel.load())
            print(args.unseen.name, name, shown(scores(gold, told, [item.language for item in items])), flush=True)
        return
    paths = args.sets or train.labelled()
    sets = [train.play(path, args.cache) for path in paths]
    extra = train.negatives(args.one_outlet, args.cache)
    folds = []
    for held in sets:
        folds.append(Fold(held, [one for one in sets if one is not held], extra))
        print(held.name, "left out", flush=True)
    streams, wholes = [], []
    for path, fold in zip(paths, folds, strict=True):
        rest = [other for other in folds if other is not fold]
        fold.weights["support"] = train.train_support([other.held for other in rest], [other.chance for other in rest])
        gold, languages = fold.held.gold, fold.languages()
        whole = at_once(fold.matrix())
        items = [replace(item, item_id=n) for n, item in enumerate(train.read_items(path, args.cache)[0], 1)]
        with patch.object(Projection, "load", return_value=fold.projection):
            told = as_stream(items, PairModel(fold.weights))
        wholes.append(scores(gold, whole, languages))
        streams.append(scores(gold, told, languages))
        agree = f"agree {100 * bcubed(whole, told).f1:.1f}"
        print(fold.held.name, "at once", shown(wholes[-1]), "| stream", shown(streams[-1]), "|", agree, flush=True)
    print(
        "mean at once", shown(np.mean(wholes, 0).tolist()), "| stream", shown(np.mean(streams, 0).tolist()), flush=True
    )
    if args.sweep:
        matrices = [fold.matrix() for fold in folds]
        for bias, pairs, smaller in SWEEP:
            joining.GROUP_BIAS, joining.GROUP_PER_PAIRS, joining.GROUP_PER_SMALLER = bias, pairs, smaller
            found = [
                scores(fold.held.gold, at_once(matrix), fold.languages())
                for fold, matrix in zip(folds, matrices, strict=True)
            ]
            print(f"bias {bias:.2f} per pairs {pairs:.1f} per smaller {smaller:.1f}:", shown(np.mean(found, 0).tolist()), flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
