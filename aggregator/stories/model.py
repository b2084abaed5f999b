"""Do two items tell the same event? A logistic regression over readable features; weights in `weights.json`."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.features import BUCKETS, Ids, Profile
from aggregator.stories.statistics import Statistics

__all__ = ["FEATURES", "PairModel", "pair_features"]

Floats = NDArray[np.float64]
FEATURES: Final = (
    "dense", "dense2", "grams", "title", "names", "names_in", "names_sum", "names_clash", "skeletons", "skeletons_in",
    "skeletons_sum", "places", "places_in", "places_sum", "countries", "countries_sum", "clash_abroad", "clash_half",
    "clash_home", "reach", "reach_clash", "near", "far", "numbers", "numbers_in", "numbers_sum", "numbers_clash", "dates",
    "dates_clash", "days", "days2", "brevity", "same_language", "same_outlet", "same_country", "same_dense", "same_grams",
    "same_title", "same_names", "same_skeletons", "outlet_grams", "outlet_clash", "outlet_dates_clash", "outlet_days",
    "outlet_dense", "outlet_title", "outlet_names", "country_countries",
)  # fmt: skip
REASONS: Final = 8  # that `explain` gives
NEAR_KM: Final = 40.0
FAR_KM: Final = 250.0
DEGREE_KM: Final = 111.2


@dataclass(frozen=True, slots=True)
class _Overlap:
    """What one item's ids share with those of each other, weighted by inverse document frequency (idf).

    `cosine` of the idf vectors; `inside`, the squared idf shared over the lesser of the two sums; `total`, the idf shared
    in units of that of an id that only the two have; `clash`, whether both have ids and share none.
    """

    cosine: Floats
    inside: Floats
    total: Floats
    clash: Floats


class _Sparse:
    """Computes overlaps of one item with many at once, through a table of all buckets."""

    def __init__(self) -> None:
        self._mine = np.zeros(BUCKETS, dtype=np.float64)

    def overlap(self, own: Ids, others: Sequence[Ids], counts: NDArray[np.int32], items: int) -> _Overlap:
        lengths = np.fromiter((len(ids) for ids in others), dtype=np.int64, count=len(others))
        cosine, inside, total = np.zeros(len(others)), np.zeros(len(others)), np.zeros(len(others))
        some = lengths > 0
        if not len(own) or not some.any():
            return _Overlap(cosine, inside, total, np.zeros(len(others)))
        joined = np.concatenate([ids for ids in others if len(ids)])
        starts = np.concatenate(([0], np.cumsum(lengths[some])[:-1]))
        mine = float((_idf(counts[own], items) ** 2).sum())
        idf = _idf(counts[joined], items)
        squares = idf * idf
        self._mine[own] = 1.0
        common = self._mine[joined]
        self._mine[own] = 0.0
        shared, theirs = np.add.reduceat(common * squares, starts), np.add.reduceat(squares, starts)
        cosine[some] = shared / np.sqrt(theirs * mine)
        inside[some] = shared / np.minimum(theirs, mine)
        total[some] = np.add.reduceat(common * idf, starts) / np.log((items + 1.0) / 2.5 + 1.0)
        return _Overlap(cosine, inside, total, (some & (cosine <= 0)).astype(np.float64))


def _idf(counts: NDArray[np.int32], total: int) -> Floats:
    result: Floats = np.log((total + 1.0) / (counts + 0.5)).clip(0.01)
    return result


_SPARSE: Final = _Sparse()


def _distances(item: Profile, others: Sequence[Profile]) -> Floats:
    """Kilometres between the nearest of their cities; infinite when one names none. Flat-earth, good enough here."""
    result = np.full(len(others), np.inf)
    rows = [i for i, other in enumerate(others) if len(other.points)]
    if not len(item.points) or not rows:
        return result
    lengths = [len(others[i].points) for i in rows]
    theirs = np.concatenate([others[i].points for i in rows]).astype(np.float64)
    mine = item.points.astype(np.float64)
    north = theirs[:, None, 0] - mine[None, :, 0]
    east = np.abs(theirs[:, None, 1] - mine[None, :, 1])
    east = np.minimum(east, 360 - east) * np.cos(np.radians((theirs[:, None, 0] + mine[None, :, 0]) / 2))
    nearest = np.hypot(north, east).min(1) * DEGREE_KM
    result[rows] = np.minimum.reduceat(nearest, np.concatenate(([0], np.cumsum(lengths)[:-1])))
    return result


def pair_features(item: Profile, others: Sequence[Profile], stats: Statistics) -> Floats:
    """One row a pair, one column for each of FEATURES."""
    n = len(others)

    def column(values: Iterable[float]) -> Floats:
        return np.fromiter(values, dtype=np.float64, count=n)

    def overlap(own: Ids, theirs: Sequence[Ids], counts: NDArray[np.int32]) -> _Overlap:
        return _SPARSE.overlap(own, theirs, counts, stats.items)

    value: dict[str, Floats] = {"dense": dense(item, others, stats)}
    value["dense2"] = value["dense"] * np.abs(value["dense"])
    value["grams"] = overlap(item.gram_ids, [o.gram_ids for o in others], stats.grams).cosine
    value["title"] = overlap(item.title_ids, [o.title_ids for o in others], stats.grams).cosine
    for name, found in (
        ("names", overlap(item.name_ids, [o.name_ids for o in others], stats.names)),
        ("skeletons", overlap(item.skeleton_ids, [o.skeleton_ids for o in others], stats.skeletons)),
        ("places", overlap(item.place_ids, [o.place_ids for o in others], stats.places)),
        ("countries", overlap(item.country_ids, [o.country_ids for o in others], stats.countries)),
        ("reach", overlap(item.reach_ids, [o.reach_ids for o in others], stats.reach)),
        ("numbers", overlap(item.number_ids, [o.number_ids for o in others], stats.numbers)),
        ("dates", overlap(item.day_ids, [o.day_ids for o in others], stats.days)),
    ):
        value[name], value[f"{name}_in"] = found.cosine, found.inside
        value[f"{name}_sum"], value[f"{name}_clash"] = found.total, found.clash
    abroad = column(o.abroad for o in others) + item.abroad  # how many of the two name a country or city
    for name, count in (("clash_home", 0), ("clash_half", 1), ("clash_abroad", 2)):
        value[name] = value["countries_clash"] * (abroad == count)
    kilometres = _distances(item, others)
    value["near"] = np.exp(-kilometres / NEAR_KM)
    value["far"] = np.where(np.isfinite(kilometres), kilometres > FAR_KM, 0.0)
    days = np.abs(column(o.hours for o in others) - item.hours) / 24
    value["days"], value["days2"] = days, days**2
    value["brevity"] = 1 / np.sqrt(np.maximum(1.0, np.minimum(column(o.words for o in others), item.words)))
    same = column(o.language == item.language for o in others)
    outlet = column(o.outlet_id == item.outlet_id for o in others)
    value["same_language"], value["same_outlet"] = same, outlet
    value["same_country"] = column(o.country == item.country for o in others)
    value["country_countries"] = value["same_country"] * value["countries"]
    for name in ("dense", "grams", "title", "names", "skeletons"):
        value[f"same_{name}"] = same * value[name]
    # One outlet writes of few themes with few words, all day long: likeness within it means less.
    for name in ("dense", "grams", "title", "names"):
        value[f"outlet_{name}"] = outlet * value[name]
    value["outlet_clash"] = outlet * value["numbers_clash"]
    value["outlet_dates_clash"], value["outlet_days"] = outlet * value["dates_clash"], outlet * days
    return np.stack([value[name] for name in FEATURES], axis=1)


def dense(item: Profile, others: Sequence[Profile], stats: Statistics) -> Floats:
    """Cosine of the vectors, each less its language's mean; 0 where one has none."""
    result = np.zeros(len(others))
    if item.vector is None:
        return result
    dimensions = len(item.vector)
    rows, vectors = [], []
    for i, other in enumerate(others):
        if other.vector is not None and len(other.vector) == dimensions:
            rows.append(i)
            vectors.append(other.vector)
    if rows:
        mine = item.vector.astype(np.float32) - stats.mean(item.language, dimensions)
        theirs = np.stack(vectors).astype(np.float32)
        theirs -= np.stack([stats.mean(others[i].language, dimensions) for i in rows])
        norms = np.sqrt(np.einsum("ij,ij->i", theirs, theirs)) * np.sqrt(mine @ mine)
        result[rows] = (theirs @ mine) / np.maximum(norms, 1e-9)
    return result


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
        """The features that moved the pair's probability most, weightiest first, with their values."""
        row = pair_features(item, [other], stats)[0]
        moved = row * (self._full if _comparable(item, other) else self._lexical).weights
        order = sorted(range(len(FEATURES)), key=lambda i: -abs(moved[i]))[:REASONS]
        return {FEATURES[i]: round(float(row[i]), 2) for i in order if moved[i]}


def _comparable(item: Profile, other: Profile) -> bool:
    return item.vector is not None and other.vector is not None and len(item.vector) == len(other.vector)


class _Linear:
    def __init__(self, weights: dict[str, float]) -> None:
        self._bias = weights["bias"]
        self.weights = np.array([weights.get(name, 0.0) for name in FEATURES])

    def __call__(self, table: Floats) -> Floats:
        result: Floats = 1 / (1 + np.exp(-(table @ self.weights + self._bias)))
        return result
