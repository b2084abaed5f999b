"""Texts → vectors, behind the Embedder protocol. Optional: without it stories are built from words alone."""
