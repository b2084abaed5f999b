"""What a judge's verdicts do to stories, and what a repair pass finds worth asking."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest

from aggregator.config import Stories
from aggregator.models import Merge, Split, StoryItem, Verdict
from aggregator.stories.clusterer import Clusterer
from aggregator.stories.features import profile
from aggregator.stories.verdicts import DIFFERENT, SAME, Questions, Verdicts

from .conftest import START, follow, item, stream

LATER = START + timedelta(hours=2)
BRIDGE = (  # three outlets on one event; with words alone a pass is not sure of the second
    item(1, "Bridge closed in Pärnu after crack found", "Engineers found the crack on Monday."),
    item(2, "Pärnus suleti sild", "Insenerid leidsid prao.", language="et", country="EE", hours=0.1),
    item(3, "Crack found in Pärnu bridge, bridge closed", "Engineers say the crack was found on Monday.", hours=0.2),
)
ELSEWHERE = item(4, "Choir festival sells out in Cardiff", "All tickets went in an hour.", hours=0.3)


def grouped(*items):
    """A clusterer with these items, and where they are."""
    clusterer = Clusterer(Stories())
    placed = {one.item_id: clusterer.add(one).story_id for one in items}
    return clusterer, placed


def looked(clusterer, placed, *verdicts, everything=False):
    """One pass: its repairs, and what it was in doubt of."""
    questions = Questions(10)
    repairs = clusterer.repair(LATER, everything=everything, verdicts=verdicts, questions=questions)
    follow(placed, repairs)
    return repairs, questions.found()


def test_a_doubt_is_asked_about_and_an_answer_merges():
    """The pass that is not sure offers the pair; told that they are one event, the next one merges them, and has no doubt left."""
    clusterer, placed = grouped(*BRIDGE[:2])
    _, doubts = looked(clusterer, placed)
    assert placed[1] != placed[2]
    assert [(one.item_id, one.other_id) for one in doubts.questions] == [(1, 2)]
    assert doubts.seen == {1, 2}
    repairs, doubts = looked(clusterer, placed, Verdict(1, 1, 2, same=True))
    assert [type(one) for one in repairs] == [Merge]
    assert placed[1] == placed[2]
    assert doubts.questions == ()


def test_an_answer_splits():
    """Told that two items of one story are two events, the next pass parts them."""
    clusterer, placed = grouped(BRIDGE[0], BRIDGE[2])
    looked(clusterer, placed)
    assert placed[1] == placed[3]
    repairs, _ = looked(clusterer, placed, Verdict(1, 1, 3, same=False))
    assert [type(one) for one in repairs] == [Split]
    assert placed[1] != placed[3]


def test_an_answer_brings_together_what_nothing_else_does():
    """Two items that share nothing, and so are no candidates of each other, are merged all the same when a judge says so."""
    clusterer, placed = grouped(BRIDGE[0], ELSEWHERE)
    assert looked(clusterer, placed)[1].questions == ()
    looked(clusterer, placed, Verdict(1, 1, 4, same=True))
    assert placed[1] == placed[4]


def test_an_answer_holds_for_what_goes_with_the_item():
    """Told of one member of a story that another item is its event, the pass brings that item to all of them."""
    clusterer, placed = grouped(BRIDGE[0], BRIDGE[2], BRIDGE[1])
    looked(clusterer, placed)
    assert placed[1] == placed[3]
    looked(clusterer, placed, Verdict(1, 2, 3, same=True))
    assert placed[1] == placed[2] == placed[3]


def test_probabilities_with_a_verdict():
    """p(a, c) moves to the verdict on a and b as far as c goes with b; the pair itself takes the verdict; others stay."""
    together = np.array([[1, 0.2, 0.3, 0.5], [0.2, 1, 0.8, 0], [0.3, 0.8, 1, 0], [0.5, 0, 0, 1]])
    same = Verdicts([Verdict(1, 10, 11, same=True)]).heard(together, [10, 11, 12, 13])
    assert same[0, 1] == SAME
    assert same[0, 2] == same[2, 0] == pytest.approx(0.8 * SAME + 0.2 * 0.3)
    assert same[0, 3] == 0.5
    assert same[1, 3] == pytest.approx(0.5 * SAME)
    assert same[2, 3] == 0
    different = Verdicts([Verdict(1, 10, 11, same=True), Verdict(2, 10, 11, same=False)]).heard(
        together, [10, 11, 12, 13]
    )
    assert different[0, 1] == DIFFERENT  # the later one counts
    assert different[0, 2] == pytest.approx(0.8 * DIFFERENT + 0.2 * 0.3)
    assert (np.diag(different) == 1).all()
    assert Verdicts().heard(together, [10, 11, 12, 13]) is together


def test_a_verdict_counts_until_it_is_void():
    """Passes keep to a verdict that stands, with everything looked at again too; once it is void, the model's own view returns."""
    clusterer, placed = grouped(*BRIDGE[:2])
    looked(clusterer, placed, Verdict(1, 1, 2, same=True))
    assert placed[1] == placed[2]
    assert looked(clusterer, placed, Verdict(1, 1, 2, same=True), everything=True)[0] == []
    clusterer.revise(BRIDGE[1])  # the store made the verdict void when it took in the edit
    looked(clusterer, placed, everything=True)
    assert placed[1] != placed[2]


