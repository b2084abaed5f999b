"""Do two items tell the same event? A logistic regression over readable features; weights in `weights.json`."""

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.features import BUCKETS, Ids, Profile
from aggregator.stories.statistics import Statistics

__all__ = ["FEATURES", "PairModel", "pair_features"]

Floats = NDArray[np.float64]
FEATURES: Final = (
    "dense", "grams", "names", "numbers", "days", "days2", "same_language", "same_outlet",
    "same_dense", "same_grams", "same_names",
)  # fmt: skip


class _Sparse:
    """Cosines of one item's hashed ids with those of others, weighted by inverse document frequency."""

    def __init__(self) -> None:
        self._weights = np.zeros(BUCKETS, dtype=np.float64)

    def cosines(self, own: Ids, others: Sequence[Ids], counts: NDArray[np.int32], total: int) -> Floats:
        lengths = np.array([len(ids) for ids in others])
        result = np.zeros(len(others))
        if not len(own) or not lengths.any():
            return result
        joined = np.concatenate([ids for ids in others if len(ids)])
        starts = np.concatenate(([0], np.cumsum(lengths[lengths > 0])[:-1]))
        own_idf = _idf(counts[own], total)
        idf = _idf(counts[joined], total)
        self._weights[own] = own_idf
        dots = np.add.reduceat(self._weights[joined] * idf, starts)
        self._weights[own] = 0.0
        norms = np.sqrt(np.add.reduceat(idf * idf, starts)) * np.sqrt((own_idf**2).sum())
        result[lengths > 0] = dots / np.maximum(norms, 1e-9)
        return result


def _idf(counts: NDArray[np.int32], total: int) -> Floats:
    result: Floats = np.log((total + 1.0) / (counts + 0.5)).clip(0.0)
    return result


_SPARSE: Final = _Sparse()


def pair_features(item: Profile, others: Sequence[Profile], stats: Statistics) -> Floats:
    """One row a pair, one column for each of FEATURES."""
    n = len(others)
    table = np.zeros((n, len(FEATURES)))
    column = {name: table[:, i] for i, name in enumerate(FEATURES)}
    if item.vector is not None:
        dimensions = len(item.vector)
        rows = [i for i, other in enumerate(others) if other.vector is not None and len(other.vector) == dimensions]
        if rows:
            mine = item.vector.astype(np.float32) - stats.mean(item.language, dimensions)
            theirs = np.stack([others[i].vector for i in rows]).astype(np.float32)
            theirs -= np.stack([stats.mean(others[i].language, dimensions) for i in rows])
            norms = np.sqrt(np.einsum("ij,ij->i", theirs, theirs)) * np.sqrt(mine @ mine)
            column["dense"][rows] = (theirs @ mine) / np.maximum(norms, 1e-9)
    column["grams"][:] = _SPARSE.cosines(item.gram_ids, [o.gram_ids for o in others], stats.grams, stats.items)
    column["names"][:] = _SPARSE.cosines(item.name_ids, [o.name_ids for o in others], stats.names, stats.items)
    column["numbers"][:] = _SPARSE.cosines(item.number_ids, [o.number_ids for o in others], stats.numbers, stats.items)
    days = np.abs(np.array([o.hours for o in others]) - item.hours) / 24
    column["days"][:] = days
    column["days2"][:] = days**2
    same = np.array([o.language == item.language for o in others], dtype=np.float64)
    column["same_language"][:] = same
    column["same_outlet"][:] = [o.outlet_id == item.outlet_id for o in others]
    for name in ("dense", "grams", "names"):
        column[f"same_{name}"][:] = same * column[name]
    return table


class PairModel:
    """Weights for pairs with vectors, and others for pairs of which one has none."""

    def __init__(self, weights: dict[str, Any]) -> None:
        self._full = _Linear(weights["full"])
        self._lexical = _Linear(weights["lexical"])

    @classmethod
    def load(cls) -> "PairModel":
        """The shipped weights."""
        return cls(json.loads(files("aggregator.stories").joinpath("weights.json").read_text(encoding="utf-8")))

    def probabilities(self, item: Profile, others: Sequence[Profile], stats: Statistics) -> Floats:
        """For each of `others`, the probability that it tells the same event as `item`; symmetric."""
        if not others:
            return np.zeros(0)
        table = pair_features(item, others, stats)
        dense = np.array([_comparable(item, other) for other in others])
        return np.where(dense, self._full(table), self._lexical(table))

    def explain(self, item: Profile, other: Profile, stats: Statistics) -> dict[str, float | int | str]:
        """What spoke for or against the pair: the values of its features, rounded."""
        row = pair_features(item, [other], stats)[0]
        return {name: round(float(value), 2) for name, value in zip(FEATURES, row, strict=True) if value}


def _comparable(item: Profile, other: Profile) -> bool:
    return item.vector is not None and other.vector is not None and len(item.vector) == len(other.vector)


class _Linear:
    def __init__(self, weights: dict[str, float]) -> None:
        self._bias = weights["bias"]
        self._weights = np.array([weights.get(name, 0.0) for name in FEATURES])

    def __call__(self, table: Floats) -> Floats:
        result: Floats = 1 / (1 + np.exp(-(table @ self._weights + self._bias)))
        return result
