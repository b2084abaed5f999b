"""Names meet across alphabets, case endings and spellings; places are found in any language."""

import pytest

from aggregator.stories.gazetteer import Gazetteer, stem
from aggregator.stories.names import fold, name_stems, skeleton, words_of


@pytest.mark.parametrize(
    "names", [("Rīga", "Рига", "RIGA"), ("Gdańsk", "Gdansk"), ("Łódź", "Lodz"), ("München", "Munchen")]
)
def test_fold_is_one_for_all_alphabets(names):
    """Accents, case and Cyrillic do not matter."""
    assert len({fold(name) for name in names}) == 1


@pytest.mark.parametrize(
    "names",
    [("Karaganda", "كاراغاندا", "Қарағанды"), ("Gdańsk", "Гданьск"), ("Schulz", "Шульц"), ("Kovač", "Ковач", "Kovac")],
)
def test_skeleton_survives_spelling(names):
    """The consonants of a name are the same where alphabets spell vowels, voicing and sibilants in their own way."""
    assert len({skeleton(fold(name)) for name in names}) == 1


def test_words_know_what_may_be_a_name():
    """Lower-case words are no names; words of scripts without case may be; an apostrophe ends a word; numbers are none."""
    words = {word.text: word.named for word in words_of("Ankara'dan yeni 25 haber თბილისი 東京 हिंदी")}
    assert words == {
        "Ankara": True,
        "dan": False,
        "yeni": False,
        "haber": False,
        "თბილისი": True,
        "東京": True,
        "हिंदी": True,
    }
    assert name_stems(words_of("Storebæltsbroen lukkes 東京都")) == {"store", "東京", "京都"}


@pytest.mark.parametrize(
    ("text", "outlet_country", "expected"),
    [
        ("Läti peaminister sõitis Riiga", "EE", {("LV", False), ("LV", True)}),
        ("Ugunsgrēks Daugavpilī", "EE", {("LV", True)}),
        ("Gaisras Vilniuje", "LV", {("LT", True)}),
        ("حريق في العراق", "EG", {("IQ", False)}),
        ("En död på gatan", "SE", set()),
        ("Авария под Дембицей", "UA", {("PL", True)}),
        ("Tampereella satoi", "FI", {("FI", True)}),
        ("Ankara'dan açıklama", "TR", {("TR", True)}),
        ("中国・山西省の炭鉱事故", "JP", {("CN", False)}),
        ("상하이 화재", "KR", {("CN", True)}),
        ("Polish officials met in New York", "GB", {("PL", False), ("US", True)}),
        ("nothing is named here", "GB", set()),
    ],
)
def test_places_by_any_name(text, outlet_country, expected):
    """Countries and cities by exonym, case ending, adjective, script; nothing where nothing is named."""
    found = Gazetteer.load().find(words_of(text), outlet_country)
    assert {(place.country, place.city) for place in found} == expected


def test_exonyms_are_one_place():
    """Rīga, Riga, Рига, Riika and 里加 are one city, and it lies where it lies."""
    numbers = set()
    for name in ("Rīga", "Riga", "Рига", "Riika", "里加", "რიგა"):
        (place,) = Gazetteer.load().find(words_of(name))
        numbers.add(place.number)
        latitude, longitude = place.position
        assert abs(latitude - 56.9) < 0.1
        assert abs(longitude - 24.1) < 0.1
    assert len(numbers) == 1


def test_the_nearer_of_two_towns_of_one_name():
    """A name shared by several towns means the one of the outlet's country, else the largest."""
    words = words_of("Fire in Cambridge")
    (british,) = Gazetteer.load().find(words, "GB")
    (american,) = Gazetteer.load().find(words, "US")
    assert (british.country, american.country) == ("GB", "US")


@pytest.mark.parametrize(
    ("code", "texts"),
    [
        ("DE-BY", [("Hochwasser in Bayern", "DE"), ("Паводок в Баварии", "RU"), ("Alluvione in Baviera", "IT")]),
        ("PL-20", [("Pożar na Podlasiu", "PL"), ("Gaisras Palenkėje", "LT")]),
        ("ES-AN", [("Incendio en Andalucía", "ES"), ("Brände in Andalusien", "AT"), ("Пожар в Андалусии", "RU")]),
        ("CN-SX", [("Blast in Shanxi", "HK"), ("山西省の炭鉱で爆発", "JP"), ("山西煤矿爆炸", "CN")]),
        ("EE-45", [("Tulekahju Ida-Virumaal", "EE")]),
        ("CZ-64", [("Požár v Jihomoravském kraji", "CZ")]),
    ],
)
def test_regions_by_any_name(code, texts):
    """A region is found by exonym, case ending, adjective and script; it tells its country and is no city."""
    for text, country in texts:
        found = [place for place in Gazetteer.load().find(words_of(text), country) if place.region]
        assert [place.regions[0] for place in found] == [code], text
        assert found[0].country == code[:2]
        assert not found[0].city


def test_a_region_of_two_words_is_not_the_country_of_one():
    """New Mexico and Northern Ireland are no foreign countries."""
    for text, country, code in (("Crash in New Mexico", "US", "US-NM"), ("Fire in Northern Ireland", "GB", "GB-NIR")):
        (place,) = Gazetteer.load().find(words_of(text), country)
        assert place.regions == (code,)


def test_an_ambiguous_region_is_meant_at_home_alone():
    """Georgia is the state in outlets of the United States, the country elsewhere; Mayo is May in Spain."""
    (state,) = Gazetteer.load().find(words_of("Storm in Georgia"), "US")
    (country,) = Gazetteer.load().find(words_of("Storm in Georgia"), "GB")
    assert (state.regions, country.regions, country.country) == (("US-GA",), (), "GE")
    (county,) = Gazetteer.load().find(words_of("Storm in Mayo"), "IE")
    assert county.regions == ("IE-MO", "IE-C")
    assert not Gazetteer.load().find(words_of("Lluvias en Mayo"), "ES")


@pytest.mark.parametrize("text", ["Gunmen attack", "The Indian team", "Министр сказал", "Seven men", "A Virgin flight"])
def test_words_that_begin_like_a_region_are_none(text):
    """Gunma, Indiana, Minya and Virginia are not found in everyday words."""
    assert not [place for place in Gazetteer.load().find(words_of(text), "SE") if place.region]


def test_a_city_tells_its_region():
    """Kharkiv lies in the region that Kharkiv gave its name; a large region has no position, a small one has."""
    (city,) = Gazetteer.load().find(words_of("Харківська область"), "UA")
    assert (city.city, city.regions) == (True, ("UA-63",))
    (texas,) = Gazetteer.load().find(words_of("Fire in Texas"), "MX")
    (saaremaa,) = Gazetteer.load().find(words_of("Tuli Saaremaal"), "EE")
    assert texas.position is None
    assert abs(saaremaa.position[0] - 58.3) < 0.2


def test_stem_keeps_four_letters():
    """Vowels at the end fall, but never below four letters."""
    assert [stem(key) for key in ("kuznica", "riga", "peru", "roma", "tokyo")] == [
        "kuznic",
        "riga",
        "peru",
        "roma",
        "toky",
    ]
