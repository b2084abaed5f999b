"""How good a clustering is, measured against labels: B-cubed, pairs, pairs across languages; whole, and by language.

All measures are micro-averages over the items (or pairs of items) given. B-cubed: Bagga & Baldwin 1998; Amigó et al. 2009.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = [
    "Score",
    "Scores",
    "adjusted_rand",
    "bcubed",
    "cross_lingual",
    "pairwise",
    "score",
]

Labels = Sequence[Hashable]


@dataclass(frozen=True, slots=True)
class Score:
    """Precision, recall and their harmonic mean, each 0-1. 0 where there is nothing to be right about."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of the two."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


@dataclass(frozen=True, slots=True)
class Scores:
    """A clustering measured whole (`bcubed`, `pairs`), across languages, within each language and for each two of them.

    Keys of `by_language` are language tags: B-cubed over that language's items alone. Keys of `by_language_pair` are two
    tags in alphabetical order: pairs with one item in each.
    """

    items: int
    gold_clusters: int
    stories: int
    bcubed: Score
    pairs: Score
    cross_lingual: Score
    by_language: Mapping[str, Score] = field(default_factory=dict)
    by_language_pair: Mapping[tuple[str, str], Score] = field(default_factory=dict)


def _two(n: int) -> int:
    return n * (n - 1) // 2


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def bcubed(gold: Labels, predicted: Labels) -> Score:
    """For each item, the share of its story that is of its event (precision) and the reverse (recall), averaged.

    `gold` and `predicted` hold one label an item, in the same order.
    """
    of_gold, of_story = Counter(gold), Counter(predicted)
    both = Counter(zip(gold, predicted, strict=True))
    n = len(gold)
    return Score(
        _ratio(sum(c * c / of_story[p] for (_, p), c in both.items()), n),
        _ratio(sum(c * c / of_gold[g] for (g, _), c in both.items()), n),
    )


def pairwise(gold: Labels, predicted: Labels) -> Score:
    """Over all pairs of items: those put together that belong together."""
    right = sum(_two(c) for c in Counter(zip(gold, predicted, strict=True)).values())
    return Score(
        _ratio(right, sum(_two(c) for c in Counter(predicted).values())),
        _ratio(right, sum(_two(c) for c in Counter(gold).values())),
    )


def adjusted_rand(one: Labels, other: Labels) -> float:
    """How far two clusterings agree: 1 the same, 0 as chance would have it (Hubert & Arabie 1985)."""
    both = sum(_two(c) for c in Counter(zip(one, other, strict=True)).values())
    a = sum(_two(c) for c in Counter(one).values())
    b = sum(_two(c) for c in Counter(other).values())
    expected = _ratio(a * b, _two(len(one)))
    most = (a + b) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def _pairs_of_languages(labels: Labels, languages: Sequence[str]) -> dict[tuple[str, str], int]:
    """{(language, language): pairs of items with one in each and the same label}."""
    groups: dict[Hashable, Counter[str]] = defaultdict(Counter)
    for label, language in zip(labels, languages, strict=True):
        groups[label][language] += 1
    found: dict[tuple[str, str], int] = defaultdict(int)
    for counts in groups.values():
        tags = sorted(counts)
        for i, a in enumerate(tags):
            for b in tags[i + 1 :]:
                found[a, b] += counts[a] * counts[b]
    return found


def cross_lingual(
    gold: Labels, predicted: Labels, languages: Sequence[str]
) -> tuple[Score, dict[tuple[str, str], Score]]:
    """Over pairs of items in different languages: of all of them together, and of each two languages apart."""
    right = _pairs_of_languages(list(zip(gold, predicted, strict=True)), languages)
    told, true = _pairs_of_languages(predicted, languages), _pairs_of_languages(gold, languages)
    each = {
        pair: Score(_ratio(right.get(pair, 0), told.get(pair, 0)), _ratio(right.get(pair, 0), true.get(pair, 0)))
        for pair in sorted({*told, *true})
    }
    whole = sum(right.values())
    return Score(_ratio(whole, sum(told.values())), _ratio(whole, sum(true.values()))), each


def score(gold: Labels, predicted: Labels, languages: Sequence[str]) -> Scores:
    """All measures at once; the three sequences hold one entry an item, in the same order."""
    across, by_pair = cross_lingual(gold, predicted, languages)
    rows: dict[str, list[int]] = defaultdict(list)
    for row, language in enumerate(languages):
        rows[language].append(row)
    return Scores(
        items=len(gold),
        gold_clusters=len(set(gold)),
        stories=len(set(predicted)),
        bcubed=bcubed(gold, predicted),
        pairs=pairwise(gold, predicted),
        cross_lingual=across,
        by_language={
            language: bcubed([gold[i] for i in of], [predicted[i] for i in of]) for language, of in sorted(rows.items())
        },
        by_language_pair=by_pair,
    )
