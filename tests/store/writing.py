"""A daemon's writer in a process of its own: python writing.py FILE SECONDS; writes as fast as it can, then stops cleanly.

Prints `ready` when it has the file, and the number of polls at the end. Killed at any moment, it is a daemon that was killed.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conftest import NOW, SPECS, Desk, make_item, open_writer


def main():
    """Poll with two new items each, group them, again and again."""
    path, seconds = Path(sys.argv[1]), float(sys.argv[2])
    with open_writer(path, now=NOW) as writer:
        writer.sync_feeds(SPECS, now=NOW)
        desk = Desk(writer)
        began = writer.counts()["items"]
        print("ready", flush=True)  # noqa: T201  this is how it answers
        end = time.monotonic() + seconds
        polls = 0
        while time.monotonic() < end:
            name = f"{began}-{polls}"
            body = f"text of {name} " * 300
            desk.poll(
                SPECS[polls % 5].url,
                make_item(f"{name}a", f"Item {name}", body=body),
                make_item(f"{name}b", f"Other {name}"),
            )
            waiting = writer.to_cluster(2)
            desk.group(tuple(i.item_id for i in waiting))
            polls += 1
    print(polls, flush=True)  # noqa: T201  this is how it answers


main()
