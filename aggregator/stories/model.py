"""Do two items tell the same event? A logistic regression over readable features; weights in `weights.json`."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aggregator.stories.features import BUCKETS, KINDS, Profile, unpack_vectors
from aggregator.stories.statistics import Statistics
from aggregator.stories.support import supported

__all__ = ["EXPLAINED", "FEATURES", "PairModel", "explained", "pair_features"]

Floats = NDArray[np.float64]
FEATURES: Final = (
    "dense", "dense2", "grams", "title", "names", "names_in", "names_sum", "names_clash", "skeletons", "skeletons_in",
    "skeletons_sum", "places", "places_in", "places_sum", "countries", "countries_sum", "clash_abroad", "clash_half",
    "clash_home", "reach", "reach_clash", "near", "far", "numbers", "numbers_in", "numbers_sum", "numbers_clash", "dates",
    "dates_clash", "days", "days2", "brevity", "same_language", "same_outlet", "same_country", "same_dense", "same_grams",
    "same_title", "same_names", "same_skeletons", "outlet_grams", "outlet_clash", "outlet_dates_clash", "outlet_days",
    "outlet_dense", "outlet_title", "outlet_names", "country_countries", "regions", "regions_in", "regions_sum",
    "regions_clash",
)  # fmt: skip
# What the features of each of KINDS are called.
_NAMES: Final = ("grams", "title", "names", "skeletons", "places", "countries", "reach", "numbers", "dates", "regions")
# What `explain` shows: likenesses from 0 to 1, then what clashes (1), then circumstances.
EXPLAINED: Final = (
    "dense", "grams", "title", "names", "skeletons", "places", "regions", "near", "countries", "numbers", "dates",
    "numbers_clash", "dates_clash", "reach_clash", "regions_clash", "far", "days", "same_outlet",
)  # fmt: skip
NEAR_KM: Final = 40.0
FAR_KM: Final = 250.0
DEGREE_KM: Final = 111.2
POINT_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class _Overlap:
    """What one item's ids share with those of others, weighted by inverse document frequency (idf): rows of others.

    A column for each of KINDS. `cosine` of the idf vectors; `inside`, the squared idf shared over the lesser of the two
    sums; `total`, the idf shared in units of that of an id that only the two have; `clash`, both have ids and share none.
    """

    cosine: Floats
    inside: Floats
    total: Floats
    clash: Floats


class _Overlaps:
    """Computes the overlaps of one item with many at once, all kinds in one pass."""

    def __init__(self) -> None:
        self._mine = np.zeros(len(KINDS) * BUCKETS, dtype=np.bool_)
        self._logs = np.log(np.arange(1024) + 0.5)

    def __call__(self, item: Profile, others: Sequence[Profile], stats: Statistics) -> _Overlap:
        shape = (len(others), len(KINDS))
        joined = np.frombuffer(b"".join([other.packed_ids for other in others]), dtype=np.uint32).astype(np.intp)
        packed = np.frombuffer(b"".join([other.packed_bounds for other in others]), dtype=np.uint16)
        bounds = packed.reshape(len(others), -1).astype(np.int64)
        lengths = (bounds[:, 1:] - bounds[:, :-1]).ravel()
        some = lengths > 0
        starts = (np.cumsum(lengths) - lengths)[some]
        own = np.zeros(len(KINDS))
        ids, mine = item.ids, item.bounds
        has = mine[1:] > mine[:-1]
        if len(ids):
            own[has] = np.add.reduceat(self._idf(ids, stats) ** 2, mine[:-1][has])
        self._mine[ids] = True
        idf = self._idf(joined, stats)
        common = idf * self._mine[joined]
        self._mine[ids] = False
        shared, theirs, total = np.zeros(len(lengths)), np.zeros(len(lengths)), np.zeros(len(lengths))
        if some.any():
            shared[some] = np.add.reduceat(common * common, starts)
            theirs[some] = np.add.reduceat(idf * idf, starts)
            total[some] = np.add.reduceat(common, starts) / np.log((stats.items + 1.0) / 2.5 + 1.0)
        shared, theirs = shared.reshape(shape), theirs.reshape(shape)
        both = (theirs > 0) & (own > 0)
        cosine = np.divide(shared, np.sqrt(theirs * own), out=np.zeros(shape), where=both)
        inside = np.divide(shared, np.minimum(theirs, own), out=np.zeros(shape), where=both)
        return _Overlap(cosine, inside, total.reshape(shape), (both & (shared <= 0)).astype(np.float64))

    def _idf(self, ids: NDArray[np.integer], stats: Statistics) -> Floats:
        """log((items + 1) / (count + 0.5)), at least .01."""
        if stats.items >= len(self._logs):
            self._logs = np.log(np.arange(2 * stats.items) + 0.5)
        result: Floats = self._logs[stats.counts[ids]]
        np.subtract(math.log(stats.items + 1.0), result, out=result)
        return np.maximum(result, 0.01, out=result)


_OVERLAPS: Final = _Overlaps()


def _distances(item: Profile, others: Sequence[Profile]) -> Floats:
    """Kilometres between the nearest of their cities; infinite when one names none. Flat-earth, good enough here."""
    result = np.full(len(others), np.inf)
    rows = [i for i, other in enumerate(others) if other.packed_points]
    if not item.packed_points or not rows:
        return result
    lengths = [len(others[i].packed_points) // POINT_BYTES for i in rows]
    joined = b"".join([others[i].packed_points for i in rows])
    theirs = np.frombuffer(joined, dtype=np.float32).reshape(-1, 2).astype(np.float64)
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
    found = _OVERLAPS(item, others, stats)
    value: dict[str, Floats] = {"dense": dense(item, others, stats)}
    value["dense2"] = value["dense"] * np.abs(value["dense"])
    for kind, name in enumerate(_NAMES):
        value[name], value[f"{name}_in"] = found.cosine[:, kind], found.inside[:, kind]
        value[f"{name}_sum"], value[f"{name}_clash"] = found.total[:, kind], found.clash[:, kind]
    plain = np.array(
        [
            (
                o.hours,
                o.words,
                o.abroad,
                o.language == item.language,
                o.outlet_id == item.outlet_id,
                o.country == item.country,
            )
            for o in others
        ],
        dtype=np.float64,
    ).reshape(n, 6)
    hours, words, named, same, outlet, country = plain.T
    abroad = named + item.abroad  # how many of the two name a country or city
    for name, count in (("clash_home", 0), ("clash_half", 1), ("clash_abroad", 2)):
        value[name] = value["countries_clash"] * (abroad == count)
    kilometres = _distances(item, others)
    value["near"] = np.exp(-kilometres / NEAR_KM)
    value["far"] = np.where(np.isfinite(kilometres), kilometres > FAR_KM, 0.0)
    days = np.abs(hours - item.hours) / 24
    value["days"], value["days2"] = days, days**2
    value["brevity"] = 1 / np.sqrt(np.maximum(1.0, np.minimum(words, item.words)))
    value["same_language"], value["same_outlet"], value["same_country"] = same, outlet, country
    value["country_countries"] = country * value["countries"]
    for name in ("dense", "grams", "title", "names", "skeletons"):
        value[f"same_{name}"] = same * value[name]
    # One outlet writes of few themes with few words, all day long: likeness within it means less.
    for name in ("dense", "grams", "title", "names"):
        value[f"outlet_{name}"] = outlet * value[name]
    value["outlet_clash"] = outlet * value["numbers_clash"]
    value["outlet_dates_clash"], value["outlet_days"] = outlet * value["dates_clash"], outlet * days
    table = np.empty((n, len(FEATURES)))
    for column, name in enumerate(FEATURES):
        table[:, column] = value[name]
    return table


def dense(item: Profile, others: Sequence[Profile], stats: Statistics) -> Floats:
    """Cosine of the vectors, each less its language's mean; 0 where one has none."""
    result = np.zeros(len(others))
    packed = item.packed_vector
    if packed is None:
        return result
    rows = [i for i, other in enumerate(others) if other.packed_vector and len(other.packed_vector) == len(packed)]
    if rows:
        vectors = unpack_vectors([packed, *[others[i].packed_vector or b"" for i in rows]])
        vectors -= stats.means([item.language, *[others[i].language for i in rows]], vectors.shape[1])
        mine, theirs = vectors[0], vectors[1:]
        norms = np.sqrt(np.einsum("ij,ij->i", theirs, theirs)) * np.sqrt(mine @ mine)
        result[rows] = (theirs @ mine) / np.maximum(norms, 1e-9)
    return result


