"""aggregator evaluate: score the production clusterer against labelled items."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from aggregator.cli.app import App, pass_app
from aggregator.cli.output import json_option, print_json
from aggregator.embedding import Embedder, item_vectors, open_embedder
from aggregator.errors import UsageError
from aggregator.models import StoryItem, Vector
from aggregator.stories.evaluate import Embed, Evaluation, read_labelled
from aggregator.stories.evaluate import evaluate as run_evaluation
from aggregator.stories.quality import Score, Scores

__all__ = ["evaluate"]

_AT_ONCE = 16


@click.command()
@click.argument("gold", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="GOLD.jsonl")
@click.option(
    "--assignments",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT.json",
    help="Write {id: story} there.",
)
@click.option("--lexical", is_flag=True, help="Without the embedder: words alone.")
@json_option
@pass_app
def evaluate(app: App, gold: Path, assignments: Path | None, lexical: bool, as_json: bool) -> None:
    """Group the labelled items of GOLD.jsonl as the daemon would, in order of time, and print how well it went.

    A line is a JSON object with id, title, published, and if known summary, lang, country, outlet, cluster.
    B-cubed is scored by item, pairs by pair; cross-lingual counts only pairs of two languages.
    """
    items = read_labelled(gold)
    if not items:
        raise UsageError(f"{gold}: no item in it")
    embedder = None if lexical else open_embedder(app.config.embedding)
    try:
        result = run_evaluation(items, app.config.stories, embed=_embed(embedder) if embedder else None)
    finally:
        if embedder is not None:
            embedder.close()
    if assignments is not None:
        text = json.dumps(result.assignments, ensure_ascii=False, indent=0)
        try:
            assignments.write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{assignments}: {error.strerror}") from None
    _print(result, embedder.name if embedder else "none", as_json)


def _embed(embedder: Embedder) -> Embed:
    def embed(items: Sequence[StoryItem]) -> Sequence[Vector]:
        vectors: list[Vector] = []
        with Progress(disable=not sys.stderr.isatty(), transient=True) as bar:
            task = bar.add_task("embedding", total=len(items))
            for start in range(0, len(items), _AT_ONCE):
                some = items[start : start + _AT_ONCE]
                vectors.extend(item_vectors(embedder, [(i.title, i.summary, i.outlet) for i in some]))
                bar.advance(task, len(some))
        return vectors

    return embed


def _print(result: Evaluation, embedder: str, as_json: bool) -> None:
    scores = result.scores
    if as_json:
        print_json(
            {
                "items": len(result.assignments),
                "stories": len(set(result.assignments.values())),
                "repairs": result.repairs,
                "embedder": embedder,
                "scores": _as_json(scores) if scores else None,
            }
        )
        return
    stories = len(set(result.assignments.values()))
    click.echo(f"{len(result.assignments)} items in {stories} stories; embedder: {embedder}; {result.repairs} repairs")
    if scores is None:
        click.echo("not every item has a label (`cluster`): no scores")
        return
    click.echo(f"{'':16}{'precision':>10}{'recall':>8}{'F1':>8}")
    lines = [("B-cubed", scores.bcubed), ("pairs", scores.pairs), ("cross-lingual", scores.cross_lingual)]
    lines += [(f"B-cubed in {language}", one) for language, one in sorted(scores.by_language.items())]
    for name, one in lines:
        click.echo(f"{name:16}{100 * one.precision:10.1f}{100 * one.recall:8.1f}{100 * one.f1:8.1f}")


def _as_json(scores: Scores) -> dict[str, Any]:
    pairs = {"-".join(tags): _score(one) for tags, one in scores.by_language_pair.items()}
    return {
        "items": scores.items,
        "gold_clusters": scores.gold_clusters,
        "bcubed": _score(scores.bcubed),
        "pairwise": _score(scores.pairs),
        "crosslingual": _score(scores.cross_lingual),
        "by_language": {language: _score(one) for language, one in scores.by_language.items()},
        "by_language_pair": pairs,
    }


def _score(one: Score) -> dict[str, float]:
    return {"p": round(one.precision, 4), "r": round(one.recall, 4), "f1": round(one.f1, 4)}
