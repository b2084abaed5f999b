"""Follow what happens, miss nothing, do nothing twice: python follow.py DATABASE OUTPUT [--once]. Standard library only.

Each change becomes a line of JSON in OUTPUT. Where we are is what stands in OUTPUT itself: kill this program at any moment,
start it again, and it goes on behind the last whole line. A consumer with a database of its own stores `seq` with its rows.
"""

import json
import sqlite3
import sys
import time

database, output = sys.argv[1:3]
source = sqlite3.connect(f"file:{database}?mode=ro", uri=True, isolation_level=None)  # each query sees the latest
source.row_factory = sqlite3.Row
with open(output, "a+b") as out:
    out.seek(0)
    whole = out.read().rpartition(b"\n")[0]  # a kill may have left half a line
    out.truncate(len(whole) + 1 if whole else 0)
    seq = json.loads(whole.rpartition(b"\n")[2])["seq"] if whole else 0
    while True:
        rows = source.execute("SELECT * FROM changes WHERE seq > ? ORDER BY seq LIMIT 1000", (seq,)).fetchall()
        for row in rows:
            out.write(json.dumps(dict(row)).encode() + b"\n")
            seq = row["seq"]
        out.flush()
        if not rows:
            if "--once" in sys.argv:
                break
            time.sleep(1)
