"""A story from its items: the item that stands for each language, and what the outlets add to one another. Pure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import numpy as np

from aggregator.enrich.summary import candidates, one_sentence
from aggregator.enrich.words import cosine, joined, numbers, pieces, rarity
from aggregator.models import Vector

__all__ = ["Head", "Member", "Sentence", "digest", "heads", "medoid"]

_SAID: Final = 0.5  # likeness with what was said from which a sentence adds nothing
_OF_EACH: Final = 6  # sentences of an item that are looked at
_MEMBERS: Final = 60  # items of a story that are looked at
_SHORTEST, _LONGEST = 30, 320  # characters
_NEW_NUMBERS: Final = 0.06  # for each number not told yet, at most three


@dataclass(frozen=True, slots=True)
class Member:
    """An item of a story, in one language. `machine`: its texts here are a model's, not the outlet's."""

    item_id: int
    outlet_id: int
    language: str
    title: str
    summary: str
    body: str
    at: datetime
    reprint: bool = False
    machine: bool = False
    vector: Vector | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Head:
    """Title and one-sentence summary of a story in one language, taken from `item_id`."""

    item_id: int
    title: str
    summary: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a digest and the item it is taken from."""

    item_id: int
    text: str


def medoid(members: Sequence[Member]) -> Member | None:
    """The member that is most like the others, reprints left out where there is another; None for no members.

    By its vector where every one has one of the same length (cosine), else by its words. The earliest of equals.
    """
    own = sorted((m for m in members if not m.reprint), key=lambda m: (m.at, m.item_id)) or sorted(
        members, key=lambda m: (m.at, m.item_id)
    )
    own = own[:_MEMBERS]
    if len(own) < 3:  # noqa: PLR2004 - of two, each is as like the other
        return own[0] if own else None
    vectors = [m.vector for m in own if m.vector is not None]
    # After another model was configured, older items have vectors of the one before.
    if len(vectors) == len(own) and len({len(vector) for vector in vectors}) == 1:
        rows = np.stack(vectors)
        likeness = (rows @ rows.T).sum(axis=1)
    else:
        bags = [pieces(f"{m.title} {m.summary}") for m in own]
        weight = rarity(bags)
        likeness = np.array([sum(cosine(a, b, weight) for b in bags) for a in bags])
    return own[int(np.argmax(np.round(likeness, 4)))]


def heads(members: Sequence[Member], leads: Collection[int] = ()) -> dict[str, Head]:
    """For each language, title and one sentence of the item that stands for the story in it; its outlets' own words only.

    That is one of `leads` where the language has one, else the medoid.
    """
    found: dict[str, Head] = {}
    for language in dict.fromkeys(m.language for m in members if not m.machine):
        told = [m for m in members if m.language == language and not m.machine]
        chosen = next((m for m in told if m.item_id in leads), None) or medoid(told)
        if chosen is not None:
            sentence = one_sentence(chosen.title, chosen.summary, chosen.body, language)
            found[language] = Head(chosen.item_id, chosen.title, sentence.text if sentence else "")
    return found


def digest(members: Sequence[Member], head: Head | None, most: int = 4) -> list[Sentence]:
    """Sentences of different outlets that each add something to `head` and to those before it, the weightiest first.

    All `members` are of one language. Maximal marginal relevance (Carbonell & Goldstein 1998): likeness with all that is
    told, less likeness with what was taken already; new numbers count for a sentence. Reprints are left out.
    """
    own = sorted(
        (m for m in members if not m.reprint and (head is None or m.item_id != head.item_id)),
        key=lambda m: (m.at, m.item_id),
    )
    own = own[:_MEMBERS]
    bags = [pieces(f"{m.title} {m.summary}") for m in own]
    weight = rarity(bags) if len(bags) > 3 else None  # noqa: PLR2004 - fewer say nothing of rarity
    told = joined(bags)
    options = [
        (member, extract.text, pieces(extract.text))
        for member in own
        for extract in candidates(member.summary, member.body, member.language)[:_OF_EACH]
        if _SHORTEST <= len(extract.text) <= _LONGEST
        and one_sentence("", extract.text, "", member.language) is not None
    ]
    taken: list[Sentence] = []
    said = [pieces(f"{head.title} {head.summary}"), pieces(head.summary)] if head else []
    known = numbers(f"{head.title} {head.summary}") if head else set()
    outlets = {m.outlet_id for m in members if head and m.item_id == head.item_id}
    while len(taken) < most:
        best, score = None, 0.0
        for member, text, bag in options:
            if member.outlet_id in outlets:
                continue
            repeats = max((cosine(bag, other, weight) for other in said), default=0.0)
            if repeats >= _SAID:
                continue
            worth = cosine(bag, told, weight) - 0.5 * repeats + _NEW_NUMBERS * min(3, len(numbers(text) - known))
            if worth > score:
                best, score = (member, text, bag), worth
        if best is None:
            break
        member, text, bag = best
        taken.append(Sentence(member.item_id, text))
        outlets.add(member.outlet_id)
        said.append(bag)
        known |= numbers(text)
    return taken
