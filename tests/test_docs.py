"""What the program has, the documents tell: settings, commands, and that generated pages are fresh."""

import re
import tomllib
from pathlib import Path

import msgspec

from aggregator.cli.reference import main as reference
from aggregator.config import Config

ROOT = Path(__file__).resolve().parents[1]


def written_settings():
    """Every setting in config/aggregator.toml as {(table, key): value}, those commented out included."""
    text = (ROOT / "config/aggregator.toml").read_text(encoding="utf-8")
    live = re.sub(r"^# (?=\w+ = )", "", text, flags=re.MULTILINE)
    data = tomllib.loads(live)
    return {(t, k): v for t, table in data.items() if isinstance(table, dict) for k, v in table.items()}


def test_every_setting_is_written_out_with_its_default():
    """config/aggregator.toml shows each setting once, with the default that the program has."""
    written = written_settings()
    config = msgspec.to_builtins(Config())
    known = {(t, k): v for t, table in config.items() if isinstance(table, dict) for k, v in table.items()}
    assert {k: list(v) if isinstance(v, list | tuple) else v for k, v in known.items()} == written


def test_every_setting_has_a_comment():
    """No setting stands in config/aggregator.toml without a line above that says what it is."""
    lines = (ROOT / "config/aggregator.toml").read_text(encoding="utf-8").splitlines()
    settings = [n for n, line in enumerate(lines) if re.match(r"# \w+ = ", line)]
    assert len(settings) == len(written_settings())
    for n in settings:
        above = n - 1
        while re.match(r"# \w+ = ", lines[above]):  # two settings under one comment
            above -= 1
        assert lines[above].startswith("# "), lines[n]


def test_the_command_reference_is_fresh():
    """docs/cli.md is what the commands' own help makes now."""
    assert reference(["--check", str(ROOT / "docs/cli.md")]) == 0, "stale: run python -m aggregator.cli.reference"
