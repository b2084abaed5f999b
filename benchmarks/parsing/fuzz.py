"""Feeds damaged at random: does any make the parser fail, or take long?

    .venv/bin/python benchmarks/parsing/fuzz.py [inputs, default 20000] [FOLDER_OR_FILE of more seeds …]

Seeds are feeds written here and the files named; each input is one of them after up to eight cuts, copies, swaps, splices with
another seed and insertions of what parsers stumble over. Found are: an exception behind the answer ("the parser failed"),
one that got out, more than a second of CPU for one input, items that break the promises of the model. Each is printed with
the random seed that makes it again. `FUZZ_SEED` sets the first.
"""

import os
import random
import resource
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from aggregator.config import Limits
from aggregator.models import Item, Known, ParsedFeed, ParseFailed, ParseJob
from aggregator.parsing.feed import parse
from aggregator.parsing.identity import resolve
from aggregator.parsing.urls import canonical

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RSS = (
    '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:media="http://search.yahoo.com/mrss/"><channel><title>Krasta Vēstis</title>'
    "<link>https://e.lv/</link><language>lv</language><ttl>5</ttl><skipHours><hour>3</hour></skipHours>"
    + "".join(
        f"<item><title>Ziņa numur {n}: ostā &amp; pilsētā</title><link>https://e.lv/r/{n}?utm_source=rss</link><guid isPermaLink='false'>{n}</guid>"
        f"<pubDate>Sun, 01 Mar 2026 0{n}:30:00 EET</pubDate><description><![CDATA[<p>Teksts <b>{n}</b></p>]]></description>"
        "<content:encoded>&lt;p&gt;Garāks&lt;/p&gt;&lt;img src='/i.jpg'&gt;</content:encoded><dc:creator>Anna (a@e.lv)</dc:creator>"
        "<category>Ziņas</category><media:thumbnail url='https://e.lv/t.jpg'/></item>"
        for n in range(4)
    )
    + "</channel></rss>"
)
ATOM = (
    '<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="ru"><title type="html">Новости</title><link href="https://e.ru/"/>'
    + "".join(
        f'<entry><title>Пожар {n} в порту</title><id>tag:{n}</id><link rel="alternate" href="/a/{n}"/><updated>2026-03-01T0{n}:00:00Z</updated>'
        '<author><name>Анна</name></author><summary type="html">&lt;i&gt;Текст&lt;/i&gt;</summary>'
        '<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><p>Текст</p></div></content></entry>'
        for n in range(4)
    )
    + "</feed>"
)
RDF = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"><channel><title>速報</title></channel>'
    + "".join(
        f'<item rdf:about="u{n}"><title>港の火災 {n}</title><link>https://e.jp/{n}</link><description>鎮火</description></item>'
        for n in range(4)
    )
    + "</rdf:RDF>"
)
JSON = '{"version":"https://jsonfeed.org/version/1.1","title":"t","items":[{"id":"1","url":"https://e.org/1","title":"Fire","content_html":"<p>x</p>","date_published":"2026-03-01T00:00:00Z","tags":["a"]},{"id":2,"content_text":"a & b"}]}'
TOKENS = [
    token.encode("utf-8", "surrogatepass")
    for token in (
        "<", ">", "&", "]]>", "<![CDATA[", "<!--", "-->", "<?", "?>", "</item>", "<item>", "<entry>", "</entry>", "<channel>", "</channel>", "</rss>", "<item/>",
        "<textInput><name>n</name></textInput>", "<source>", "</source>", "<content>", "<summary>", "</summary>", "<svg>", "xml:base='/x/'", "xml:lang=''", "xmlns:a=''", "xmlns=''",
        "&nbsp;", "&#0;", "&#xD800;", "&#99999999;", "&amp;amp;lt;b&amp;gt;", "&undefined;", "<!DOCTYPE x [<!ENTITY a 'b'>]>", "<!DOCTYPE html>", "\x00", "\ufeff", "\ufffe", "\u202e", "\u200b", "e\u0301" * 40,
        "\ud800", "\xff", "encoding='undefined'", "encoding='utf-16'", "0000-00-00", "99999999999999999999", "Sun, 31 Feb 2026 99:99:99 XYZ", "1404/12/06", "12/31/1969", "http://[", "https://a:99999999/", "javascript:x",
        "type='application/octet-stream'", "mode='base64'", "type='xhtml'", "isPermaLink='true'", '"', "'", "{", "}", "[", "]", ",", "null", "1e999", '{"a":' * 50, "<a>" * 120, "a" * 3000, " " * 3000, "<b>" * 300,
    )
]  # fmt: skip


