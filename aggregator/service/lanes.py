"""Work of which some pieces are under way at once, taken from a line as there is room."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

__all__ = ["Lane", "Piece"]

K = TypeVar("K")
Piece = tuple[K, Callable[[], Coroutine[Any, Any, None]]]  # what it is known by while it is under way, and how to do it

_LOOK_S = 0.5  # between two looks at whether to stop, while others work


class Lane(Generic[K]):
    """Runs pieces of work.

    Args:
        take: gives the next pieces: `take(busy, room)`, at most `room`, none whose key is in `busy`.
        goes_on: asked before more is taken, and while work is under way; False takes no more.
        stops: whether to give up what is under way.
    """

    def __init__(
        self,
        take: Callable[[set[K], int], Awaitable[list[Piece[K]]]],
        *,
        goes_on: Callable[[], bool],
        stops: Callable[[], bool],
    ) -> None:
        self._take = take
        self._goes_on = goes_on
        self._stops = stops

    async def run(self, most: int) -> None:
        """Keep up to `most` pieces under way until none is left, or no more is to be taken. Raises what a piece raises."""
        under_way: dict[asyncio.Task[None], K] = {}
        try:
            while True:
                free = most - len(under_way)
                if self._goes_on() and free > 0:
                    for key, work in await self._take(set(under_way.values()), free):
                        under_way[asyncio.create_task(work())] = key
                if not under_way or self._stops():
                    return
                done, _ = await asyncio.wait(under_way, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    del under_way[task]
                    task.result()
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
