"""An embedder behind HTTP: any server that speaks OpenAI's `POST /v1/embeddings` (Ollama, vLLM, llama.cpp, TEI, OpenAI)."""

import json
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener

import numpy as np
from numpy.typing import NDArray

from aggregator.embedding.base import normalised
from aggregator.errors import EmbedderError

__all__ = ["RemoteEmbedder"]

BATCH = 32
TIMEOUT_S = 60.0
MAX_ANSWER_BYTES = 64_000_000


class RemoteEmbedder:
    """Asks `url` + `/embeddings` for `model`. The address is the operator's own choice, so no address guard applies.

    The prefix that a model may want ("query: ") is the server's affair.
    """

    def __init__(self, url: str, model: str, api_key_file: str = "") -> None:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise EmbedderError(f'[embedding] url: {url!r} is no http(s) URL; such as "http://127.0.0.1:11434/v1"')
        if not model:
            raise EmbedderError('[embedding] model: empty; the server needs a name, such as "bge-m3"')
        self._endpoint = url.rstrip("/") + "/embeddings"
        self._model = model
        self._headers = {"Content-Type": "application/json"}
        if api_key_file:
            try:
                key = Path(api_key_file).expanduser().read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise EmbedderError(f"[embedding] api_key_file: {api_key_file}: {error}") from None
            self._headers["Authorization"] = f"Bearer {key}"
        self._opener = build_opener()
        self._dimensions = int(self._ask(["dimensions"]).shape[1])

    @property
    def name(self) -> str:
        """Model and server: another server may run the same name with other weights."""
        return f"{self._model}/{urlsplit(self._endpoint).netloc}"

    @property
    def dimensions(self) -> int:
        """As the server answered the first request."""
        return self._dimensions

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """In batches of 32; a failing batch fails the call."""
        if not texts:
            return np.zeros((0, self._dimensions), dtype=np.float32)
        clean = [text.encode("utf-8", "replace").decode("utf-8") or "." for text in texts]
        rows = np.vstack([self._ask(clean[i : i + BATCH]) for i in range(0, len(clean), BATCH)])
        if rows.shape[1] != self._dimensions:
            raise EmbedderError(
                f"{self._endpoint}: {rows.shape[1]} dimensions now, {self._dimensions} before: was the model changed?"
            )
        return normalised(rows)

    def close(self) -> None:
        """Nothing is held."""

    def _ask(self, texts: list[str]) -> NDArray[np.float32]:
        body = json.dumps({"model": self._model, "input": texts, "encoding_format": "float"}).encode()
        request = Request(self._endpoint, data=body, headers=self._headers, method="POST")  # noqa: S310 - scheme checked above
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                raw = answer.read(MAX_ANSWER_BYTES + 1)
        except HTTPError as error:
            detail = error.read(300).decode("utf-8", "replace").replace("\n", " ")
            raise EmbedderError(f"{self._endpoint}: HTTP {error.code}: {detail}") from None
        except (URLError, HTTPException, TimeoutError, OSError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            raise EmbedderError(f"{self._endpoint}: {reason}; is the server running?") from None
        try:
            data = sorted(json.loads(raw)["data"], key=lambda entry: entry["index"])
            rows = np.array([entry["embedding"] for entry in data], dtype=np.float32)
        except (ValueError, KeyError, TypeError) as error:
            raise EmbedderError(f"{self._endpoint}: not an answer of /v1/embeddings: {error!r}") from None
        if rows.ndim != 2 or len(rows) != len(texts) or not np.isfinite(rows).all():  # noqa: PLR2004 - a matrix
            raise EmbedderError(f"{self._endpoint}: {len(texts)} texts sent, an array of shape {rows.shape} came back")
        return rows