def test_a_verdict_on_an_item_that_is_past_is_no_matter():
    """Verdicts on items that are not live, or never were, change nothing."""
    clusterer, placed = grouped(*BRIDGE[:2])
    looked(clusterer, placed)
    assert looked(clusterer, placed, Verdict(7, 1, 99, same=True), Verdict(8, 98, 99, same=False))[0] == []


def test_questions_are_bounded_and_the_best_first():
    """Of a hundred items' doubts only so many are kept: those of the highest stake, in their order; 0 keeps none."""
    items, _ = stream("stories_c")

    def asked(most):
        clusterer, questions = Clusterer(Stories()), Questions(most)
        for one in items[:100]:
            clusterer.add(one)
        clusterer.repair(items[99].at, questions=questions)
        return questions.found()

    many, few = asked(1000).questions, asked(5).questions
    assert len(many) > 10
    assert many[:5] == few
    assert [one.stake for one in many] == sorted((one.stake for one in many), reverse=True)
    assert len({(one.item_id, one.other_id) for one in many}) == len(many)
    assert all(one.item_id < one.other_id for one in many)
    assert asked(0).questions == ()


def test_a_pair_of_two_outlets_is_asked_about():
    """The question is about the two that stand most in the middle of their groups and are of two outlets; then about the next ones."""
    members = [profile(item(n, f"Text {n}", outlet=outlet)) for n, outlet in enumerate((7, 8, 7, 9), 1)]
    together = np.array([[1, 0.9, 0.4, 0.4], [0.9, 1, 0.4, 0.4], [0.4, 0.4, 1, 0.9], [0.4, 0.4, 0.9, 1]])

    def asked(*verdicts):
        questions = Questions(5)
        questions.ask(together, members, [(-0.5, [0, 1], [2, 3])], Verdicts(verdicts))
        return [(one.item_id, one.other_id, one.stake) for one in questions.found().questions]

    assert asked() == [(1, 4, pytest.approx(0.755, abs=0.001))]
    known = Verdict(1, 1, 4, same=True), Verdict(2, 2, 3, same=True), Verdict(3, 2, 4, same=True)
    assert [pair[:2] for pair in asked(*known)] == [(1, 3)]
    assert asked(*known, Verdict(4, 1, 3, same=True)) == []


def test_a_reprint_is_never_asked_about():
    """What repeats another's text follows its original: the question is about the original."""
    clusterer, placed = grouped(*BRIDGE[:2])
    copy = item(9, BRIDGE[0].title, BRIDGE[0].summary, hours=0.3)
    assert clusterer.add(copy).reprint_of == 1
    placed[9] = placed[1]
    assert [(one.item_id, one.other_id) for one in looked(clusterer, placed)[1].questions] == [(1, 2)]


@dataclass
class Stored:
    """What a database keeps of an item, in the order of clustering."""

    item: StoryItem
    story_id: int
    reprint_of: int | None


def test_a_restart_at_any_point_changes_nothing():
    """With a judge that answers after every pass, repairs and doubts are equal to the last digit when the clusterer is rebuilt in between."""
    items, gold = stream("stories_b")
    items, label = items[:50], {one.item_id: gold[n] for n, one in enumerate(items[:50])}

    def play(restarts):
        clusterer, placed, rows, verdicts, log = Clusterer(Stories()), {}, [], [], []
        for number, one in enumerate(items):
            if restarts:
                state = clusterer.state()
                clusterer = Clusterer(Stories(), next_story_id=max(placed.values(), default=0) + 1)
                clusterer.restore([Stored(i, placed[i.item_id], reprint) for i, reprint in rows], state)
            found = clusterer.add(one)
            placed[one.item_id] = found.story_id
            rows.append((one, found.reprint_of))
            if number % 10 == 9:
                questions = Questions(4)
                repairs = clusterer.repair(one.at, everything=number % 40 == 39, verdicts=verdicts, questions=questions)
                follow(placed, repairs)
                log += [repairs, questions.found()]
                for asked in questions.found().questions:
                    same = label[asked.item_id] == label[asked.other_id]
                    verdicts.append(Verdict(len(verdicts) + 1, asked.item_id, asked.other_id, same))
        return log, placed, verdicts

    through = play(restarts=False)
    assert len(through[2]) > 5
    assert play(restarts=True) == through