def damaged(seeds: list[bytes], rng: random.Random) -> bytes:
    body = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 8)):
        at = rng.randint(0, len(body))
        length = rng.choice((0, 1, 1, 2, 8, 40, 300))
        kind = rng.random()
        if kind < 0.3:
            body[at:at] = rng.choice(TOKENS)
        elif kind < 0.5:
            del body[at : at + length]
        elif kind < 0.6:
            body[at : at + length] = rng.randbytes(min(length, 8))
        elif kind < 0.75:
            piece = bytes(body[at : at + length])
            to = rng.randint(0, len(body))
            body[to:to] = piece * rng.choice((1, 1, 2, 30))
        elif kind < 0.9:
            other = rng.choice(seeds)
            start = rng.randint(0, len(other))
            body[at:at] = other[start : start + rng.choice((20, 200, 1500))]
        elif at < len(body):
            body[at] ^= 1 << rng.randrange(8)
    if rng.random() < 0.05:
        return (
            bytes(body)
            .decode("utf-8", "ignore")
            .encode(rng.choice(("utf-16", "utf-32", "cp1251", "cp1257", "shift_jis")), "ignore")
        )
    return bytes(body)


def broken_promises(item: Item) -> list[str]:
    """What an Item must never be."""
    texts = {"title": item.title, "summary": item.summary, "author": item.author, "body": item.body, "guid": item.guid}
    found = [
        name
        for name, text in texts.items()
        if any((ord(c) < 32 and c != "\n") or 0x202A <= ord(c) <= 0x202E for c in text)
    ]
    found += ["title of several lines"] if "\n" in item.title else []
    found += ["no title"] if not item.title else []
    found += ["date in the future"] if item.published_at > NOW else []
    found += ["canonical url"] if item.canonical_url and canonical(item.canonical_url) != item.canonical_url else []
    found += ["script"] if "<script" in item.body_html.lower() else []
    return found


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    seeds = [text.encode() for text in (RSS, ATOM, RDF, JSON)]
    for argument in sys.argv[2:]:
        path = Path(argument)
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        seeds += [file.read_bytes() for file in files if file.is_file() and file.stat().st_size < 60_000]
    first = int(os.environ.get("FUZZ_SEED", "1"))
    outcomes: Counter[str] = Counter()
    problems: list[str] = []
    slowest = 0.0
    start = time.perf_counter()
    for number in range(first, first + count):
        rng = random.Random(number)
        body = damaged(seeds, rng)
        job = ParseJob(
            body,
            "https://e.org/feed",
            NOW,
            rng.choice(("", "text/xml; charset=windows-1251")),
            rng.choice(("", "lv")),
            "LV",
            "",
            "E",
        )
        before = time.process_time()
        try:
            found = parse(job, Limits())
            if isinstance(found, ParsedFeed):
                resolve(found.items, Known(), now=NOW)
                problems += [f"{number}: {promise}" for item in found.items for promise in broken_promises(item)]
        except Exception as error:  # noqa: BLE001 - finding them is the purpose
            problems.append(f"{number}: {error!r} got out")
            continue
        spent = time.process_time() - before
        slowest = max(slowest, spent)
        if spent > 1:
            problems.append(f"{number}: {spent:.1f} s of CPU")
        if isinstance(found, ParseFailed) and "the parser failed" in found.detail:
            problems.append(f"{number}: {found.detail}")
        outcomes["read" if isinstance(found, ParsedFeed) else f"refused: {found.reason}"] += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    print(
        f"{count} inputs of {len(seeds)} seeds in {time.perf_counter() - start:.0f} s; slowest {slowest:.2f} s; peak {peak:.0f} MB"
    )
    print(", ".join(f"{name} {n}" for name, n in outcomes.most_common()))
    print(f"{len(problems)} problems")
    for problem in problems[:30]:
        print(problem)
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
