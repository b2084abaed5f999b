"""Bytes of a feed → clean Items, and which of them are new, edited or known. Pure, save for the worker pool."""
