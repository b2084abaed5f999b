"""What is written to standard error: one line an event, as text or as JSON, without control characters from feeds."""

import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from aggregator.cleaning import plain_line
from aggregator.config import Log
from aggregator.models import iso

__all__ = ["event", "set_up"]

_JOURNAL_PRIORITY = {
    "DEBUG": 7,
    "INFO": 6,
    "WARNING": 4,
    "ERROR": 3,
    "CRITICAL": 2,
}  # syslog(3), as sd-daemon(3) reads them
_LONGEST = 2000  # characters of one value: a line must stay a line


def event(log: logging.Logger, level: int, name: str, message: str, **fields: Any) -> None:
    """Log one event: `message` for people; `name` and `fields` for programs (JSON, or as they are in text)."""
    log.log(level, "%s", message, extra={"event": name, "fields": fields})


def set_up(settings: Log, stream: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> None:
    """Send this program's log to `stream` (standard error), in the form that `settings` asks for."""
    handler = _StandardError() if stream is None else logging.StreamHandler(stream)
    stream = handler.stream
    kind = settings.format
    if kind == "auto":
        kind = "text"
        journal = "JOURNAL_STREAM" in environ and not stream.isatty()
        handler.setFormatter(_Journal() if journal else _Text())
    else:
        handler.setFormatter(_Json() if kind == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("aggregator").setLevel(settings.level.upper())
    # Its ticks overlap by design (max_instances=1): that one is still at work is no news. Errors the daemon tells itself;
    # what APScheduler would add is that a job was cancelled at the end.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)


class _StandardError(logging.StreamHandler[TextIO]):
    """Standard error as it is when a line is written: while a progress bar is shown, the bar makes room for the line."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        self.stream = sys.stderr
        super().emit(record)


def _one_line(value: Any) -> str:
    text = plain_line(str(value))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


class _Text(logging.Formatter):
    """`2026-02-25T06:23:00Z INFO  message`; a traceback, when there is one, follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return f"{_at(record)} {record.levelname:<7} {_message(record)}{_trace(record)}"


class _Journal(logging.Formatter):
    """The journal adds time and unit itself and reads the priority from `<6>`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; fields follow as name=value."""
        fields = " ".join(f"{name}={_one_line(value)}" for name, value in getattr(record, "fields", {}).items())
        priority = _JOURNAL_PRIORITY.get(record.levelname, 6)
        trace = _trace(record).replace("\n", f"\n<{priority}>")
        return f"<{priority}>{_message(record)}{' | ' + fields if fields else ''}{trace}"


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Keys: at, level, event, message, and the event's own."""
        fields = {
            k: v if isinstance(v, int | float | bool | None) else _one_line(v)
            for k, v in getattr(record, "fields", {}).items()
        }
        line = {
            "at": _at(record),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", record.name),
            "message": _message(record),
            **fields,
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _at(record: logging.LogRecord) -> str:
    return iso(datetime.fromtimestamp(record.created, UTC))


def _message(record: logging.LogRecord) -> str:
    return _one_line(record.getMessage())


def _trace(record: logging.LogRecord) -> str:
    return "\n" + logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
