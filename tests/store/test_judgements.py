"""What a judge is to be asked and what it said, in the file."""

from datetime import timedelta

import pytest

from aggregator.config import Retention
from aggregator.models import Doubts, Question, Verdict
from aggregator.store.judgements import Judgement
from aggregator.store.maintenance import maintain
from aggregator.store.reader import open_reader

from .conftest import NOW, SPECS, make_item

DIENA, PAEV, DAILY = (spec.url for spec in SPECS[:3])
LONG = "Engineers who looked at the bridge over the river on Monday found a crack in it, the city said."


@pytest.fixture
def told(desk):
    """Three items of three outlets, each in a story of its own."""
    desk.poll(DIENA, make_item(1, "Tilts slēgts", language="lv"))
    desk.poll(PAEV, make_item(2, "Sild suletud", language="et"))
    desk.poll(DAILY, make_item(3, "Bridge closed", summary=LONG))
    desk.group((1,), (2,), (3,))
    return desk


def doubt(writer, *questions, seen=()):
    """What a pass is in doubt of: (item, other, stake)."""
    asked = tuple(Question(*one) for one in questions)
    everything = frozenset(seen) | {n for one in questions for n in one[:2]}
    writer.apply_repairs((), doubts=Doubts(asked, everything), now=NOW)


def waiting(writer, after=timedelta(0), **given):
    """The pairs to be asked about next."""
    return [(p.item.item_id, p.other.item_id) for p in writer.pairs_in_doubt(10, now=NOW + after, **given)]


def said(writer, same, after=timedelta(0), **given):
    """Answer the pair that is next."""
    (pair,) = writer.pairs_in_doubt(1, now=NOW + after)
    answer = Judgement("h1", "h2", same, "tiny-1", **given)
    writer.save_judgement(pair, answer, now=NOW + after)
    return pair


def test_the_pairs_worth_most_come_first_and_leave_when_answered(told):
    """Pairs wait in the order of their stake, with the texts that the clusterer sees; an answer takes one out."""
    doubt(told.writer, (1, 2, 0.2), (1, 3, 0.9))
    assert waiting(told.writer) == [(1, 3), (1, 2)]
    assert waiting(told.writer, busy={(1, 3)}) == [(1, 2)]
    pair = said(told.writer, same=True)
    assert (pair.item.title, pair.other.title, pair.other.country) == ("Tilts slēgts", "Bridge closed", "GB")
    assert waiting(told.writer) == [(1, 2)]
    assert told.writer.verdicts(NOW) == [Verdict(1, 1, 3, same=True)]
    assert told.writer.verdicts(NOW + timedelta(seconds=1)) == []


def test_a_later_pass_replaces_the_doubts_of_what_it_has_seen(told):
    """What a pass has looked at and does not doubt any more is not asked; what it has not looked at stays, for a day."""
    doubt(told.writer, (1, 2, 0.2), (1, 3, 0.9))
    doubt(told.writer, (1, 2, 0.5), seen=(1, 2))
    assert waiting(told.writer) == [(1, 3), (1, 2)]
    doubt(told.writer, seen=(1, 2, 3))
    assert waiting(told.writer) == []
    doubt(told.writer, (2, 3, 0.5))
    assert waiting(told.writer, timedelta(hours=23)) == [(2, 3)]
    assert waiting(told.writer, timedelta(hours=25)) == []
    told.writer.forget_doubts(now=NOW + timedelta(hours=25))
    assert told.writer.value("SELECT count(*) FROM to_judge") == 0


