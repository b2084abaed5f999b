"""How the program is: the file's figures with what the machine says, and what of it wants a person."""

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from aggregator.config import Config
from aggregator.models import iso
from aggregator.service.network import NO_NETWORK
from aggregator.service.upkeep import backup_folder
from aggregator.store.reader import Reader
from aggregator.store.watch import figures

__all__ = ["LOG_WARN_MB", "daemon_pid", "problems", "vitals"]

LOG_WARN_MB = 256
_OLD_BACKUPS = 2  # times the interval of copies


def vitals(reader: Reader, config: Config, now: datetime) -> dict[str, Any]:
    """The figures of `store.watch`, and: daemon_pid, whether it has no network, sizes and room in MB, the newest copy and its age in hours.

    Quick at any size of the file. Raises StoreError.
    """
    path = reader.path
    newest = max(backup_folder(path, config.backup.directory).glob("*-*T*Z.db"), default=None, key=lambda p: p.name)
    disk = shutil.disk_usage(path.parent)
    pid = daemon_pid(path)
    last = reader.query("SELECT why FROM polls ORDER BY poll_id DESC LIMIT 1")
    return {
        "at": iso(now),
        "daemon_pid": pid,
        "no_network": pid is not None and bool(last) and last[0]["why"] == NO_NETWORK,
        **figures(reader, now),
        "database_mb": _mb(path),
        "log_mb": _mb(path.with_name(path.name + "-wal")),
        "disk_free_mb": disk.free // 1_000_000,
        "disk_used_percent": round(100 * (1 - disk.free / disk.total), 1),
        "newest_backup": str(newest) if newest else None,
        "backup_age_h": _age_h(newest, now) if newest else None,
    }


def daemon_pid(path: Path) -> int | None:
    """The process that has the database at `path` open as its daemon; None when none runs."""
    try:
        pid = int(path.with_name(path.name + ".lock").read_text(encoding="ascii"))
        os.kill(pid, 0)
    except PermissionError:
        return pid  # another user's
    except (OSError, ValueError):
        return None
    return pid


def problems(found: dict[str, Any], config: Config) -> list[tuple[str, str]]:
    """What is wrong with the program itself, as (name, sentence); feeds have alerts of their own."""
    wrong = []
    if not found["feeds"]:
        wrong.append(("empty", "no feed is configured"))
    elif found["late_s"] > config.alerts.behind_s:
        why = "" if found["daemon_pid"] else ", and no daemon runs: `aggregator run`, or systemctl status aggregator"
        wrong.append(("behind", f"behind: a feed has been due for {timedelta(seconds=found['late_s'])}{why}"))
    if found["no_network"]:
        wrong.append(("network", "no network: no host answers; the daemon keeps trying, and no feed is blamed"))
    states = found["feeds_by_state"]
    active = sum(count for state, count in states.items() if state != "off")
    troubled = states.get("failing", 0) + states.get("blocked", 0)
    if active and troubled * 2 > active:
        wrong.append(("failing", f"{troubled} of {active} feeds fail"))
    if found["disk_free_mb"] < config.alerts.disk_free_mb:
        wrong.append(("disk", f"the disk of the database is nearly full: {found['disk_free_mb']} MB free"))
    if found["log_mb"] > LOG_WARN_MB:
        wrong.append(
            ("log", f"a reader keeps one transaction open: the write-ahead log is at {found['log_mb']:.0f} MB")
        )
    every_h, age_h = config.backup.every_hours, found["backup_age_h"]
    if every_h and age_h is not None and age_h > _OLD_BACKUPS * every_h + 1:
        wrong.append(("backup", f"the newest copy is {age_h:.0f} hours old"))
    return wrong


def _mb(path: Path) -> float:
    try:
        return round(path.stat().st_size / 1e6, 1)
    except OSError:
        return 0.0


def _age_h(backup: Path, now: datetime) -> float:
    made = datetime.strptime(backup.stem.rpartition("-")[2], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return round((now - made).total_seconds() / 3600, 1)
