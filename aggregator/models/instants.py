"""Instants as text."""

from datetime import UTC, datetime

__all__ = ["iso", "parse_iso"]


def iso(at: datetime) -> str:
    """`2026-02-25T06:23:00Z`: the one text form of an instant, in the database and in JSON."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_iso(text: str) -> datetime:
    """The inverse of `iso`; also takes other ISO 8601 forms. Raises ValueError."""
    at = datetime.fromisoformat(text)
    return (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)).replace(microsecond=0)
