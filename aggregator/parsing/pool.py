"""Parsing in processes of their own: what a body does to its parser, it does to nobody else.

Two lanes. The fast one gives every body a few seconds of CPU, which is many times what a feed needs. What takes longer
is killed, and goes to the slow lane: one worker, low priority, the full limit. So bodies made to keep a parser busy wait
for each other, and the feeds of everybody else do not wait for them.
"""

import asyncio
import os
import socket
import struct
import sys
from collections import OrderedDict
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import msgspec

from aggregator.cleaning import plain_line
from aggregator.config import Limits
from aggregator.models import FailureReason, ParsedFeed, ParseFailed, ParseJob
from aggregator.parsing.frames import ANSWER, FORK, KILL, LENGTH, TELL, Order, decode_result, encode

__all__ = ["ParsePool"]

_FAST_CPU_S: Final = 2
_WALL: Final = 5  # times the CPU limit: what a worker may take on a busy machine …
_WALL_MORE_S: Final = 5.0  # … and as much more
_RECYCLE: Final = 200  # jobs after which a worker is replaced, so that no leak of a library lasts
_LONG_CPU_S: Final = 0.5  # a body that takes so long is one for the slow lane next time; and its worker, which holds
# the memory that it needed, ends
_SLOW_QUEUE: Final = 16  # jobs that wait for the slow lane; their bodies stay in memory
_KNOWN_SLOW: Final = 1000  # addresses whose last body took long: these go to the slow lane at once
_LARGE: Final = (
    1_000_000  # bytes of a body that goes to the slow lane at once: there is one worker, and so one such at a time
)
_BACKLOG: Final = 32_000_000  # bytes of bodies that wait or are parsed
_LARGEST_RESULT: Final = 64_000_000  # bytes
_START_S: Final = 60.0
_FORK_S: Final = 10.0
_STOP_S: Final = 1.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 60.0  # between starts of a template that does not live
_SLOW_NICE: Final = 5
_NUMBER: Final = struct.Struct("!i")
# A worker is one thread: more arenas and more numerical threads would only cost memory.
_ENVIRONMENT: Final = {"MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

Result = ParsedFeed | ParseFailed


class _Gone(Exception):  # noqa: N818 - a signal inside this module
    """A process that was needed is not there; the text says why."""


@dataclass(slots=True)
class _Ticket:
    """A job that waits for its result."""

    job: ParseJob
    result: "asyncio.Future[Result]"


@dataclass(slots=True)
class _Worker:
    pid: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    jobs: int = 0
    cpu_s: float = 0.0  # what the last job took

    async def run(self, order: Order) -> Result:
        """Raises _Gone when the worker dies of it, and TimeoutError."""
        payload = encode(order)
        try:
            async with asyncio.timeout(order.cpu_s * _WALL + _WALL_MORE_S):
                self.writer.writelines((LENGTH.pack(len(payload)), payload))
                await self.writer.drain()
                size, self.cpu_s = ANSWER.unpack(await self.reader.readexactly(ANSWER.size))
                if size > _LARGEST_RESULT:
                    return ParseFailed(FailureReason.PARSE, f"what the feed holds comes to {size} bytes")
                answer = await self.reader.readexactly(size)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise _Gone(str(error)) from None
        self.jobs += 1
        return decode_result(answer)


@dataclass(slots=True)
class _Template:
    """The process that forks workers, and the socket that it listens to."""

    process: asyncio.subprocess.Process
    control: socket.socket
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def number(self, within_s: float) -> int:
        """The next number that it says. Raises _Gone."""
        loop = asyncio.get_running_loop()
        data = b""
        try:
            async with asyncio.timeout(within_s):
                while len(data) < _NUMBER.size:
                    piece = await loop.sock_recv(self.control, _NUMBER.size - len(data))
                    if not piece:
                        raise _Gone("the parser's process ended")
                    data += piece
        except (OSError, TimeoutError) as error:
            raise _Gone(f"the parser's process does not answer: {error}") from None
        return int(_NUMBER.unpack(data)[0])

    async def stop(self) -> None:
        """End it and its workers: it does so by itself when the socket closes."""
        self.control.close()
        try:
            async with asyncio.timeout(_STOP_S):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


class ParsePool:
    """Parses bodies in worker processes, each with a limit of CPU, memory and time.

    Args:
        limits: how many workers, and what each may use.
        parser: the function that parses, as "module:name"; called as `parse(job, limits)`.
    """

    def __init__(self, limits: Limits, *, parser: str = "aggregator.parsing.feed:parse") -> None:
        self._limits = limits
        self._parser = parser
        self._fast: asyncio.Queue[_Ticket] = asyncio.Queue()
        self._slow: asyncio.Queue[_Ticket] = asyncio.Queue(_SLOW_QUEUE)
        self._known_slow: OrderedDict[str, None] = OrderedDict()
        self._lanes: list[asyncio.Task[None]] = []
        self._template: _Template | None = None
        self._starting = asyncio.Lock()
        self._pause_s = 0.0
        self._not_before = 0.0  # on the loop's clock: the next start of a template
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
        if self._template:
            await self._template.stop()
            self._template = None

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
        worker: _Worker | None = None
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

    async def _serve(self, ticket: _Ticket, worker: _Worker | None, *, slow: bool) -> _Worker | None:
        """One job; returns the worker for the next one, None when that needs a fresh one."""
        if worker and worker.reader.at_eof():
            worker.writer.close()  # killed while it had nothing to do: no fault of this job
            worker = None
        try:
            worker = worker or await self._hire(_SLOW_NICE if slow else 0)
        except (_Gone, OSError) as error:  # such as no descriptor or no process to be had
            _settle(ticket, ParseFailed(FailureReason.INTERNAL, f"no parser: {error}"))
            return None
        cpu_s = self._limits.cpu_s if slow else min(self._limits.cpu_s, _FAST_CPU_S)
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            result = await worker.run(Order(cpu_s, self._limits, ticket.job))
        except asyncio.CancelledError:
            self._dismiss(worker)
            raise
        except (_Gone, TimeoutError, msgspec.MsgspecError):
            self._dismiss(worker)
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
            self._dismiss(worker)
            return None
        return worker

    async def _hire(self, niceness: int) -> _Worker:
        """A fresh worker. Raises _Gone."""
        template = await self._running()
        ours, theirs = socket.socketpair()
        try:
            async with template.lock:
                with theirs:
                    socket.send_fds(template.control, [TELL.pack(FORK, niceness)], [theirs.fileno()])
                pid = await template.number(_FORK_S)
            reader, writer = await asyncio.open_connection(sock=ours)
        except (_Gone, OSError) as error:
            ours.close()
            await self._lost(template)
            raise _Gone(str(error)) from None
        except BaseException:  # a cancellation: nothing half made is left behind
            ours.close()
            raise
        self._pause_s = 0.0
        return _Worker(pid, reader, writer)

    async def _running(self) -> _Template:
        """The template, started if need be; not again and again when it does not live. Raises _Gone."""
        async with self._starting:
            if self._template and self._template.process.returncode is None:
                return self._template
            if self._template:
                await self._lost(self._template)
            clock = asyncio.get_running_loop().time
            if clock() < self._not_before:
                raise _Gone(f"its process does not start; the next try is in {self._not_before - clock():.0f} s")
            self._pause_s = min(max(self._pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            template = None
            try:
                with theirs:
                    template = _Template(await self._spawn(theirs), ours)
                await template.number(_START_S)  # READY: it has imported the parser
            except BaseException:  # a cancellation too: nothing half started is left behind
                self._not_before = clock() + self._pause_s
                ours.close()
                if template:
                    await template.stop()
                raise
            self._template = template
            return template

    async def _spawn(self, control: socket.socket) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # nothing is imported from the working directory
                "-m",
                "aggregator.parsing.worker",
                str(control.fileno()),
                str(self._limits.memory_mb),
                self._parser,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                pass_fds=[control.fileno()],
                start_new_session=True,  # Ctrl-C in a terminal is for the parent
                env=os.environ | _ENVIRONMENT,
            )
        except OSError as error:
            raise _Gone(f"its process cannot be started: {error}") from None

    async def _lost(self, template: _Template) -> None:
        if self._template is template:
            self._template = None
            self._not_before = asyncio.get_running_loop().time() + self._pause_s
            await template.stop()

    def _dismiss(self, worker: _Worker) -> None:
        """End a worker, whatever it is doing."""
        worker.writer.close()
        if self._template:
            try:
                self._template.control.send(TELL.pack(KILL, worker.pid))
            except OSError:
                return  # the template has ended, and its workers with it


def _settle(ticket: _Ticket, result: Result) -> None:
    if not ticket.result.done():
        ticket.result.set_result(result)
