"""For systemd/test.sh: made-up publishers behind host names, and the name server that knows them. Writes their catalogue; runs until killed."""

import socketserver
import sys
import threading
import time
from pathlib import Path

from publisher import Publisher

from aggregator.feedfiles import toml_of_feeds
from aggregator.models import FeedSpec

FEEDS = 8


class Names(socketserver.BaseRequestHandler):
    """Answers each query for outlet-N.test with 127.1.0.N+1 (RFC 1035, section 4); for anything else there is no such name."""

    def handle(self) -> None:
        """One query."""
        query, sock = self.request
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        question, kind = query[12 : at + 5], query[at + 1 : at + 3]
        number = labels[0].removeprefix("outlet-")
        known = labels[1:] == ["test"] and number.isdigit()
        answer = (
            b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04" + bytes((127, 1, 0, int(number) + 1)) if known else b""
        )
        answer = answer if kind == b"\x00\x01" else b""
        flags = b"\x81\x80" if known else b"\x81\x83"
        counts = b"\x00\x01" + len(answer[:1]).to_bytes(2) + bytes(4)
        sock.sendto(query[:2] + flags + counts + question + answer, self.client_address)


def main(catalogue: str) -> None:
    """Serve; the catalogue goes to this file."""
    server = socketserver.UDPServer(("127.0.0.1", 53), Names)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Publisher(FEEDS, items=6) as publisher:
        specs = [
            FeedSpec(publisher.url(n).replace(f"127.1.0.{n + 1}", f"outlet-{n}.test"), f"Outlet {n}", "GB", "en")
            for n in range(FEEDS)
        ]
        Path(catalogue).write_text(toml_of_feeds(specs), encoding="utf-8")
        while True:
            time.sleep(2)
            if publisher.requests.total() > FEEDS:
                publisher.publish()


if __name__ == "__main__":
    main(*sys.argv[1:])
