"""aggregator evaluate: score the production clusterer against labelled items."""

__all__ = ["evaluate"]
