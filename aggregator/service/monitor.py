"""A look at the whole once a minute: for STATUS, for Prometheus, for alerts."""

import logging
from typing import Any

from aggregator.service.alerts import AlertCommand, compare
from aggregator.service.clock import Clock
from aggregator.service.logs import event
from aggregator.service.metrics import MetricsServer, Tally
from aggregator.service.runtime import Runtime
from aggregator.service.vitals import problems, vitals
from aggregator.store.reader import open_reader
from aggregator.store.watch import Condition, conditions, load_alerts, record_alerts

__all__ = ["LOOK_EVERY_S", "Monitor"]

log = logging.getLogger(__name__)

LOOK_EVERY_S = 60.0


class Monitor:
    """Looks by a connection of its own, in a thread beside the writer's: it holds nothing up."""

    def __init__(self, runtime: Runtime, clock: Clock, tally: Tally) -> None:
        self._runtime = runtime
        self._clock = clock
        self._tally = tally
        self._command = AlertCommand()
        self.metrics = MetricsServer(tally)

    async def run(self) -> None:
        """One look. Raises StoreError."""
        runtime, now = self._runtime, self._clock()
        config = runtime.config
        self.metrics.serve(config.metrics.port)
        found, wrong = await runtime.side(self._look)
        self._tally.vitals, self._tally.alerts = found, len(wrong)
        known = await runtime.store(load_alerts, runtime.writer)
        began, over = compare(wrong, known)
        if not began and not over:
            return
        await runtime.store(record_alerts, runtime.writer, began, over, known, now=now)
        for condition in began:
            event(
                log, logging.WARNING, "alert", condition.message, alert=condition.alert, feed_id=condition.feed_id,
                url=condition.url,
            )  # fmt: skip
        if over:
            event(log, logging.INFO, "alerts_over", f"{len(over)} alerts are over", alerts=", ".join(over))
        await self._command.tell(config.alerts.command, config.alerts.per_hour, began, now)

    def _look(self) -> tuple[dict[str, Any], list[Condition]]:
        config, now = self._runtime.config, self._clock()
        with open_reader(self._runtime.writer.path) as reader:
            found = vitals(reader, config, now)
            wrong = conditions(reader, now, dead_days=config.alerts.dead_days)
        ours = [Condition(f"program {name}", name, text) for name, text in problems(found, config)]
        return found, ours + wrong
