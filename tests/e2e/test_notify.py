"""What the daemon tells the service manager, over the real socket."""

import asyncio
import signal
import socket
import threading
import time
from datetime import UTC, datetime

import pytest
from daemonkit import DaemonProcess, until
from publisher import Publisher

from aggregator.config import Config
from aggregator.service.daemon import Daemon
from aggregator.service.notify import Notifier
from aggregator.service.runtime import Runtime
from aggregator.store.writer import open_writer


class Manager:
    """A service manager that writes down what it is told, and when."""

    def __init__(self, path):
        self.path = str(path)
        self.told = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.settimeout(0.2)
        self._open = True
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self):
        while self._open:
            try:
                text = self._socket.recv(4096).decode()
            except TimeoutError:
                continue
            self.told.append((time.monotonic(), dict(line.split("=", 1) for line in text.splitlines())))

    def heard(self, key, since=0.0):
        """The values of one field."""
        return [fields[key] for at, fields in self.told if key in fields and at >= since]

    def close(self):
        """Stop listening."""
        self._open = False
        self._thread.join()
        self._socket.close()


@pytest.fixture
def manager(tmp_path):
    """A manager's socket."""
    manager = Manager(tmp_path / "notify")
    yield manager
    manager.close()


def test_a_life_as_the_manager_sees_it(tmp_path, manager):
    """READY once the database is written, WATCHDOG while it works and not while it is stopped, RELOADING then READY, STOPPING."""
    environ = {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "2000000"}
    with Publisher(3) as publisher, DaemonProcess(tmp_path, publisher.specs(), environ=environ).start() as daemon:
        until(lambda: manager.heard("READY"), 10, "READY")
        assert daemon.value("SELECT count(*) FROM feeds") == 3
        until(lambda: len(manager.heard("WATCHDOG")) >= 3, 15, "WATCHDOG")
        until(
            lambda: [s for s in manager.heard("STATUS") if s.startswith("3 feeds, 15 items")], 90, "STATUS with figures"
        )
        daemon.signal(signal.SIGSTOP)
        time.sleep(0.5)
        since = time.monotonic()
        time.sleep(2)
        assert manager.heard("WATCHDOG", since) == []
        daemon.signal(signal.SIGCONT)
        until(lambda: manager.heard("WATCHDOG", since), 10, "WATCHDOG again")
        since = time.monotonic()
        daemon.signal(signal.SIGHUP)
        until(lambda: manager.heard("READY", since), 10, "READY after the reload")
        names = [
            next(iter(fields)) for at, fields in manager.told if at >= since and {"READY", "RELOADING"} & fields.keys()
        ]
        assert names == ["RELOADING", "READY"]
        assert int(manager.heard("MONOTONIC_USEC", since)[0]) > 0
        assert daemon.stop() == 0
        assert manager.heard("STOPPING") == ["1"]


def test_the_watchdog_is_not_fed_when_the_writer_or_a_stage_hangs(tmp_path, manager):
    """A writer's thread that does not answer, or a stage at work that makes no step for two minutes: no WATCHDOG."""

    async def main():
        now = datetime.now(UTC)
        writer = open_writer(tmp_path / "a.db", now=now)
        async with Runtime(Config(), writer=writer, embedder=None) as runtime:
            notifier = Notifier({"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "2000000"})
            daemon = Daemon(runtime, [], lambda: (Config(), []), notifier=notifier)
            await daemon._watchdog()
            await asyncio.to_thread(until, lambda: len(manager.heard("WATCHDOG")) == 1, 5, "WATCHDOG")
            free = threading.Event()
            hanging = asyncio.create_task(runtime.store(free.wait))
            feeding = asyncio.create_task(daemon._watchdog())
            await asyncio.sleep(0.5)
            assert len(manager.heard("WATCHDOG")) == 1
            free.set()
            await asyncio.gather(hanging, feeding)
            await asyncio.to_thread(until, lambda: len(manager.heard("WATCHDOG")) == 2, 5, "WATCHDOG")
            daemon._jobs["poll_due"] = feeding
            runtime.rounds.last_progress = time.monotonic() - 121
            await daemon._watchdog()
            runtime.rounds.last_progress = time.monotonic()
            daemon._jobs["cluster"] = feeding
            runtime.grouping.last_progress = time.monotonic() - 121
            await daemon._watchdog()
            await asyncio.sleep(0.5)
            assert len(manager.heard("WATCHDOG")) == 2
            daemon._jobs.clear()  # no work: no step is asked for
            await daemon._watchdog()
            await asyncio.to_thread(until, lambda: len(manager.heard("WATCHDOG")) == 3, 5, "WATCHDOG")

    asyncio.run(main())
