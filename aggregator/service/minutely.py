"""Counts that grow at every tick, and are told once a minute."""

from dataclasses import fields
from typing import Any, Generic, TypeVar

__all__ = ["Minutely"]

C = TypeVar("C")

_EVERY_S = 60.0


class Minutely(Generic[C]):
    """Sums up counts: a dataclass of numbers. `nothing` is the sum of none."""

    def __init__(self, nothing: C) -> None:
        self._nothing = self._sum = nothing
        self._not_before = 0.0

    def add(self, counts: C, now: float) -> C | None:
        """What is to be told now, or None: nothing happened, or the last line is less than a minute old. `now` in seconds."""
        names = [field.name for field in fields(counts)]  # type: ignore[arg-type]  # there is no type for "a dataclass"
        values: dict[str, Any] = {name: getattr(self._sum, name) + getattr(counts, name) for name in names}
        self._sum = type(counts)(**values)
        happened = any(value for name, value in values.items() if name != "elapsed_s")
        if not happened or now < self._not_before:
            return None
        told, self._sum, self._not_before = self._sum, self._nothing, now + _EVERY_S
        return told
