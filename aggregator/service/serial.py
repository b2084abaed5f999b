"""A thread of its own for what must happen one call after the other: the one writer, the clusterer."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

__all__ = ["Serial"]

P = ParamSpec("P")
T = TypeVar("T")


class Serial:
    """Runs calls in one thread, in the order in which they were made, while the event loop goes on."""

    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await the call's result. A call that began is finished, also when the one who waits is cancelled."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: function(*args, **kwargs))

    def close(self) -> None:
        """Finish what was begun, drop what waits, end the thread."""
        self._executor.shutdown(wait=True, cancel_futures=True)
