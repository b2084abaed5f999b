"""Which items the process died of: a model that runs inside it can end it, and would again at every start."""

import json
import logging
from collections.abc import Iterator, Sequence

from aggregator.models import StoryItem
from aggregator.service.logs import event
from aggregator.store.writer import Writer

__all__ = ["Suspects"]

log = logging.getLogger(__name__)

_STATE = "embedding"


class Suspects:
    """Writes down what a model is given before it gets it, and reads after a start what was under way at the end.

    Items that were under way together are tried one by one; one that was under way alone is not tried again. So a text
    that crashes the model costs two restarts and has no vector, and an innocent kill -9 costs nothing.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._doubtful: set[int] = set()
        self.refused: set[int] = set()
        saved = json.loads(writer.load_state(_STATE) or b"{}")
        self.refused.update(saved.get("refused", ()))
        under_way = saved.get("under_way", [])
        if len(under_way) == 1:
            self.refused.update(under_way)
            event(
                log,
                logging.ERROR,
                "embedder_died",
                f"the process ended while the embedder read item {under_way[0]}: it gets no vector",
            )
            self._save([])
        else:
            self._doubtful.update(under_way)

    def portions(self, items: Sequence[StoryItem], size: int) -> Iterator[Sequence[StoryItem]]:
        """The items in portions of `size`, doubtful ones alone, refused ones not at all; each is written down as under way."""
        sure = [item for item in items if item.item_id not in self._doubtful | self.refused]
        alone = [[item] for item in items if item.item_id in self._doubtful]
        for portion in (*alone, *(sure[i : i + size] for i in range(0, len(sure), size))):
            self._save([item.item_id for item in portion])
            yield portion
            self._doubtful.difference_update(item.item_id for item in portion)

    def over(self) -> None:
        """Nothing is under way any more."""
        self._save([])

    def _save(self, under_way: list[int]) -> None:
        state = {"under_way": under_way, "refused": sorted(self.refused)}
        self._writer.save_state(_STATE, json.dumps(state).encode())
