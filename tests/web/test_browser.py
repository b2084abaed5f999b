"""The pages in a real Chromium. $AGGREGATOR_SHOTS names a folder that is to keep the screenshots."""

import re

import pytest

pytest.importorskip("playwright.sync_api")
from axe_playwright_python.sync_playwright import Axe
from newsroom import ARABIC, ENGLISH, HOSTILE, JAPANESE, LATVIAN, PERSIAN
from playwright.sync_api import expect

EVERY = ("front", "story", "item", "translated", "hostile", "search", "nothing", "feeds", "missing")


@pytest.fixture(scope="session")
def paths(newsroom):
    """The address of one page of every kind."""
    return {
        "front": "/",
        "story": f"/story/{newsroom.ferry}",
        "item": f"/item/{newsroom.ids['en1']}",
        "translated": f"/item/{newsroom.ids['ar1']}",
        "hostile": f"/story/{newsroom.hostile}",
        "search": "/search?q=ferry",
        "nothing": "/search?q=zebra",
        "feeds": "/feeds?state=all",
        "missing": "/item/999999",
    }


def sentence(locator):
    """The text of an element with its white space made even."""
    return " ".join(locator.inner_text().split())


# --- what the pages tell ---------------------------------------------------------------------------------------------


def test_the_front_page_leads_to_a_story_and_that_to_an_item(opened, newsroom):
    """A person clicks from the top story through its timeline to an article and on to another telling of it."""
    page = opened("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Top stories")
    top = page.locator(".stories > li").first
    assert "8 outlets in 8 countries" in sentence(top)
    assert "7 with texts of their own" in sentence(top)
    assert "First: 🇱🇻 Dienas Ziņas" in sentence(top)
    assert "🇱🇻" in sentence(top.locator(".flags"))
    expect(top.get_by_role("img")).to_have_attribute(
        "aria-label", re.compile(r"^8 reports in the last 24 hours, at most \d in one hour$")
    )
    top.get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(f"/story/{newsroom.ferry}$"))
    page.locator("#timeline ~ ol").get_by_role("link", name=ENGLISH, exact=True).click()
    expect(page).to_have_url(re.compile(f"/item/{newsroom.ids['en1']}$"))
    page.locator(".similar").get_by_role("link", name=JAPANESE, exact=True).click()
    expect(page).to_have_url(re.compile(f"/item/{newsroom.ids['ja1']}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text(JAPANESE)
    assert page.said == []


def test_the_front_page_is_filtered_by_country_language_outlets_and_time(opened):
    """Each filter narrows the list, stays chosen, and an empty list says what to do."""
    page = opened("/")
    stories = page.locator(".stories > li")
    expect(stories).to_have_count(2)
    page.get_by_label("Told in").select_option("JP")
    page.get_by_role("button", name="Show").click()
    expect(stories).to_have_count(1)
    expect(page.get_by_label("Told in")).to_have_value("JP")
    page.get_by_label("Told in").select_option("")
    page.get_by_label("Language").select_option("fa")
    page.get_by_label("Outlets").select_option("5")
    page.get_by_role("button", name="Show").click()
    expect(stories).to_have_count(1)
    page.get_by_label("Outlets").select_option("10")
    page.get_by_label("Last", exact=True).select_option("6h")
    page.get_by_role("button", name="Show").click()
    expect(stories).to_have_count(0)
    assert "No story of several outlets in the last 6 hours with this choice" in sentence(page.locator("main"))


def test_a_story_page_tells_who_when_where_and_in_which_words(opened, newsroom):
    """First reporter, reprints, countries, each language's title and the reader's title are all there."""
    page = opened(f"/story/{newsroom.ferry}")
    facts = sentence(page.locator("dl.facts"))
    assert "First reported by 🇱🇻 Dienas Ziņas" in facts
    assert "Reports 8 1 reprint among them" in facts
    assert "From first to latest 6 h 40 min" in facts
    rows = page.locator("#timeline ~ ol > li")
    expect(rows).to_have_count(8)
    assert "first" in sentence(rows.first.locator(".by"))
    reprints = page.locator("#timeline ~ ol > li.reprint")
    expect(reprints).to_have_count(1)
    assert "Harbour <i>& Bay</i> Post reprint +1 h 15 min" in sentence(reprints.locator(".by"))
    expect(page.locator("table.countries tbody tr")).to_have_count(8)
    assert {"Latvian 1 report", "English 2 reports", "Persian 1 report"} <= set(
        map(sentence, page.locator(".titles dt").all())
    )
    assert JAPANESE in sentence(page.locator(".titles"))
    latvian = rows.first
    assert "Two people hurt in ferry fire at Ventspils" in sentence(latvian)
    assert LATVIAN in sentence(latvian)
    assert "machine translation" in sentence(latvian)


def test_a_story_page_tells_what_others_add(opened, newsroom):
    """Sentences of other outlets, each with its source that leads to its page; a machine's is marked, an outlet's own is not."""
    page = opened(f"/story/{newsroom.ferry}")
    added = page.locator(".digest > li")
    assert [sentence(li) for li in added.all()] == [
        "The port was closed until noon. 🇺🇸 Harbour <i>& Bay</i> Post",
        "The crew put the fire out within an hour. 🇪🇬 صحيفة المرفأ machine translation",
    ]
    added.first.get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"/item/{newsroom.ids['us1']}$"))


