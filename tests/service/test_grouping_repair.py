"""Repair passes over a real database."""

import asyncio
import json

import pytest
from newsroom import fill

from aggregator.config import Config
from aggregator.service.clock import utcnow
from aggregator.service.runtime import Runtime
from aggregator.store.writer import open_writer


@pytest.mark.parametrize("everything", [True, False])
def test_a_whole_pass_looks_at_what_did_not_change(tmp_path, everything):
    """Asked for everything, a pass gives unchanged items their turn, and remembers whose it was; else it leaves them."""
    path = tmp_path / "a.db"
    fill(path, utcnow())

    async def turn() -> int:
        writer = open_writer(path, now=utcnow())
        async with Runtime(Config(), writer=writer, embedder=None) as runtime:
            await runtime.grouping.round()
            await runtime.grouping.repair()
            await runtime.grouping.repair(everything=everything)
            state: dict[str, int] = json.loads(writer.load_state("clusterer"))
            return state["turn"]

    assert (asyncio.run(turn()) > 0) == everything
