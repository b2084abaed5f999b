"""Figures for Prometheus on 127.0.0.1. The only user of prometheus_client, which is optional; docs/operations.md names all."""

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

from aggregator.models import Failed, NotModified
from aggregator.service.logs import event
from aggregator.service.poller import PollOutcome

__all__ = ["METRICS", "MetricsServer", "Tally"]

log = logging.getLogger(__name__)

# name → (kind, label or "", what it is)
METRICS = {
    "aggregator_polls": ("counter", "outcome", "polls since the start, by outcome: fetched, not_modified, or the reason of a failure"),
    "aggregator_poll_seconds": ("counter", "", "seconds that exchanges with publishers took, all together"),
    "aggregator_received_bytes": ("counter", "", "bytes received from publishers"),
    "aggregator_new_items": ("counter", "", "items that were new"),
    "aggregator_edited_items": ("counter", "", "items that were edited"),
    "aggregator_feeds": ("gauge", "state", "feeds by state: new, ok, failing, blocked, gone, off"),
    "aggregator_stale_feeds": ("gauge", "", "feeds that are silent against their own cadence"),
    "aggregator_items": ("gauge", "", "items that were ever stored"),
    "aggregator_late_seconds": ("gauge", "", "seconds that the feed due longest has been due"),
    "aggregator_waiting_for_a_story": ("gauge", "", "items that wait to be grouped"),
    "aggregator_waiting_for_texts": ("gauge", "", "texts that are still to be fetched or made"),
    "aggregator_pairs_in_doubt": ("gauge", "", "pairs of items that a judge is to be asked about"),
    "aggregator_database_bytes": ("gauge", "", "size of the database file"),
    "aggregator_log_bytes": ("gauge", "", "size of its write-ahead log"),
    "aggregator_disk_free_bytes": ("gauge", "", "room on its disk"),
    "aggregator_backup_age_seconds": ("gauge", "", "age of the newest copy; absent when there is none"),
    "aggregator_alerts": ("gauge", "", "conditions that want a person's attention"),
}  # fmt: skip


class Tally:
    """What is counted as it happens, and the last look at the whole."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.seconds = 0.0
        self.bytes = 0
        self.new = 0
        self.edited = 0
        self.vitals: dict[str, Any] = {}
        self.alerts = 0

    def count(self, outcome: PollOutcome) -> None:
        """One poll; one that a host had no turn for is none."""
        if outcome.resting:
            return
        result = outcome.result
        if isinstance(result, Failed):
            self.outcomes[str(result.reason)] += 1
        elif outcome.problem:
            self.outcomes["parse"] += 1
        else:
            self.outcomes["not_modified" if isinstance(result, NotModified) else "fetched"] += 1
        self.seconds += result.elapsed_s
        self.bytes += result.wire_bytes
        self.new += outcome.new
        self.edited += outcome.edited

    def samples(self) -> Iterator[tuple[str, str, float]]:
        """Each figure as (name, value of its label or "", number)."""
        yield from (("aggregator_polls", outcome, count) for outcome, count in self.outcomes.items())
        yield "aggregator_poll_seconds", "", self.seconds
        yield "aggregator_received_bytes", "", self.bytes
        yield "aggregator_new_items", "", self.new
        yield "aggregator_edited_items", "", self.edited
        yield "aggregator_alerts", "", self.alerts
        found = self.vitals
        if not found:
            return
        yield from (("aggregator_feeds", state, count) for state, count in found["feeds_by_state"].items())
        yield "aggregator_stale_feeds", "", found["stale_feeds"]
        yield "aggregator_items", "", found["items"]
        yield "aggregator_late_seconds", "", found["late_s"]
        yield "aggregator_waiting_for_a_story", "", found["waiting_for_a_story"]
        yield "aggregator_waiting_for_texts", "", found["waiting_for_texts"]
        yield "aggregator_pairs_in_doubt", "", found["pairs_in_doubt"]
        yield "aggregator_database_bytes", "", found["database_mb"] * 1e6
        yield "aggregator_log_bytes", "", found["log_mb"] * 1e6
        yield "aggregator_disk_free_bytes", "", found["disk_free_mb"] * 1e6
        if found["backup_age_h"] is not None:
            yield "aggregator_backup_age_seconds", "", found["backup_age_h"] * 3600


class MetricsServer:
    """Serves a tally, when a port is set; changing the port takes effect at once."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._port = 0
        self._server: Any = None

    def serve(self, port: int) -> None:
        """Listen on 127.0.0.1:`port`; 0 stops it. What prevents it is said in the log, and stops nothing."""
        if port == self._port:
            return
        self.close()
        if not port:
            return
        try:
            from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server  # noqa: PLC0415 - optional

            registry = CollectorRegistry()
            registry.register(self)
            ProcessCollector(registry=registry)
            self._server, _ = start_http_server(port, addr="127.0.0.1", registry=registry)
        except ImportError:
            event(
                log,
                logging.ERROR,
                "metrics",
                "[metrics] port: needs prometheus-client: pip install 'aggregator[metrics]'",
            )
        except OSError as error:
            event(log, logging.ERROR, "metrics", f"[metrics] port: 127.0.0.1:{port}: {error.strerror}")
        else:
            self._port = port
            event(log, logging.INFO, "metrics", f"figures for Prometheus are at http://127.0.0.1:{port}/metrics")

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        self._server, self._port = None, 0

    def collect(self) -> Iterator[Any]:
        """Called by prometheus_client for each request, in a thread of its own."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily  # noqa: PLC0415 - optional

        kinds = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
        families = {
            name: kinds[kind](name, what, labels=[label] if label else [])
            for name, (kind, label, what) in METRICS.items()
        }
        for name, label, number in list(self._tally.samples()):
            families[name].add_metric([label] if label else [], number)
        yield from families.values()
