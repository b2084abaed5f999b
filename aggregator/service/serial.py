"""A thread of its own for what must happen one call after the other: the one writer, the clusterer."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, TypeVar

__all__ = ["Serial"]

P = ParamSpec("P")
T = TypeVar("T")


class Serial:
    """Runs calls in one thread, in the order in which they were made, while the event loop goes on.

    Not an executor of the standard library: the interpreter waits for the threads of those, without a limit, and a model
    or a network that hangs would keep a process that was told to stop.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._closed = False
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def __call__(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await the call's result. A call that began is finished, also when the one who waits is cancelled."""
        if self._closed:
            raise asyncio.CancelledError(f"the thread {self._thread.name} is closed")
        future: Future[T] = Future()
        self._calls.put((future, partial(function, *args, **kwargs)))
        return await asyncio.wrap_future(future)

    def close(self, within_s: float) -> bool:
        """Finish what was begun, drop what waits, end the thread; False when it is still at work after `within_s`."""
        self._closed = True
        self._calls.put(None)
        self._thread.join(within_s)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            future, function = call
            if self._closed:
                future.cancel()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001 - whoever awaits the call gets it
                future.set_exception(error)
            else:
                future.set_result(result)
            del future, function, call  # what they hold is not kept until the next call