class PairModel:
    """Weights for pairs with vectors, and others for pairs of which one has none."""

    def __init__(self, weights: dict[str, Any]) -> None:
        self._full = _Linear(weights["full"])
        self._lexical = _Linear(weights["lexical"])
        self._support: dict[str, float] = weights["support"]

    @classmethod
    def load(cls) -> "PairModel":
        """The shipped weights."""
        return cls(json.loads(files("aggregator.stories").joinpath("weights.json").read_text(encoding="utf-8")))

    def probabilities(self, item: Profile, others: Sequence[Profile], stats: Statistics) -> Floats:
        """For each of `others`, the probability that it tells the same event as `item`; symmetric."""
        return self.judged(item, others, stats)[0]

    def judged(self, item: Profile, others: Sequence[Profile], stats: Statistics) -> tuple[Floats, Floats]:
        """`probabilities`, and the features that they come from: a row for each of `others`, a column for each of FEATURES."""
        if not others:
            return np.zeros(0), np.zeros((0, len(FEATURES)))
        table = pair_features(item, others, stats)
        dense = np.array([_comparable(item, other) for other in others])
        return np.where(dense, self._full(table), self._lexical(table)), table

    def supported(self, together: Floats) -> Floats:
        """The probabilities `together` of a group's pairs once third items have been heard, see support.py."""
        return supported(together, self._support)


def explained(row: Floats) -> dict[str, float | int | str]:
    """Values of the features that a person can read (EXPLAINED), those that are not zero, rounded; from a row of features."""
    values = dict(zip(FEATURES, row.tolist(), strict=True))
    return {name: round(values[name], 2) for name in EXPLAINED if round(values[name], 2)}


def _comparable(item: Profile, other: Profile) -> bool:
    one, two = item.packed_vector, other.packed_vector
    return one is not None and two is not None and len(one) == len(two)


class _Linear:
    def __init__(self, weights: dict[str, float]) -> None:
        self._bias = weights["bias"]
        self._weights = np.array([weights.get(name, 0.0) for name in FEATURES])

    def __call__(self, table: Floats) -> Floats:
        result: Floats = 1 / (1 + np.exp(-np.clip(table @ self._weights + self._bias, -30, 30)))
        return result
