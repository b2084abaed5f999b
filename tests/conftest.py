"""Tests marked slow run only when asked for: `pytest -m slow`."""

import pytest


def pytest_collection_modifyitems(config, items):
    """Leave slow tests out unless the command line selects by marker."""
    if config.option.markexpr:
        return
    for item in items:
        if "slow" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="slow: run with -m slow"))
