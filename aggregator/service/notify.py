"""Messages to systemd over $NOTIFY_SOCKET; silence where there is none. See sd_notify(3)."""

import os
import socket
from collections.abc import Mapping

__all__ = ["Notifier"]


class Notifier:
    """Tells the service manager READY=1, STATUS=…, WATCHDOG=1, RELOADING=1, STOPPING=1."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        usec = environ.get("WATCHDOG_USEC", "")
        ours = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s: float | None = int(usec) / 1e6 if usec.isdigit() and ours else None

    def send(self, **fields: str | int) -> None:
        """Send fields such as READY=1; a manager that does not listen is no reason to stop."""
        if not self._address:
            return
        # A name that begins with @ is in Linux's abstract namespace, which the socket call writes as a null byte.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        text = "\n".join(f"{name}={' '.join(str(value).split())}" for name, value in fields.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.connect(address)
                sock.sendall(text.encode())
        except OSError:
            return
