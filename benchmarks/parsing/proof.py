"""Proof over corpora that parsing only what is new equals a full parse.

    .venv/bin/python benchmarks/parsing/proof.py FOLDER_OR_FILE …

Every file is laid out. Entries that are read without feedparser must equal what it reads. Where the layout calls it regular, feedparser reads the whole document once, and then the head with
each entry alone, with every second, with a random third, with none: each time the entries and the head must be equal,
field for field, to those of the full parse. The sdist of feedparser holds a test suite of some thousand documents:

Then entries of different documents are spliced into common ones, twelve at a time, so that odd entries stand next to each
other: what one of them might leave behind in feedparser's state would show in the next.

    pip download --no-deps --no-binary :all: feedparser && tar xf feedparser-*.tar.gz
"""

import random
import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from aggregator.parsing.decode import decode
from aggregator.parsing.feed_judge import read_document
from aggregator.parsing.layout import Layout, Malformed, lay_out
from aggregator.parsing.quick import quick_entries
from aggregator.parsing.raw import RawFeed

SPLICED = 12  # entries of one spliced document
QUICK: Counter[str] = Counter()
MAX_ALONE = 60  # entries of one document that are tried alone


def subsets(count: int, rng: random.Random) -> list[list[int]]:
    alone = [[n] for n in range(min(count, MAX_ALONE))]
    return [*alone, list(range(0, count, 2)), sorted(rng.sample(range(count), count // 3)), [], list(range(count))]


def prove_quick(layout: Layout, full: RawFeed) -> tuple[int, list[str]]:
    """The same, of the entries that are read without feedparser."""
    differences, made = [], 0
    for entry, wanted in zip(quick_entries(layout.data, len(full.entries)), full.entries, strict=True):
        if entry is None:
            QUICK["entries left to feedparser"] += 1
            continue
        made += 1
        QUICK["entries read quickly"] += 1
        if entry != wanted:
            differences.append(f"quick: {entry} instead of {wanted}"[:1500])
    return made, differences


def prove(layout: Layout, rng: random.Random) -> tuple[int, list[str]]:
    """Number of comparisons made, and the differences found."""
    full = read_document(layout.data)
    if full is None:
        return 0, []
    if len(full.entries) != len(layout.entries):
        return 1, [f"{len(layout.entries)} entries laid out, {len(full.entries)} parsed"]
    made, differences = prove_quick(layout, full)
    for chosen in subsets(len(full.entries), rng):
        left_out = [span for n, span in enumerate(layout.entries) if n not in set(chosen)]
        part = read_document(layout.without(left_out))
        made += len(chosen) + 1
        if part is None:
            if chosen:
                differences.append(f"no feed with entries {chosen}")
            continue
        wanted = tuple(full.entries[n] for n in chosen)
        if part.entries != wanted:
            differences.append(f"entries {chosen}: {part.entries} instead of {wanted}"[:600])
        if replace(part, entries=()) != replace(full, entries=()):
            differences.append(
                f"head with entries {chosen}: {replace(part, entries=())} instead of {replace(full, entries=())}"[:600]
            )
    return made, differences


def spliced(layouts: list[Layout], rng: random.Random) -> list[Layout]:
    """Documents made of the entries of others that have the same root and do not disagree about prefixes."""
    groups: dict[tuple[str, str], list[tuple[dict[str, str], bytes]]] = {}
    for layout in layouts:
        root = re.match(rb"<[^<>]*>", layout.data)
        if root is None:
            continue
        declared = dict(re.findall(r"xmlns:?([\w.-]*)\s*=\s*[\"']([^\"']*)[\"']", root[0].decode()))
        default = declared.pop("", "")
        for span in layout.entries:
            groups.setdefault((layout.root, default), []).append((declared, layout.data[span.start : span.end]))
    made = []
    for (root_name, default), entries in groups.items():
        for _ in range(4):
            rng.shuffle(entries)
            names: dict[str, str] = {}
            chunk: list[bytes] = []
            for declared, entry in entries:
                if any(names.get(prefix, uri) != uri for prefix, uri in declared.items()):
                    continue
                names |= declared
                chunk.append(entry)
                if len(chunk) == SPLICED:
                    made.append(_document(root_name, default, names, chunk))
                    names, chunk = {}, []
    laid_out = (lay_out(text) for text in made)
    return [layout for layout in laid_out if isinstance(layout, Layout)]


def _document(root: str, default: str, names: dict[str, str], entries: list[bytes]) -> str:
    names = names | ({"rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#"} if root == "rdf" else {})
    attributes = "".join(f' xmlns:{prefix}="{uri}"' for prefix, uri in names.items()) + (
        f' xmlns="{default}"' if default else ""
    )
    inside = b"\n".join(entries).decode()
    opened, closed = {
        "rss": (f'<rss version="2.0"{attributes}><channel><title>Spliced</title>', "</channel></rss>"),
        "rdf": (f"<rdf:RDF{attributes}><channel><title>Spliced</title></channel>", "</rdf:RDF>"),
        "feed": (f"<feed{attributes}><title>Spliced</title>", "</feed>"),
    }[root]
    return f"{opened}{inside}{closed}"


def main() -> int:
    rng = random.Random(1)
    files = [
        path
        for argument in sys.argv[1:]
        for path in (sorted(Path(argument).rglob("*")) if Path(argument).is_dir() else [Path(argument)])
        if path.is_file() and path.suffix.lower() in (".xml", ".rss", ".rdf", ".atom", ".feed")
    ]
    kinds: Counter[str] = Counter()
    comparisons = 0
    bad = []
    proved: list[Layout] = []
    for path in files:
        layout = lay_out(decode(path.read_bytes()).text.lstrip())
        if not isinstance(layout, Layout):
            kinds["malformed: parsed as a whole" if isinstance(layout, Malformed) else "refused"] += 1
            continue
        if not layout.regular or not layout.entries:
            kinds["no entries" if layout.regular else "irregular: parsed as a whole"] += 1
            continue
        made, differences = prove(layout, rng)
        comparisons += made
        kinds["regular: parsed entry by entry"] += 1
        proved.append(layout)
        bad += [f"{path}: {difference}" for difference in differences]
    for layout in spliced(proved, rng):
        kinds["spliced, regular" if layout.regular else "spliced, irregular"] += 1
        if layout.regular:
            made, differences = prove(layout, rng)
            comparisons += made
            bad += [f"spliced: {difference}" for difference in differences]
    print(f"{len(files)} documents, {comparisons} comparisons, {len(bad)} differences")
    for kind, count in kinds.most_common():
        print(f"  {count:6} {kind}")
    for kind, count in QUICK.most_common():
        print(f"  {count:6} {kind}")
    for line in bad[:20]:
        print(line)
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