def test_an_item_has_one_sentence_and_loses_none(opened, newsroom):
    """Under the title stands the sentence that was chosen, marked so; the whole description follows where there is no body."""
    page = opened(f"/item/{newsroom.ids['en2']}")
    expect(page.locator("p.summary")).to_have_text("The choir sang for a hundred hours.")
    assert "summary: a sentence of the article" in sentence(page.locator("main"))
    expect(page.locator("div.body")).to_have_text("It rained. The choir sang for a hundred hours.")


def test_an_item_page_reads_as_the_mission_says(opened, newsroom):
    """Label, flag and country, outlet, title, summary, paragraphs, link to the original, Similar Coverage under it: in that order."""
    page = opened(f"/item/{newsroom.ids['en1']}")
    published = newsroom.start.timestamp() + 50 * 60
    from datetime import UTC, datetime

    at = datetime.fromtimestamp(published, UTC)
    label = f"{at:%b} {at.day} • {at:%H:%M} UTC"
    text = page.locator("main").inner_text()
    parts = [
        label, "🇬🇧 United Kingdom", "The Daily Lamp", ENGLISH, "The crew put out the fire within an hour.",
        "A fire broke out in the engine room.", "Two of the crew were taken to hospital.", "The ferry was towed to port.",
        "Read the original at The Daily Lamp", "📡 Similar Coverage", LATVIAN, "reprint", ARABIC,
    ]  # fmt: skip
    found = [text.find(part) for part in parts]
    assert -1 not in found, dict(zip(parts, found, strict=True))
    assert found == sorted(found)
    link = page.get_by_role("link", name="Read the original at The Daily Lamp")
    expect(link).to_have_attribute("href", "https://en.example/news/en1")
    expect(link).to_have_attribute("rel", re.compile("noreferrer"))


def test_a_machine_translation_is_marked_and_the_original_is_there(opened, newsroom):
    """The reader sees the translated text first, what made it, and opens the original without a script."""
    page = opened(f"/item/{newsroom.ids['lv1']}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Two people hurt in ferry fire at Ventspils")
    assert "machine translation by babel-7b, from Latvian" in sentence(page.locator(".mark.made").first)
    expect(page.get_by_text("The crew put it out within the hour.")).to_be_visible()
    original = page.get_by_text("Apkalpe to nodzēsa stundas laikā.")
    expect(original).to_be_hidden()
    page.get_by_text("The original text").click()
    expect(original).to_be_visible()


@pytest.mark.parametrize(
    ("words", "title"),
    [("ferry burns", ENGLISH), ("حريق", ARABIC), ("負傷", JAPANESE), ("کشتی", PERSIAN), ("pramja", LATVIAN)],
)
def test_search_finds_every_script(opened, words, title):
    """What is typed into the box at the top finds titles in any script, accents or not."""
    page = opened("/")
    page.locator("#quick").fill(words)
    page.locator("#quick").press("Enter")
    expect(page.locator(".found")).to_contain_text(title)


def test_search_marks_what_it_found(opened):
    """The words that were sought stand out in the text around them, and only those."""
    page = opened("/search?q=hospital")
    assert page.locator("mark").all_inner_texts() == ["hospital"]


def test_feeds_in_trouble_come_first_with_the_reason(opened):
    """A feed that fails is what a person sees first; one long silent is a click away, and so is its log of polls."""
    page = opened("/feeds")
    expect(page.locator(".feeds > li")).to_have_count(1)
    assert "no answer within 30 s (4 failures in a row)" in sentence(page.locator(".feeds"))
    page.get_by_role("link", name="Silent").click()
    assert "Päeva Teated stale" in sentence(page.locator(".feeds"))
    page.get_by_role("link", name="https://paev.example/rss").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("polls_recent"))


