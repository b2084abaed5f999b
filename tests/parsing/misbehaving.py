"""A parser for the tests of the pool: it does what the body says."""

import os
import time

from aggregator.models import FailureReason, ParsedFeed, ParseFailed


def parse(job, limits):  # noqa: C901 - one case for each kind of misbehaviour
    """Misbehaves as told; a word that it does not know becomes the feed's title."""
    word, _, number = job.body.decode().partition(" ")
    match word:
        case "pid":
            return ParsedFeed(title=str(os.getpid()), homepage="", language="", items=(), digests=())
        case "die":
            os._exit(3)
        case "abort":
            os.abort()
        case "spin":
            end = time.process_time() + float(number)
            while time.process_time() < end:
                pass
        case "sleep":
            time.sleep(float(number))
        case "eat":
            hoard = [bytes(1_000_000) for _ in range(int(number))]
            return ParsedFeed(title=str(len(hoard)), homepage="", language="", items=(), digests=())
        case "raise":
            raise ValueError("bad\x1b[31m " + "x" * 1000)
        case "recurse":
            return parse(job, limits)
        case "refuse":
            return ParseFailed(FailureReason.NOT_A_FEED, "no feed")
        case "half":
            return ParsedFeed(title="\ud83d", homepage="", language="", items=(), digests=())
        case "big":
            return ParsedFeed(title="x" * int(number), homepage="", language="", items=(), digests=())
    return ParsedFeed(title=word, homepage="", language="", items=(), digests=())
