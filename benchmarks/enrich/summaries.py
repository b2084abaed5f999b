"""The one-sentence summary against lead-1: python benchmarks/enrich/summaries.py [--noise].

Data: the labelled streams in tests/eval/data and the sample articles in aggregator/demo/data (both written for this
project). What a chosen sentence is held against was never shown to the chooser:

- streams: for an item whose description has two sentences or more, the titles of other outlets' items of its story, in its
  language, reprints left out. Score: F1 of the pieces of words (words.pieces) with each such title, the mean of them.
- articles: for an article with a body, its author's own description; the chooser sees title and body only.

`--noise` puts before each text what real feeds put there (dateline, teaser, subscription) in the text's language.
"""

import json
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from aggregator.enrich.sentences import sentences
from aggregator.enrich.summary import one_sentence
from aggregator.enrich.words import pieces

Case = tuple[str, str, str, str, list[str]]  # language, title, description, body, references
ROOT = Path(__file__).resolve().parents[2]
# A dateline before, and a line that asks for something; the chooser's patterns were not made from these sentences.
NOISE = {
    "en": ("RIVERTON, March 3 (Reuters) - ", "Don't miss out: sign up for our morning briefing. "),
    "lv": ("RĪGA, 3. marts (LETA) - ", "Lasiet arī citas šodienas ziņas mūsu lietotnē. "),
    "et": ("TALLINN, 3. märts (BNS) - ", "Loe ka teisi tänaseid uudiseid meie lehelt. "),
    "de": ("Berlin (dpa) - ", "Lesen Sie auch unseren Liveticker zum Thema. "),
    "fr": ("PARIS, 3 mars (AFP) - ", "Suivez notre direct sur l'application. "),
    "es": ("MADRID, 3 mar (EFE) - ", "Suscríbase a nuestro boletín de noticias. "),
    "ru": ("МОСКВА, 3 мар (ТАСС) - ", "Подписывайтесь на наш канал в Telegram. "),
    "uk": ("КИЇВ, 3 бер (Укрінформ) - ", "Підписуйтесь на наш канал у Telegram. "),
}


def f1(candidate: str, reference: str) -> float:
    """F1 of two bags of pieces."""
    a, b = pieces(candidate), pieces(reference)
    common = sum((a & b).values())
    return 2 * common / (sum(a.values()) + sum(b.values())) if common else 0.0


def streams(noise: str) -> Iterator[Case]:
    """(language, title, description, "", references)."""
    for name in "abcd":
        stories = defaultdict(list)
        for line in (ROOT / f"tests/eval/data/stories_{name}.jsonl").read_text(encoding="utf-8").splitlines():
            item = json.loads(line)
            if not item["reprint_of"]:
                stories[item["cluster"], item["lang"]].append(item)
        for (_, language), items in stories.items():
            for item in items:
                others = [o["title"] for o in items if o["outlet"] != item["outlet"]]
                if others and len(sentences(item["summary"], language)) > 1 and (not noise or language in NOISE):
                    yield language, item["title"], noisy(item["summary"], language, noise), "", others


def articles(noise: str) -> Iterator[Case]:
    """(language, title, "", body, references)."""
    for path in sorted((ROOT / "aggregator/demo/data").glob("*.toml")):
        outlet = tomllib.loads(path.read_text(encoding="utf-8"))
        for item in outlet["item"]:
            if item.get("body") and item.get("summary") and (not noise or outlet["language"] in NOISE):
                body = noisy(item["body"].strip(), outlet["language"], noise)
                yield outlet["language"], item["title"], "", body, [item["summary"]]


def noisy(text: str, language: str, noise: str) -> str:
    dateline, asking = NOISE[language] if noise else ("", "")
    return asking + dateline + text if noise == "both" else dateline + text


def main() -> None:
    for noise in ("", "dateline", "both"):
        for name, data in (("streams", streams), ("articles", articles)):
            ours, lead, oracle, other, n = 0.0, 0.0, 0.0, 0, 0
            for language, title, description, body, references in data(noise):
                options = sentences(description or body, language)
                score = {s: sum(f1(s, r) for r in references) / len(references) for s in options}
                found = one_sentence(title, description, body, language)
                text = found.text if found else ""
                ours += sum(f1(text, r) for r in references) / len(references)
                lead += score[options[0]]
                oracle += max(score.values())
                other += text != options[0]
                n += 1
                if "-v" in sys.argv and text != options[0] and not noise:
                    print(f"[{language}] {title}\n   lead: {options[0]}\n   ours: {text}\n   refs: {references[0]}")
            print(
                f"{noise or 'clean':9} {name:9} n={n:4}  lead-1 {100 * lead / n:5.1f}  ours {100 * ours / n:5.1f}  best possible {100 * oracle / n:5.1f}  differs in {100 * other / n:.0f} %"
            )


if __name__ == "__main__":
    main()
