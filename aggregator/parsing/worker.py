"""The processes that parse: a template that has imported the parser, and workers forked from it.

`python -m aggregator.parsing.worker FD MEGABYTES PARSER` is the template. It has no threads, so forking it is safe; a
worker costs milliseconds and shares the parser's memory with it. Over the socket FD it is told to fork a worker, which
serves the socket sent along, or to kill one (`frames.TELL`). Whatever ends the parent ends the template, by the end of
file on FD; whatever ends the template ends its workers.
"""

import ctypes
import gc
import importlib
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from aggregator.cleaning import plain_line
from aggregator.config import Limits
from aggregator.models import FailureReason, ParsedFeed, ParseFailed, ParseJob
from aggregator.parsing.frames import ANSWER, FORK, KILL, LENGTH, READY, TELL, decode_order, encode_result

Parser = Callable[[ParseJob, Limits], ParsedFeed | ParseFailed]

_NUMBER: Final = struct.Struct("!i")
_PR_SET_PDEATHSIG: Final = 1
_REAP_S: Final = 1.0


def _answer(parser: Parser, payload: bytes) -> tuple[bytes, bool]:
    """The answer to one order, and whether this worker is fit for another."""
    fit = True
    try:
        order = decode_order(payload)
        used = resource.getrusage(resource.RUSAGE_SELF)
        spent = int(used.ru_utime + used.ru_stime) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (spent + order.cpu_s, resource.RLIM_INFINITY))
        return encode_result(parser(order.job, order.limits)), True
    except MemoryError:
        failure, fit = "the parser ran out of the memory it may use", False
    except RecursionError:
        failure = "nested too deeply for the parser"
    except Exception as error:  # noqa: BLE001 - whatever a body makes a library raise is that body's failure
        failure = plain_line(f"the parser failed: {type(error).__name__}: {error}")[:300]
    return encode_result(ParseFailed(FailureReason.PARSE, failure)), fit


def _serve(parser: Parser, place: socket.socket) -> None:
    """A worker's life: one order after the other, until the socket closes or memory is short."""
    with place, place.makefile("rwb") as stream:
        fit = True
        while fit and len(header := stream.read(LENGTH.size)) == LENGTH.size:
            payload = stream.read(*LENGTH.unpack(header))
            began = time.process_time()
            answer, fit = _answer(parser, payload)
            stream.write(ANSWER.pack(len(answer), time.process_time() - began))
            stream.write(answer)
            stream.flush()


def _confine(memory_mb: int, template: int) -> None:
    """Limits for this process: its memory, no core files, and no life after the template's."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != template:
            os._exit(0)  # it died before the line above
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    size = memory_mb * 1024 * 1024
    # Private memory, where the system counts it (Linux 4.7): RLIMIT_AS would count every mapped library too.
    resource.setrlimit(resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS, (size, size))


def _fork(parser: Parser, control: socket.socket, place: socket.socket, memory_mb: int, niceness: int) -> int:
    template = os.getpid()
    if pid := os.fork():
        return pid
    status = 1
    try:
        control.close()
        os.nice(niceness)
        _confine(memory_mb, template)
        _serve(parser, place)
        status = 0
    except (OSError, ValueError):
        pass  # the parent has gone, or has closed this worker's socket
    finally:
        os._exit(status)  # nothing of the template's is to be cleaned up here


def _reap(workers: set[int]) -> None:
    for pid in list(workers):
        if os.waitpid(pid, os.WNOHANG)[0]:
            workers.discard(pid)


def _template(parser: Parser, control: socket.socket, memory_mb: int) -> None:
    """Forks and kills as it is told. Signals are the parent's business: this ends when the parent closes the socket."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    workers: set[int] = set()
    gc.collect()
    gc.freeze()  # a worker's collector then leaves the shared memory as it is
    control.sendall(_NUMBER.pack(READY))
    while True:
        ready = select.select([control], [], [], _REAP_S)[0]
        _reap(workers)
        if not ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(control, TELL.size, 1)
        if len(message) < TELL.size:
            break
        order, number = TELL.unpack(message)
        if order == FORK and descriptors:
            with socket.socket(fileno=descriptors[0]) as place:
                pid = _fork(parser, control, place, memory_mb, number)
            workers.add(pid)
            control.sendall(_NUMBER.pack(pid))
        elif order == KILL and number in workers:
            os.kill(number, signal.SIGKILL)
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    for pid in workers:
        os.waitpid(pid, 0)


def _main(descriptor: str, memory_mb: str, parser: str) -> None:
    module, _, name = parser.partition(":")
    with socket.socket(fileno=int(descriptor)) as control, suppress(ConnectionError):  # the parent may have gone
        _template(getattr(importlib.import_module(module), name), control, int(memory_mb))


if __name__ == "__main__":
    _main(*sys.argv[1:])
