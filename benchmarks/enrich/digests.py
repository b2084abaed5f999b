"""What a story's digest tells, against first sentences: python benchmarks/enrich/digests.py.

Data: the labelled streams in tests/eval/data: stories of three outlets or more in one language, reprints left out. Both
get the same head and as many sentences, each of another outlet; the baseline takes first sentences in order of time.

- told: share of what the story's items say (distinct pieces of words, weighted by rarity within the language) that head
  and sentences hold. - numbers: the same of its numbers. - repeats: greatest likeness of a sentence with one before it.
"""

import json
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path

from aggregator.enrich.digest import Head, Member, Sentence, digest, heads
from aggregator.enrich.sentences import sentences
from aggregator.enrich.words import cosine, joined, numbers, pieces, rarity

ROOT = Path(__file__).resolve().parents[2]


def stories() -> dict[tuple[str, str], list[Member]]:
    found: dict[tuple[str, str], list[Member]] = defaultdict(list)
    outlets: dict[str, int] = {}
    number = 0
    for name in "abcd":
        for line in (ROOT / f"tests/eval/data/stories_{name}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            number += 1
            outlet = outlets.setdefault(row["outlet"], len(outlets))
            at = datetime.fromisoformat(row["published"])
            found[row["cluster"], row["lang"]].append(
                Member(
                    number, outlet, row["lang"], row["title"], row["summary"], "", at, reprint=bool(row["reprint_of"])
                )
            )
    return {k: v for k, v in found.items() if len({m.outlet_id for m in v if not m.reprint}) >= 3}


def first_sentences(members: list[Member], head: Head, most: int) -> list[Sentence]:
    taken: list[Sentence] = []
    outlets = {m.outlet_id for m in members if m.item_id == head.item_id}
    for member in sorted((m for m in members if not m.reprint), key=lambda m: m.at):
        own = sentences(member.summary, member.language, 1)
        if own and member.outlet_id not in outlets and len(taken) < most:
            outlets.add(member.outlet_id)
            taken.append(Sentence(member.item_id, own[0]))
    return taken


def main() -> None:
    every = stories()
    languages: dict[str, list[Member]] = defaultdict(list)
    for (_, language), members in every.items():
        languages[language] += members
    weights = {lang: rarity([pieces(f"{m.title} {m.summary}") for m in ms]) for lang, ms in languages.items()}
    sums = {"digest": [0.0, 0.0, 0.0], "first sentences": [0.0, 0.0, 0.0]}
    count = with_numbers = 0
    spent = 0.0
    for (_, language), members in every.items():
        began = time.perf_counter()
        head = heads(members)[language]
        ours = digest(members, head)
        spent += time.perf_counter() - began
        if not ours:
            continue
        count += 1
        weight = weights[language]
        said = joined(pieces(f"{m.title} {m.summary}") for m in members)
        all_numbers = set().union(*(numbers(f"{m.title} {m.summary}") for m in members))
        with_numbers += bool(all_numbers)
        for name, chosen in (("digest", ours), ("first sentences", first_sentences(members, head, len(ours)))):
            text = " ".join([head.title, head.summary, *(s.text for s in chosen)])
            told = pieces(text)
            sums[name][0] += sum(weight[p] for p in said if p in told) / sum(weight[p] for p in said)
            sums[name][1] += len(numbers(text) & all_numbers) / len(all_numbers) if all_numbers else 0.0
            bags = [pieces(head.summary), *(pieces(s.text) for s in chosen)]
            sums[name][2] += (
                max(cosine(bags[j], bags[i]) for j in range(len(bags)) for i in range(j)) if len(bags) > 1 else 0.0
            )
    print(f"{count} stories of three outlets or more in one language; {1000 * spent / len(every):.1f} ms a story")
    for name, (told, digits, repeats) in sums.items():
        print(
            f"{name:16} told {100 * told / count:.1f} %  numbers {100 * digits / with_numbers:.1f} %  repeats {repeats / count:.2f}"
        )


if __name__ == "__main__":
    main()
