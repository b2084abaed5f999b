"""Templates are known by what moves inside the frame of their titles; follow-ups of one event are not taken for them."""

from datetime import timedelta

import pytest

from aggregator.config import Stories
from aggregator.stories.clusterer import Clusterer
from aggregator.stories.frames import Frames, frame_of, same_frame

from .conftest import START, follow, item


def _known(titles, language="en", *, every=24.0, outlet=1):
    """Whether each of `titles`, printed `every` so many hours, is a template's once all are live."""
    frames = Frames()
    packed = [frame_of(title, language, outlet) for title in titles]
    for number, frame in enumerate(packed):
        frames.add(number, number * every, frame)
    return [frames.is_template(frame) for frame in packed]


@pytest.mark.parametrize(
    ("language", "titles"),
    [
        ("en", ["Stars for 8 December", "Stars for 9 December"]),
        ("en", ["Court list for Monday", "Court list for Tuesday"]),
        ("uk", ["Курс долара у середу", "Курс долара у четвер"]),
        ("pl", ["Imieniny 31 stycznia: kto świętuje?", "Imieniny 1 lutego: kto świętuje?"]),
        ("ja", ["12月7日の運勢と占い", "12月8日の運勢と占い"]),
        ("ko", ["월요일 오늘의 날씨 1도", "화요일 오늘의 날씨 7도"]),
        ("vi", ["Kết quả xổ số Thứ Hai", "Kết quả xổ số Thứ Ba"]),
        ("fa", ["نرخ طلا در بازار تهران ۱۷ آذر", "نرخ طلا در بازار تهران ۱۸ آذر", "نرخ طلا در بازار تهران ۱۹ آذر"]),
        ("en", ["War diary, day 101: snow falls", "War diary, day 102: guns and mud", "War diary, day 103: a lull"]),
        (
            "de",
            ["Dax schließt bei 23.800 Punkten", "Dax schließt bei 24.100 Punkten", "Dax schließt bei 23.950 Punkten"],
        ),
    ],
)
def test_a_title_whose_date_moves_on_or_whose_rate_goes_up_and_down_is_a_templates(language, titles):
    """Dates in words, figures and calendars that are in no table, weekdays inflected or of two words, counted days, rates."""
    assert all(_known(titles, language))


@pytest.mark.parametrize(
    ("titles", "every"),
    [
        (["Idukki landslide: toll rises to 9", "Idukki landslide: toll rises to 17", "Idukki landslide: toll rises to 23"], 24),
        (["Storm Ottilie: 90 homes dark", "Storm Ottilie: 40 homes dark", "Storm Ottilie: 12 homes dark"], 24),
        (["Ferry fire: 2 dead, 5 hurt", "Ferry fire: 3 dead, 5 hurt", "Ferry fire: 3 dead, 4 hurt"], 24),
        (["Airport: 12 flights late", "Airport: 21 flights late", "Airport: 4 flights late"], 5),
        (["Vote set for 14 February", "Vote set for 14 February"], 24),
        (["Toll of the fire: 9", "Toll of the fire: ten"], 24),
        (["Live: 8 December", "Live: 9 December"], 24),
        (["Ferry sinks off Sunda", "Ferry sinks off Sunda"], 24),
    ],
)  # fmt: skip
def test_follow_ups_are_no_template(titles, every):
    """Tolls that only grow or only fall, figures of one day, a date that stays, one step by chance, a rubric, no figure at all."""
    assert not any(_known(titles, every=every))


def test_a_part_of_a_title_takes_three_days():
    """Where the rest of the title changes, two days may be chance; three are a template, its first issues included."""
    titles = ["Horoscope 8 December: Leo", "Horoscope 9 December: Virgo", "Horoscope 10 December: Aries"]
    assert _known(titles[:2]) == [False, False]
    assert _known(titles) == [True] * 3


def test_a_frame_belongs_to_one_outlet():
    """The same titles in two outlets are two frames; in one, they are one as long as they name no other day."""
    one, other = (frame_of("Monday court list: 9 are due", "en", outlet) for outlet in (1, 2))
    assert not same_frame(one, other)
    assert same_frame(one, frame_of("Monday court list: twelve are due", "en", 1))
    assert not same_frame(one, frame_of("Friday court list: 9 are due", "en", 1))
    assert not same_frame(frame_of("Nothing counted", "en", 1), frame_of("Not here either", "en", 1))


def test_what_left_is_forgotten():
    """With the earlier issues gone a frame is no template, as if they had never come."""
    frames = Frames()
    packed = [frame_of(f"Stars for {day} December", "en", 1) for day in (8, 9)]
    assert frames.add(1, 0.0, packed[0]) == []
    assert frames.add(2, 24.0, packed[1]) == [1, 2]
    frames.remove(1, 0.0, packed[0])
    assert not frames.is_template(packed[1])
    frames.remove(2, 24.0, packed[1])
    assert vars(frames) == vars(Frames())


TEMPLATE = [
    item(n, f"What the stars say on {7 + n} December", "Love, work and money.", outlet=1, hours=24.0 * n)
    for n in range(1, 5)
]
OTHERS = [
    item(10 + n, f"The stars on {7 + n} December: love and work", "Love, work and money.", outlet=2, hours=24.0 * n + 2)
    for n in range(1, 5)
]


def test_templates_are_alone_even_their_first_issue():
    """Two outlets' horoscopes of four days end as eight stories, though the first came when nobody could know; the reason says so."""
    clusterer, placed = Clusterer(Stories()), {}
    for one in sorted(TEMPLATE + OTHERS, key=lambda i: i.at):
        told = clusterer.add(one)
        placed[one.item_id] = told.story_id
        follow(placed, clusterer.repair(one.at))
    assert told.reasons["template"] == 1
    assert len(set(placed.values())) == 8


def test_an_update_within_hours_joins():
    """A toll that changed, in the outlet's own earlier words, is the same story at once; another place is not."""
    clusterer = Clusterer(Stories())
    told = [
        clusterer.add(item(n, title, outlet=1, hours=hours)).story_id
        for n, (hours, title) in enumerate(
            [
                (0, "Bus crash near Brno: 3 dead"),
                (4, "Bus crash near Brno: five dead"),
                (6, "Bus crash near Liberec: 2 dead"),
            ],
            1,
        )
    ]
    assert told[0] == told[1] != told[2]


def test_a_restart_knows_the_same_templates():
    """A clusterer rebuilt from its items and its state decides, and repairs, as the one that was never stopped."""
    stream = sorted(TEMPLATE + OTHERS, key=lambda i: i.at)
    whole, cut, placed = Clusterer(Stories()), Clusterer(Stories()), {}

    class Row:
        def __init__(self, one):
            self.item, self.story_id, self.reprint_of = one, placed[one.item_id], None

    for number, one in enumerate(stream):
        fresh = Clusterer(Stories())
        fresh.restore([Row(before) for before in stream[:number]], cut.state())
        cut = fresh
        told = whole.add(one)
        assert cut.add(one) == told
        placed[one.item_id] = told.story_id
        if number % 3 == 2:
            repairs = whole.repair(one.at)
            assert cut.repair(one.at) == repairs
            follow(placed, repairs)
        assert cut.state() == whole.state()
    assert whole.repair(START + timedelta(days=5)) == cut.repair(START + timedelta(days=5))
