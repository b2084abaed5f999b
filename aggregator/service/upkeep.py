"""What the daemon does for the file now and then: retention, tidying, the scheduled copies."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from aggregator.service.clock import Clock
from aggregator.service.logs import event
from aggregator.service.runtime import Runtime
from aggregator.store import backups, maintenance

__all__ = ["UPKEEP_EVERY_S", "Upkeep", "backup_folder"]

log = logging.getLogger(__name__)

UPKEEP_EVERY_S = 600.0
_LEFT_OVER_S = 86_400.0  # a copy that was begun so long ago is made by nobody any more


def backup_folder(database: Path, configured: str) -> Path:
    """Where the scheduled copies are."""
    return Path(configured) if configured else backups.backup_directory(database)


class Upkeep:
    """Retention and tidying, a short step at a time; copies; all beside the writer's thread."""

    def __init__(self, runtime: Runtime, clock: Clock, *, stopping: Callable[[], bool]) -> None:
        self._runtime = runtime
        self._clock = clock
        self._stopping = stopping

    async def run(self) -> None:
        """One run. Raises StoreError."""
        runtime = self._runtime
        # Beside the writer's thread: between its short transactions polls get in.
        done = await runtime.side(
            maintenance.maintain, runtime.writer, runtime.config.retention, now=self._clock(), clock=self._ticks
        )
        for warning in done.warnings:
            event(log, logging.WARNING, "maintenance", warning)
        settings = runtime.config.backup
        folder = backup_folder(runtime.writer.path, settings.directory)
        every = timedelta(hours=settings.every_hours)
        name = runtime.writer.path.stem
        if every and not self._stopping() and backups.backup_due(folder, every, now=self._clock(), database=name):
            began = time.monotonic()
            made = await runtime.side(self._copied, folder, settings.keep)
            event(
                log, logging.INFO, "backup", f"backup made: {made}", path=str(made),
                bytes=made.stat().st_size, elapsed_s=round(time.monotonic() - began, 1),
            )  # fmt: skip

        if settings.snapshot_path and not self._stopping() and self._snapshot_due():
            await runtime.side(backups.snapshot, runtime.writer.path, Path(settings.snapshot_path))
            event(log, logging.INFO, "snapshot", f"snapshot published: {settings.snapshot_path}")

    def _snapshot_due(self) -> bool:
        settings = self._runtime.config.backup
        try:
            age = self._clock().timestamp() - Path(settings.snapshot_path).stat().st_mtime
        except FileNotFoundError:
            return True
        return age >= 60 * settings.snapshot_minutes

    def _copied(self, folder: Path, keep: int) -> Path:
        """A copy; what copies that were broken off left behind goes first."""
        for part in folder.glob(".*.db.part"):
            if self._clock().timestamp() - part.stat().st_mtime > _LEFT_OVER_S:
                part.unlink(missing_ok=True)
        return backups.backup(self._runtime.writer.path, folder, keep, now=self._clock())

    def _ticks(self) -> float:
        """The clock of a run's budget: the budget is spent when the daemon is to stop."""
        return float("inf") if self._stopping() else time.monotonic()
