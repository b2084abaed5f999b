"""The processes that parse: a template that has imported the parser, and the workers that it forks in milliseconds.

Which job goes to a worker, and what a worker that dies means for it, is `pool`'s.
"""

import asyncio
import os
import socket
import struct
import sys
from dataclasses import dataclass, field
from typing import Final

from aggregator.config import Limits
from aggregator.models import FailureReason, ParsedFeed, ParseFailed
from aggregator.parsing.frames import ANSWER, FORK, KILL, LENGTH, TELL, Order, decode_result, encode

__all__ = ["Result", "Worker", "WorkerGone", "Workers"]

_WALL: Final = 5  # times the CPU limit: what a worker may take on a busy machine …
_WALL_MORE_S: Final = 5.0  # … and as much more
_LARGEST_RESULT: Final = 64_000_000  # bytes
_START_S: Final = 60.0
_FORK_S: Final = 10.0
_STOP_S: Final = 1.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 60.0  # between starts of a template that does not live
_NUMBER: Final = struct.Struct("!i")
# A worker is one thread: more arenas and more numerical threads would only cost memory.
_ENVIRONMENT: Final = {"MALLOC_ARENA_MAX": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

Result = ParsedFeed | ParseFailed


class WorkerGone(Exception):  # noqa: N818 - a signal between the pool and its processes
    """A process that was needed is not there; the text says why."""


@dataclass(slots=True)
class Worker:
    """One process that parses, one job at a time."""

    pid: int
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    jobs: int = 0
    cpu_s: float = 0.0  # what the last job took

    async def run(self, order: Order) -> Result:
        """What the job comes to, as the worker says. Raises WorkerGone when the worker dies of it, and TimeoutError."""
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
            raise WorkerGone(str(error)) from None
        self.jobs += 1
        return decode_result(answer)


@dataclass(slots=True)
class _Template:
    """The process that forks workers, and the socket that it listens to."""

    process: asyncio.subprocess.Process
    control: socket.socket
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def number(self, within_s: float) -> int:
        """The next number that it says. Raises WorkerGone."""
        loop = asyncio.get_running_loop()
        data = b""
        try:
            async with asyncio.timeout(within_s):
                while len(data) < _NUMBER.size:
                    piece = await loop.sock_recv(self.control, _NUMBER.size - len(data))
                    if not piece:
                        raise WorkerGone("the parser's process ended")
                    data += piece
        except (OSError, TimeoutError) as error:
            raise WorkerGone(f"the parser's process does not answer: {error}") from None
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


class Workers:
    """The template, started when it is needed and again when it died, and who works for it.

    Args:
        limits: what each worker may use.
        parser: the function that parses, as "module:name".
    """

    def __init__(self, limits: Limits, parser: str) -> None:
        self._limits = limits
        self._parser = parser
        self._template: _Template | None = None
        self._starting = asyncio.Lock()
        self._pause_s = 0.0
        self._not_before = 0.0  # on the loop's clock: the next start of a template

    async def aclose(self) -> None:
        """End all processes."""
        if self._template:
            await self._template.stop()
            self._template = None

    async def hire(self, niceness: int) -> Worker:
        """A fresh worker, forked at this niceness. Raises WorkerGone."""
        template = await self._running()
        ours, theirs = socket.socketpair()
        try:
            async with template.lock:
                with theirs:
                    socket.send_fds(template.control, [TELL.pack(FORK, niceness)], [theirs.fileno()])
                pid = await template.number(_FORK_S)
            reader, writer = await asyncio.open_connection(sock=ours)
        except (WorkerGone, OSError) as error:
            ours.close()
            await self._lost(template)
            raise WorkerGone(str(error)) from None
        except BaseException:  # a cancellation: nothing half made is left behind
            ours.close()
            raise
        self._pause_s = 0.0
        return Worker(pid, reader, writer)

    def dismiss(self, worker: Worker) -> None:
        """End a worker, whatever it is doing."""
        worker.writer.close()
        if self._template:
            try:
                self._template.control.send(TELL.pack(KILL, worker.pid))
            except OSError:
                return  # the template has ended, and its workers with it

    async def _running(self) -> _Template:
        """The template, started if need be; not again and again when it does not live. Raises WorkerGone."""
        async with self._starting:
            if self._template and self._template.process.returncode is None:
                return self._template
            if self._template:
                await self._lost(self._template)
            clock = asyncio.get_running_loop().time
            if clock() < self._not_before:
                raise WorkerGone(f"its process does not start; the next try is in {self._not_before - clock():.0f} s")
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
            raise WorkerGone(f"its process cannot be started: {error}") from None

    async def _lost(self, template: _Template) -> None:
        if self._template is template:
            self._template = None
            self._not_before = asyncio.get_running_loop().time() + self._pause_s
            await template.stop()
