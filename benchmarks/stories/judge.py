"""What a judge of uncertain pairs is worth: the production path with a simulated one, that answers from the labels and errs.

    judge.py [--cache DIR] [--per-thousand N ...] [--wrong SHARE ...] [SET.jsonl ...]

Items come one by one; a repair pass every 15 minutes of the stream offers its questions, and so many for a thousand items are
answered, those worth most first. An answer is heard at the next pass. `--wrong` is the share of answers that are the opposite
of the labels, the same ones in every run. Prints B-cubed precision, recall and F1 and cross-lingual pair F1, for each set and their
mean, by the shipped weights: the sets stories_* have trained them, `unseen` has not. CACHE is that of train.py.
"""

import argparse
import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import train
from joining import scores, shown

from aggregator.config import Stories
from aggregator.models import StoryItem, Verdict
from aggregator.stories.clusterer import Clusterer
from aggregator.stories.evaluate import follow
from aggregator.stories.model import PairModel
from aggregator.stories.verdicts import Questions

WAITING = 200  # questions of one pass that are kept, as in the daemon
LAST_PASSES = 8  # at the end of the stream, while answers still come


class Oracle:
    """Answers from the labels; a share of the pairs is answered wrongly."""

    def __init__(self, gold: dict[int, str], wrong: float) -> None:
        self._gold, self._wrong = gold, wrong
        self.verdicts: list[Verdict] = []
        self.spread = {True: 0, False: 0}

    def ask(self, questions: Questions, most: int) -> int:
        """Answer up to so many; how many were answered."""
        chosen = questions.found().questions[: max(0, most)]
        for one in chosen:
            same = self._gold[one.item_id] == self._gold[one.other_id]
            dice = int(hashlib.sha256(f"{one.item_id} {one.other_id}".encode()).hexdigest()[:8], 16) / 2**32
            self.spread[same] += 1
            self.verdicts.append(
                Verdict(len(self.verdicts) + 1, one.item_id, one.other_id, same=same != (dice < self._wrong))
            )
        return len(chosen)


def as_stream(items: list[StoryItem], model: PairModel, oracle: Oracle, per_thousand: int) -> list[int]:
    """The stories of the production path with the oracle's help."""
    clusterer = Clusterer(Stories(), model=model)
    placed: dict[int, int] = {}
    due = items[0].at + timedelta(seconds=900)

    def look(now, seen: int, *, everything: bool = False) -> int:
        questions = Questions(WAITING if per_thousand else 0)
        follow(placed, clusterer.repair(now, everything=everything, verdicts=oracle.verdicts, questions=questions))
        return oracle.ask(questions, seen * per_thousand // 1000 - len(oracle.verdicts))

    for number, item in enumerate(items):
        if item.at >= due:
            look(item.at, number)
            due = item.at + timedelta(seconds=900)
        placed[item.item_id] = clusterer.add(item).story_id
    for _ in range(LAST_PASSES):
        if not look(items[-1].at, len(items), everything=True):
            break
    follow(placed, clusterer.repair(items[-1].at, verdicts=oracle.verdicts))
    return [placed[item.item_id] for item in items]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", type=Path)
    parser.add_argument("--cache", type=Path, default=train.ROOT / "benchmarks" / ".work" / "vectors")
    parser.add_argument("--per-thousand", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--wrong", type=float, nargs="+", default=[0.0, 0.05, 0.1, 0.2])
    args = parser.parse_args()
    paths = args.sets or [train.DATA / "unseen.jsonl", *(train.DATA / f"stories_{name}.jsonl" for name in "cdef")]
    sets = []
    for path in paths:
        items, gold, _ = train.read_items(path, args.cache)
        sets.append((path.stem, [replace(item, item_id=n) for n, item in enumerate(items, 1)], gold))
    model = PairModel.load()
    cases = [(0, 0.0), *((asked, wrong) for asked in args.per_thousand for wrong in args.wrong)]
    for per_thousand, wrong in cases:
        told = []
        for name, items, gold in sets:
            oracle = Oracle({item.item_id: label for item, label in zip(items, gold, strict=True)}, wrong)
            found = scores(gold, as_stream(items, model, oracle, per_thousand), [item.language for item in items])
            told.append(found)
            asked = 1000 * len(oracle.verdicts) / len(items)
            print(
                f"{per_thousand:4} wrong {wrong:4.0%} {name:10}", shown(found),
                f"asked {asked:4.0f} a thousand, {oracle.spread[True]} of one event, {oracle.spread[False]} not", flush=True,
            )  # fmt: skip
        print(f"{per_thousand:4} wrong {wrong:4.0%} {'mean':10}", shown(np.mean(told, 0).tolist()), flush=True)


if __name__ == "__main__":
    main()
