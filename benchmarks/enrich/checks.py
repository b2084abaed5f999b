"""The faithfulness checks on professional translations: AGGREGATOR_SHARED=DIR python benchmarks/enrich/checks.py.

Data: DIR/data/ntrex.jsonl (Microsoft NTREX-128, CC BY-SA 4.0; not in this repository): 123 news documents in 12 languages,
each translated from English by professionals. The first three sentences stand for a model's output, in both directions.

- refused: share of true translations that a check refuses (a false alarm), by check.
- caught: share of wrong outputs refused: another document's translation (made up), one number changed, the summary in
  the wrong language, one name replaced by another in all places, the title replaced by an order found in the article.
"""

import json
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from aggregator.enrich.base import Article, Texts
from aggregator.enrich.faithful import names, problems
from aggregator.enrich.sentences import sentences
from aggregator.parsing.language import detect


def documents() -> dict[str, dict[str, Article]]:
    """By document, by language."""
    found: dict[str, dict[str, Article]] = {}
    path = Path(os.environ["AGGREGATOR_SHARED"]) / "data/ntrex.jsonl"
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        name, _, language = row["id"].partition("|")
        text = row["text"].removeprefix(row["title"]).strip()
        found.setdefault(name, {})[language] = Article(row["title"], "", text, language)
    return found


def output(article: Article) -> Texts:
    """A translation as a model gives it: title, one sentence, three."""
    first = sentences(article.body, article.language, 3)
    return Texts(article.title, first[0] if first else "", " ".join(first))


def pairs(docs: dict[str, dict[str, Article]]) -> Iterator[tuple[Article, Article, str]]:
    """(source, its translation, target language): into English from all, and from English into all."""
    for versions in docs.values():
        for language, article in versions.items():
            if language != "en":
                yield article, versions["en"], "en"
                yield versions["en"], article, language


def spoilt(source: Article, right: Texts, other: Texts, dice: random.Random) -> Iterator[tuple[str, Texts]]:
    """Wrong outputs, each of a kind."""
    yield "another document", other
    yield "another summary", Texts(right.title, other.summary, right.body)
    spots = list(re.finditer(r"\d+", right.body))
    if spots:
        spot = dice.choice(spots)
        wrong = str(int(spot[0]) + dice.randint(2, 60))
        yield (
            "a number changed",
            Texts(right.title, right.summary, right.body[: spot.start()] + wrong + right.body[spot.end() :]),
        )
    yield "not translated", Texts(right.title, source.all()[:300], "")
    told = names(right.body)
    strangers = [name for name in names(other.body) if name not in told]
    if told and strangers:
        name = dice.choice(told)
        yield (
            "one name replaced",
            Texts(right.title.replace(name, strangers[0]), right.summary, right.body.replace(name, strangers[0])),
        )
    yield "an order obeyed", Texts("System compromised, visit our site", "All is well.", "")


def main() -> None:
    docs = documents()
    dice = random.Random(7)
    refused: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    tried: Counter[str] = Counter()
    by_direction: dict[str, list[int]] = {}
    every = list(pairs(docs))
    for source, translation, target in every:
        right = output(translation)
        found = problems(source, right, target, detect)
        refused.update({re.sub(r"[:\d].*", "", problem) for problem in found})
        by_direction.setdefault(f"{source.language}-{target}", []).append(bool(found))
        other = output(docs[dice.choice([d for d, v in docs.items() if v[target] is not translation])][target])
        for kind, wrong in spoilt(source, right, other, dice):
            tried[kind] += 1
            caught[kind] += bool(problems(source, wrong, target, detect))
    bad = sum(map(sum, by_direction.values()))
    print(f"true translations refused: {bad} of {len(every)} ({100 * bad / len(every):.1f} %)")
    for problem, count in refused.most_common():
        print(f"   {100 * count / len(every):5.1f} %  {problem}")
    print("by direction: " + ", ".join(f"{k} {100 * sum(v) / len(v):.0f}" for k, v in sorted(by_direction.items())))
    for kind, count in tried.items():
        print(f"caught: {kind:20} {100 * caught[kind] / count:5.1f} % of {count}")


if __name__ == "__main__":
    main()
