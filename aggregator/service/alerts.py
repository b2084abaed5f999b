"""Alerts: what began and what is over since the last look, and the command that hears of it."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from aggregator.models import iso
from aggregator.service.logs import event
from aggregator.store.watch import Condition

__all__ = ["AlertCommand", "compare"]

log = logging.getLogger(__name__)

_HOUR_S = 3600.0
_RUNS_S = 30.0


def compare(now_true: Sequence[Condition], known: Mapping[str, str]) -> tuple[list[Condition], list[str]]:
    """What began, and the keys of what is over. Pure."""
    keys = {condition.key for condition in now_true}
    return [c for c in now_true if c.key not in known], [key for key in known if key not in keys]


class AlertCommand:
    """Runs the configured command with one event a time on its standard input, and not oftener than allowed.

    The words of the command are its program and arguments: no shell reads them, and nothing of a feed is among them.
    """

    def __init__(self) -> None:
        self._runs: deque[float] = deque()  # when, within the last hour
        self._kept_back = 0

    async def tell(self, command: Sequence[str], per_hour: int, conditions: Sequence[Condition], at: datetime) -> None:
        """Run it for each condition; those above `per_hour` are counted, and the next run tells how many there were."""
        if not command:
            return
        clock = asyncio.get_running_loop().time
        for condition in conditions:
            while self._runs and clock() - self._runs[0] > _HOUR_S:
                self._runs.popleft()
            if len(self._runs) >= per_hour:
                self._kept_back += 1
                continue
            self._runs.append(clock())
            facts: dict[str, Any] = {
                "at": iso(at),
                "alert": condition.alert,
                "message": condition.message,
                "feed_id": condition.feed_id,
                "url": condition.url or None,
                "kept_back_before": self._kept_back,
            }
            self._kept_back = 0
            await self._run(command, json.dumps(facts, ensure_ascii=False).encode() + b"\n")

    async def _run(self, command: Sequence[str], text: bytes) -> None:
        """A command that fails, hangs or is not there is said in the log, and stops nothing."""
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            event(log, logging.ERROR, "alert_command", f"[alerts] command: {command[0]}: {error}")
            return
        try:
            async with asyncio.timeout(_RUNS_S):
                await process.communicate(text)
        except TimeoutError:
            process.kill()
            await process.wait()
            event(log, logging.ERROR, "alert_command", f"[alerts] command: {command[0]}: ended after {_RUNS_S:.0f} s")
        except BaseException:
            process.kill()
            raise
        else:
            if process.returncode:
                event(
                    log, logging.ERROR, "alert_command", f"[alerts] command: {command[0]}: status {process.returncode}"
                )