def test_datasettes_own_pages_work_under_the_policy(opened, newsroom, site):
    """Tables, a documented query and SQL of one's own run in the browser; no script of Datasette's is refused."""
    page = opened("/aggregator/items")
    page.get_by_role("link", name=str(newsroom.ids["en1"]), exact=True).first.click()
    page.goto(site + "/aggregator")
    page.get_by_role("link", name="top_stories: The top stories of the last 24 hours.").click()
    expect(page.locator("table.rows-and-columns tbody tr")).to_have_count(2)
    page.goto(site + "/aggregator?sql=select+40%2B2+as+answer")
    expect(page.locator("td.col-answer")).to_have_text("42")
    expect(page.locator(".CodeMirror")).to_be_visible()
    assert page.said == []


# --- safe, legible, for everybody ------------------------------------------------------------------------------------


def test_hostile_texts_are_only_text(opened, paths, newsroom, site):
    """Titles with scripts in them are shown letter for letter, run nothing, and javascript: is no link."""
    page = opened(paths["hostile"])
    expect(page.locator("#timeline ~ ol h3").get_by_text(HOSTILE, exact=True)).to_be_visible()
    assert page.title() != "owned"
    assert page.locator("a[href^='javascript']").count() == 0
    page.goto(f"{site}/item/{newsroom.ids['en3']}")
    assert page.locator("a[href^='javascript']").count() == 0
    assert page.said == []


@pytest.fixture(scope="module", params=EVERY)
def seen(chromium, site, paths, request):
    """One page of each kind, opened once for several tests; what it asked for is kept in it."""
    context = chromium.new_context()
    page = context.new_page()
    page.asked, page.kind = [], request.param
    page.on("request", lambda asked: page.asked.append(asked.url))
    page.goto(site + paths[request.param])
    yield page
    context.close()


def test_nothing_comes_from_elsewhere(seen, site):
    """No page asks any other server for anything."""
    assert seen.asked
    assert {url for url in seen.asked if not url.startswith(site + "/")} == set()


def test_right_to_left_titles_show_right(opened, newsroom):
    """Arabic and Persian run from the right edge, with their language named; an Arabic outlet's name turns nothing else around."""
    page = opened(f"/story/{newsroom.ferry}")
    persian = page.locator("#timeline ~ ol h3", has_text=PERSIAN)
    expect(persian).to_have_attribute("lang", "fa")
    assert persian.evaluate("e => getComputedStyle(e).direction") == "rtl"
    gap = persian.evaluate("e => e.getBoundingClientRect().right - e.firstElementChild.getBoundingClientRect().right")
    assert abs(gap) < 1
    by = page.locator("#timeline ~ ol > li", has_text=ARABIC).locator(".by")
    assert by.evaluate("e => getComputedStyle(e).direction") == "ltr"
    assert by.locator("time").bounding_box()["x"] < by.locator("bdi").bounding_box()["x"]


def test_a_telephone_never_scrolls_sideways(seen):
    """At 360 pixels nothing sticks out of any page."""
    seen.set_viewport_size({"width": 360, "height": 740})
    assert seen.evaluate("document.documentElement.scrollWidth") == 360
    out = seen.evaluate("""[...document.querySelectorAll('main *, header *')].filter(e => {
        const r = e.getBoundingClientRect();
        return !e.closest('.unseen') && (r.right > 361 || r.left < -1);
    }).map(e => e.outerHTML.slice(0, 80))""")
    assert out == []


def test_an_endless_word_is_broken(opened, newsroom):
    """A title without a space stays inside a narrow page."""
    page = opened(f"/item/{newsroom.ids['de2']}", width=360)
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_keyboard_is_enough(opened):
    """The first Tab offers to skip to the content and shows where it is; Enter goes there; every link can be reached."""
    page = opened("/")
    page.keyboard.press("Tab")
    skip = page.locator(".skip")
    expect(skip).to_be_focused()
    assert skip.bounding_box()["y"] >= 0
    assert skip.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#since")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_violation(seen, scheme):
    """axe-core, its best practices included, finds nothing moderate, serious or critical, in either colour scheme."""
    seen.emulate_media(color_scheme=scheme)
    found = Axe().run(seen).response["violations"]
    told = [(v["id"], v["impact"], v["nodes"][0]["html"], v["nodes"][0]["failureSummary"]) for v in found]
    assert [v for v in told if v[1] != "minor"] == []


def test_pictures_of_every_page(seen, shots):
    """Every page is drawn at 360 and at 1440 pixels, light and dark; the dark one is dark."""
    for width in (360, 1440):
        seen.set_viewport_size({"width": width, "height": 900})
        for scheme in ("light", "dark"):
            seen.emulate_media(color_scheme=scheme)
            seen.screenshot(path=shots / f"{seen.kind}-{width}-{scheme}.png", full_page=True)
            paper = seen.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, re.findall(r"\d+", paper)[:3])) < 150) == (scheme == "dark")
