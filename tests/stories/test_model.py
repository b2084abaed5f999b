"""Profiles, live statistics, the projection and the pair model on invented items."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files

import numpy as np
import pytest

from aggregator.models import StoryItem
from aggregator.stories.features import BUCKETS, KINDS, pack_vector, profile, unpack_vectors
from aggregator.stories.model import EXPLAINED, FEATURES, PairModel, explained, pair_features
from aggregator.stories.projection import Projection
from aggregator.stories.statistics import Statistics
from aggregator.stories.support import SUPPORT

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TEXTS = (
    (
        "Ugunsgrēkā Daugavpilī bojā gājuši trīs cilvēki",
        "Liesmas dzīvojamā namā izcēlās naktī, evakuēti 40 iedzīvotāji.",
        "lv",
        "LV",
    ),
    (
        "Three die in apartment fire in Daugavpils, Latvia",
        "About 40 residents were evacuated during the night.",
        "en",
        "GB",
    ),
    ("Пожар в Даугавпилсе: погибли три человека", "Эвакуированы 40 жителей дома.", "ru", "LV"),
    ("Banco central mantiene la tasa en 4,5 por ciento", "La decisión fue unánime.", "es", "CL"),
    ("Rīgas tirgū atklāj ziemas gadatirgu", "Darbosies līdz svētdienai.", "lv", "LV"),
    ("Market in Łódź reopens after repairs", "Traders had waited since autumn.", "en", "GB"),
)


def items():
    """Six invented items: the first three tell of one fire."""
    cone = Projection.load().centre
    noise = np.random.default_rng(7).normal(size=(6, len(cone))).astype(np.float32) * 0.02
    noise[1:3] = 0.8 * noise[0] + 0.2 * noise[1:3]
    rows = cone + noise
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return [
        StoryItem(number, title, summary, language, country, number, AT + timedelta(hours=number), vector=rows[number])
        for number, (title, summary, language, country) in enumerate(TEXTS)
    ]


def live(profiles):
    """Statistics of `profiles`."""
    stats = Statistics()
    for one in profiles:
        stats.add(one)
    return stats


def test_profile_is_a_compact_function_of_the_item():
    """Twice the same, sorted unique ids below BUCKETS, under 3 kB; nothing of it depends on Python's hash seed."""
    for item in items():
        one, two = profile(item), profile(item)
        arrays = [name for name in one.__slots__ if isinstance(getattr(one, name), np.ndarray)]
        for name in arrays:
            np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        assert (np.diff(one.ids.astype(np.int64)) > 0).all()
        for kind in KINDS:
            assert (one.ids_of(kind) < BUCKETS).all()
        assert sum(getattr(one, name).nbytes + 112 for name in arrays) < 3000
    fire = profile(items()[0])
    assert fire.name_ids[0] == 105228, "a seed-dependent hash would differ from run to run"


def test_empty_and_odd_items_have_profiles():
    """No text, one emoji, a very long text, an unknown language and no vector are no errors, and compare with all."""
    plain = items()[0]
    odd = [
        replace(plain, item_id=10, title="", summary="", vector=None),
        replace(plain, item_id=11, title="🔥", summary="", language="tlh"),
        replace(plain, item_id=12, title="word " * 5000, summary="9" * 4000, country=""),
        replace(plain, item_id=13, language="zh-Hant-TW", title="台灣地震", summary="", vector=np.ones(7, np.float32)),
    ]
    profiles = [profile(item) for item in [*items(), *odd]]
    stats, model = live(profiles), PairModel.load()
    for one in profiles:
        found = model.probabilities(one, profiles, stats)
        assert found.shape == (len(profiles),)
        assert np.isfinite(found).all()
        assert ((found >= 0) & (found <= 1)).all()
    assert profiles[-1].language == "zh"


def test_a_region_is_shared_by_who_names_it_and_who_names_a_city_of_it():
    """Texas in two alphabets and Houston share a region; Ohio clashes with them; all four tell the country."""
    texts = [("Storm in Texas", "IE"), ("Буря в Техасе", "RU"), ("Sturm in Houston", "DE"), ("Storm in Ohio", "IE")]
    plain = replace(items()[0], summary="", vector=None)
    first, *others = [profile(replace(plain, title=text, country=country)) for text, country in texts]
    rows = pair_features(first, others, live([first, *others]))
    columns = [FEATURES.index(name) for name in ("regions", "regions_clash", "countries")]
    same, inside, other = (rows[:, columns] > 0).tolist()
    assert same == inside == [True, False, True]
    assert other == [False, True, True]
    assert "regions" in explained(rows[0])
    assert "regions_clash" in explained(rows[2])


def test_statistics_forget_without_a_trace():
    """Adding and removing items, in any order, leaves exactly the statistics of what stays."""
    profiles = [profile(item) for item in items()]
    kept, whole = live(profiles[:3]), live(profiles[::-1])
    for one in (profiles[4], profiles[3], profiles[5]):
        whole.remove(one)
    assert whole.items == kept.items == 3
    np.testing.assert_array_equal(whole.counts, kept.counts)
    for language in ("lv", "en", "es", "xx"):
        np.testing.assert_array_equal(whole.means([language], 384), kept.means([language], 384))


