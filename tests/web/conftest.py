"""The pages of a database that the tests know, and a real browser before them."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from newsroom import fill, served

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def newsroom(tmp_path_factory):
    """The filled database."""
    return fill(tmp_path_factory.mktemp("newsroom") / "news.db", datetime.now(UTC).replace(microsecond=0))


@pytest.fixture(scope="session")
def site(newsroom):
    """The address of the pages of the filled database."""
    with served(newsroom.path) as address:
        yield address


@pytest.fixture(scope="session")
def chromium():
    """Debian's Chromium, driven by playwright. Without it these tests are left out, unless AGGREGATOR_BROWSER asks for them."""
    if CHROMIUM is None:
        why = "no Chromium on this machine: apt-get install -y chromium"
        (pytest.fail if os.environ.get("AGGREGATOR_BROWSER") else pytest.skip)(why)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, site):
    """A page in a fresh window of that width and colour scheme; what its console says and requests is kept in it."""
    contexts = []

    def opens(path, width=1440, scheme="light", height=900):
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("dialog", lambda dialog: (page.said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(site + path)
        return page

    yield opens
    for context in contexts:
        context.close()


@pytest.fixture
def get(site):
    """Plain requests of a path, with a method and headers."""
    import httpx

    with httpx.Client(base_url=site) as client:
        yield lambda path, method="GET", **headers: client.request(
            method, path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )


@pytest.fixture(scope="session")
def shots(tmp_path_factory):
    """Where screenshots go: $AGGREGATOR_SHOTS, else a folder that pytest removes in time."""
    folder = Path(os.environ.get("AGGREGATOR_SHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
