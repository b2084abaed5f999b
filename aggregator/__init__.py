"""aggregator: polls regional news feeds and groups what outlets in many languages tell of one event into stories."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("aggregator")
