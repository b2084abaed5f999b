"""Readers in processes of their own, as another user: python reading.py FILE UID GID SECONDS KIND…; prints JSON by kind.

KIND: `fresh` (a connection for each query), `held` (one connection), `ours` (aggregator's Reader), `long` (one read
transaction all the time). Each reads until SECONDS are over (once when they are 0), and on until standard input ends.
Prints `ready` first.
"""

import json
import os
import select
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

from aggregator.store.reader import open_reader  # before this process may no longer read the program

SQL = "SELECT (SELECT count(*) FROM items) AS items, (SELECT count(*) FROM coverage) AS shown, (SELECT max(seq) FROM changes) AS seq"


def connect(path):
    """As anybody opens it: read-only, with the standard library's time-out of 5 s."""
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


def readings(path, kind):
    """Endless answers of a database, one a query."""
    if kind == "fresh":
        while True:
            with closing(connect(path)) as db:
                yield db.execute(SQL).fetchone()
    if kind == "ours":
        with open_reader(path) as reader:
            while True:
                yield tuple(reader.query(SQL)[0].values())
    with closing(connect(path)) as db:
        if kind == "long":
            db.execute("BEGIN")
        while True:
            yield db.execute(SQL).fetchone()


def read(path, kind, seconds):
    """Read for a while; what was seen."""
    count, last, problems = 0, None, []
    end = time.monotonic() + seconds
    try:
        for row in readings(Path(path), kind):
            count += 1
            if row[0] != row[1]:
                problems.append(f"torn: {row}")
            if kind == "long" and last not in (None, row):
                problems.append(f"not of one moment: {last}, {row}")
            if last is not None and row[2] < last[2]:
                problems.append(f"went back: {last}, {row}")
            last = row
            time.sleep(0.002)  # the machine has other work
            if time.monotonic() >= end and select.select([0], [], [], 0)[0]:
                break
    except Exception as error:  # noqa: BLE001  whatever it is, the test wants to see it
        problems.append(f"{type(error).__name__}: {error}")
    return {"count": count, "last": last, "problems": problems}


def main():
    """Become the other user; read in a process for each kind; tell."""
    path, uid, gid, seconds, *kinds = sys.argv[1:]
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
    print("ready", flush=True)  # noqa: T201  this is how it answers
    pipes = {}
    for kind in kinds:
        pipes[kind], end = os.pipe()
        if os.fork() == 0:
            os.write(end, json.dumps(read(path, kind, float(seconds))).encode())
            os._exit(0)
        os.close(end)
    found = {}
    for kind, pipe in pipes.items():
        with open(pipe, "rb") as answer:  # noqa: PTH123  a pipe has no path
            found[kind] = json.loads(answer.read())
    print(json.dumps(found))  # noqa: T201  this is how it answers


main()
