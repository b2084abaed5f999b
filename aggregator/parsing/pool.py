"""Parsing in processes of their own: what a body does to its parser, it does to nobody else.

Two lanes. The fast one gives every body a few seconds of CPU, which is many times what a feed needs. What takes longer
is killed, and goes to the slow lane: one worker, low priority, the full limit. So bodies made to keep a parser busy wait
for each other, and the feeds of everybody else do not wait for them.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import msgspec

from aggregator.cleaning import plain_line
from aggregator.config import Limits
from aggregator.models import FailureReason, ParseFailed, ParseJob
from aggregator.parsing.frames import Order
from aggregator.parsing.processes import Result, Worker, WorkerGone, Workers

__all__ = ["ParsePool"]

_FAST_CPU_S: Final = 2
_RECYCLE: Final = 200  # jobs after which a worker is replaced, so that no leak of a library lasts
_LONG_CPU_S: Final = 0.5  # a body that takes so long is one for the slow lane next time; and its worker, which holds
# the memory that it needed, ends
_SLOW_QUEUE: Final = 16  # jobs that wait for the slow lane; their bodies stay in memory
_KNOWN_SLOW: Final = 1000  # addresses whose last body took long: these go to the slow lane at once
_LARGE: Final = (
    1_000_000  # bytes of a body that goes to the slow lane at once: there is one worker, and so one such at a time
)
_BACKLOG: Final = 32_000_000  # bytes of bodies that wait or are parsed
_SLOW_NICE: Final = 5


@dataclass(slots=True)
class _Ticket:
    """A job that waits for its result."""

    job: ParseJob
    result: "asyncio.Future[Result]"


class ParsePool:
    """Parses bodies in worker processes, each with a limit of CPU, memory and time.

    Args:
        limits: how many workers, and what each may use.
        parser: the function that parses, as "module:name"; called as `parse(job, limits)`.
    """

    def __init__(self, limits: Limits, *, parser: str = "aggregator.parsing.feed:parse") -> None:
        self._limits = limits
        self._workers = Workers(limits, parser)
        self._fast: asyncio.Queue[_Ticket] = asyncio.Queue()
        self._slow: asyncio.Queue[_Ticket] = asyncio.Queue(_SLOW_QUEUE)
        self._known_slow: OrderedDict[str, None] = OrderedDict()
        self._lanes: list[asyncio.Task[None]] = []
        self._open = False
        self._backlog = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Begin to take jobs. The first job starts the processes, which takes about a second."""
        self._open = True
        for _ in range(self._limits.workers):
            self._lanes.append(asyncio.create_task(self._lane(self._fast, slow=False)))
        self._lanes.append(asyncio.create_task(self._lane(self._slow, slow=True)))

    async def aclose(self) -> None:
        """Stop within two seconds. Jobs that are not done fail."""
        self._open = False
        for lane in self._lanes:
            lane.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)
        self._lanes.clear()
        for queue in (self._fast, self._slow):
            while not queue.empty():
                _settle(queue.get_nowait(), ParseFailed(FailureReason.INTERNAL, "the parser was stopped"))
        await self._workers.aclose()

    async def parse(self, job: ParseJob) -> Result:
        """What the body of `job` says. Never raises: whatever happens to the worker is this job's ParseFailed."""
        if not self._open:
            return ParseFailed(FailureReason.INTERNAL, "the parser was stopped")
        size = len(job.body)
        if self._backlog + size > _BACKLOG:
            return ParseFailed(
                FailureReason.INTERNAL, "many large feeds are waiting for the parser; this one has to come again"
            )
        ticket = _Ticket(job, asyncio.get_running_loop().create_future())
        self._backlog += size
        try:
            if size > _LARGE or job.url in self._known_slow:
                self._queue_slow(ticket)
            else:
                self._fast.put_nowait(ticket)
            return await ticket.result
        finally:
            self._backlog -= size

    def _remember(self, url: str) -> None:
        self._known_slow[url] = None
        self._known_slow.move_to_end(url)
        if len(self._known_slow) > _KNOWN_SLOW:
            self._known_slow.popitem(last=False)

    def _queue_slow(self, ticket: _Ticket) -> None:
        try:
            self._slow.put_nowait(ticket)
        except asyncio.QueueFull:
            _settle(
                ticket, ParseFailed(FailureReason.INTERNAL, "takes long to parse, and many others that do are waiting")
            )

    async def _lane(self, queue: asyncio.Queue[_Ticket], *, slow: bool) -> None:
        """Takes one job after the other, for ever."""
        worker: Worker | None = None
        try:
            while True:
                ticket = await queue.get()
                if ticket.result.done():
                    continue  # whoever asked has gone
                try:
                    worker = await self._serve(ticket, worker, slow=slow)
                except asyncio.CancelledError:
                    _settle(ticket, ParseFailed(FailureReason.INTERNAL, "the parser was stopped"))
                    raise
                except Exception as error:  # noqa: BLE001 - no error of ours may end a lane: the feeds behind it would wait for ever
                    worker = None
                    detail = plain_line(f"{type(error).__name__}: {error}")[:300]
                    _settle(ticket, ParseFailed(FailureReason.INTERNAL, detail))
        finally:
            if worker:
                worker.writer.close()

    async def _serve(self, ticket: _Ticket, worker: Worker | None, *, slow: bool) -> Worker | None:
        """One job; returns the worker for the next one, None when that needs a fresh one."""
        if worker and worker.reader.at_eof():
            worker.writer.close()  # killed while it had nothing to do: no fault of this job
            worker = None
        try:
            worker = worker or await self._workers.hire(_SLOW_NICE if slow else 0)
        except (WorkerGone, OSError) as error:  # such as no descriptor or no process to be had
            _settle(ticket, ParseFailed(FailureReason.INTERNAL, f"no parser: {error}"))
            return None
        cpu_s = self._limits.cpu_s if slow else min(self._limits.cpu_s, _FAST_CPU_S)
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            result = await worker.run(Order(cpu_s, self._limits, ticket.job))
        except asyncio.CancelledError:
            self._workers.dismiss(worker)
            raise
        except (WorkerGone, TimeoutError, msgspec.MsgspecError):
            self._workers.dismiss(worker)
            took = clock() - began
            if took < cpu_s:
                _settle(ticket, ParseFailed(FailureReason.PARSE, f"it killed its parser after {took:.1f} s"))
            elif cpu_s < self._limits.cpu_s:
                self._remember(ticket.job.url)
                self._queue_slow(ticket)
            else:
                _settle(ticket, ParseFailed(FailureReason.PARSE, f"it keeps the parser busy for more than {cpu_s} s"))
            return None
        long = worker.cpu_s > _LONG_CPU_S
        if long:
            self._remember(ticket.job.url)
        elif slow:
            self._known_slow.pop(ticket.job.url, None)
        _settle(ticket, result)
        # A fork is cheap. The slow lane is mostly empty: no worker waits there. One that failed may be short of memory.
        failed = getattr(result, "reason", None) is FailureReason.PARSE
        if slow or failed or long or worker.jobs >= _RECYCLE:
            self._workers.dismiss(worker)
            return None
        return worker


def _settle(ticket: _Ticket, result: Result) -> None:
    if not ticket.result.done():
        ticket.result.set_result(result)