def test_a_failure_waits_and_is_remembered(told):
    """A call that failed is repeated when its time comes, also when a pass doubts the pair again meanwhile; it counts for the budget."""
    doubt(told.writer, (1, 2, 0.5))
    said(told.writer, None, detail="HTTP 500", retry_at=NOW + timedelta(minutes=5), tokens_in=7, cost_microusd=3)
    doubt(told.writer, (1, 2, 0.6))
    doubt(told.writer, seen=(1, 2))
    assert waiting(told.writer, timedelta(minutes=4)) == []
    (pair,) = told.writer.pairs_in_doubt(5, now=NOW + timedelta(minutes=5))
    assert pair.attempts == 1
    assert told.writer.verdicts(NOW) == []
    spent = told.writer.judging_spent(NOW)
    assert (spent.calls, spent.tokens, spent.cost_microusd) == (1, 7, 3)


def test_the_same_texts_are_known_in_either_order(told):
    """What was said of two texts is found by their hashes, whichever comes first; an answer used again costs no call."""
    doubt(told.writer, (1, 2, 0.5), (1, 3, 0.4))
    said(told.writer, same=False)
    assert told.writer.said_before("h1", "h2") == told.writer.said_before("h2", "h1") == (False, "tiny-1")
    assert told.writer.said_before("h1", "h3") is None
    said(told.writer, same=False, known=True)
    assert told.writer.judging_spent(NOW).calls == 1
    assert len(told.writer.verdicts(NOW)) == 2


@pytest.mark.parametrize("changed", ["title", "summary"])
def test_an_edit_makes_a_verdict_void(told, changed):
    """A new title or summary of one of the two takes the verdict back; the verdicts of other items stay."""
    doubt(told.writer, (1, 3, 0.5), (1, 2, 0.4))
    said(told.writer, same=True)
    said(told.writer, same=False)
    new = {"title": "Bridge open again", "summary": f"{LONG} It is open again."}
    texts = {"title": "Bridge closed", "summary": LONG, changed: new[changed]}
    told.edit(DAILY, 3, make_item(3, content_hash="other", **texts), changed)
    assert told.writer.verdicts(NOW) == [Verdict(2, 1, 2, same=False)]
    with open_reader(told.writer.path) as reader:
        assert [one["item_id"] for one in reader.why(1)["judged"]] == [2]


def test_an_answer_on_a_text_that_changed_meanwhile_is_void(told):
    """An item that is edited while the judge thinks: the answer is logged with its cost, and does not count."""
    doubt(told.writer, (1, 3, 0.5))
    (pair,) = told.writer.pairs_in_doubt(1, now=NOW)
    told.edit(DAILY, 3, make_item(3, "Bridge open again", summary=LONG, content_hash="other"), "title")
    told.writer.save_judgement(pair, Judgement("h1", "h2", True, "tiny-1", cost_microusd=5), now=NOW)
    assert told.writer.verdicts(NOW) == []
    assert told.writer.judging_spent(NOW).cost_microusd == 5


def test_emptied_items_are_not_asked_about(told):
    """What retention emptied is in no question, and stands in nobody's way."""
    doubt(told.writer, (1, 3, 0.9), (1, 2, 0.5))
    with told.writer.transaction() as db:
        db.execute("UPDATE items SET pruned_at = '2026-02-25T07:00:00Z', title = '', summary = '' WHERE item_id = 3")
    assert [(p.item.item_id, p.other.item_id) for p in told.writer.pairs_in_doubt(1, now=NOW)] == [(1, 2)]


def test_verdicts_are_kept_for_forty_days(told):
    """Retention cuts the log, but not while a repair pass may go by it."""
    doubt(told.writer, (1, 3, 0.9))
    said(told.writer, same=True)
    retention = Retention(polls_days=1)
    maintain(told.writer, retention, now=NOW + timedelta(days=39))
    assert len(told.writer.verdicts(NOW)) == 1
    maintain(told.writer, retention, now=NOW + timedelta(days=41))
    assert told.writer.verdicts(NOW) == []
    doubt(told.writer, (1, 3, 0.9))
    said(told.writer, same=True)
    assert told.writer.verdicts(NOW)[0].verdict_id == 2  # a pass hears of what is above the last number it knows