@pytest.mark.parametrize("with_vectors", [True, False])
def test_one_event_in_three_languages_is_likelier_than_any_other_pair(with_vectors):
    """The shipped weights, full and lexical, put every pair of the fire above every pair that is not."""
    profiles = [profile(item if with_vectors else replace(item, vector=None)) for item in items()]
    stats, model = live(profiles), PairModel.load()
    matrix = np.array([model.probabilities(one, profiles, stats) for one in profiles])
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-4)
    same = np.zeros((6, 6), dtype=bool)
    same[:3, :3] = True
    upper = np.triu(np.ones((6, 6), dtype=bool), 1)
    assert matrix[same & upper].min() > matrix[~same & upper].max()


def test_probability_does_not_depend_on_the_company():
    """A pair's probability is the same alone and among many, so candidates may be asked about in any batch."""
    profiles = [profile(item) for item in items()]
    stats, model = live(profiles), PairModel.load()
    many = model.probabilities(profiles[0], profiles[1:], stats)
    alone = [model.probabilities(profiles[0], [other], stats)[0] for other in profiles[1:]]
    np.testing.assert_allclose(many, alone, rtol=1e-6)
    assert model.probabilities(profiles[0], [], stats).shape == (0,)


def test_a_pair_with_one_vector_is_judged_by_words():
    """Where one of two items has no vector, the lexical weights judge; vectors of two models are never compared."""
    profiles = [profile(item) for item in items()]
    bare = replace(profiles[1], packed_vector=None)
    other_model = replace(profiles[1], packed_vector=pack_vector(np.ones(8, np.float16)))
    stats, model = live(profiles), PairModel.load()
    lexical = model.probabilities(replace(profiles[0], packed_vector=None), [profiles[1]], stats)
    np.testing.assert_array_equal(model.probabilities(profiles[0], [bare], stats), lexical)
    np.testing.assert_array_equal(model.probabilities(profiles[0], [other_model], stats), lexical)
    assert model.probabilities(profiles[0], [profiles[1]], stats)[0] != lexical[0]


def test_places_and_numbers_are_seen_across_scripts():
    """The fire's city is one place in Latvian, English and Russian; a rate decision in Chile is a clash of countries."""
    profiles = [profile(item) for item in items()]
    table = pair_features(profiles[0], profiles[1:], live(profiles))
    column = {name: table[:, i] for i, name in enumerate(FEATURES)}
    assert (column["near"][:2] == 1).all()
    assert (column["numbers_sum"][:2] > 0).all()
    assert (column["reach_clash"] == [0, 0, 1, 0, 1]).all()
    assert (column["same_language"] == [0, 0, 0, 1, 0]).all()


def test_explain_names_what_counted():
    """Reasons are short names with plain numbers, ready for JSON; the fire's city and its dead are among them."""
    profiles = [profile(item) for item in items()]
    _, features = PairModel.load().judged(profiles[0], [profiles[1]], live(profiles))
    reasons = explained(features[0])
    assert list(reasons) == [name for name in EXPLAINED if name in reasons]
    assert reasons["near"] == 1
    assert reasons["numbers"] > 0
    assert "reach_clash" not in reasons
    assert json.loads(json.dumps(reasons)) == reasons


def test_weights_file_is_readable_and_complete():
    """weights.json holds a number for known features alone; the lexical set uses no vector."""
    weights = json.loads(files("aggregator.stories").joinpath("weights.json").read_text("utf-8"))
    assert set(weights) == {"full", "lexical", "support"}
    for name in ("full", "lexical"):
        assert set(weights[name]) - {"bias"} <= set(FEATURES)
    assert set(weights["support"]) == {"bias", *SUPPORT}
    assert "dense" in weights["full"]
    assert not any("dense" in name for name in weights["lexical"])


def test_packed_vectors_keep_their_cosines():
    """A vector packed into bytes is a third of its size and keeps every cosine to a few thousandths; zeros stay zeros."""
    rows = np.random.default_rng(1).standard_normal((50, 384)).astype(np.float16)
    rows[0, 7] = 40  # one dimension that stands out, as in vectors that are not projected
    packed = [pack_vector(row) for row in rows]
    assert {len(one) for one in packed} == {384 + 4}
    plain, again = rows.astype(np.float64), unpack_vectors(packed).astype(np.float64)
    plain, again = (table / np.linalg.norm(table, axis=1)[:, None] for table in (plain, again))
    off = np.abs(again @ again.T - plain @ plain.T)
    assert off[1:, 1:].max() < 0.002
    assert off.max() < 0.02
    assert not unpack_vectors([pack_vector(np.zeros(3, np.float16))]).any()


def test_projection_round_trip_and_other_models():
    """The projection reads back as written; its vectors are about unit length; other models' pass unchanged."""
    shipped = Projection.load()
    again = Projection.from_json(json.loads(json.dumps(shipped.to_json())))
    np.testing.assert_array_equal(again.matrix, shipped.matrix)
    np.testing.assert_array_equal(again.means["lv"], shipped.means["lv"])
    foreign = np.zeros(384, np.float32)
    foreign[0] = 1
    np.testing.assert_array_equal(shipped(foreign, "en"), foreign)
    np.testing.assert_array_equal(shipped(np.ones(3, np.float32), "en"), np.ones(3, np.float32))
    vector = items()[0].vector
    assert shipped(vector, "en").shape == (384,)
    assert not np.array_equal(shipped(vector, "en"), vector)
