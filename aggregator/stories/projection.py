"""From the embedder's space to one in which distance means "another event" rather than "another theme or language".

A linear map, trained by `benchmarks/stories/train.py`: the embedder's vectors, less their mean, whitened by half the
covariance within events and half the total covariance, both shrunk to the identity (within-class covariance
normalisation, Hatch et al. 2006). For multilingual-e5-small it raised the average precision of the plain cosine over pairs
from 40 to 46 % on unseen sets. The matrix is the symmetric one of those that do so, so that no dimension says much more than
another: neighbours.py relies on that. Then the mean of the item's language over the training sets is taken away; what the mean
is among the live items is learned on top, see Statistics.

Vectors of another model pass through unchanged.
"""

import base64
import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Projection"]

# All vectors of the e5 family lie in a narrow cone: cosines with the mean are .8 and more, those of other models about 0.
CONE = 0.6


class Projection:
    """`centre` (d) and `matrix` (d, d) of one embedding model, and by language the `means` (d) of what they make."""

    def __init__(
        self, centre: NDArray[np.float32], matrix: NDArray[np.float32], means: Mapping[str, NDArray[np.float32]]
    ) -> None:
        self.centre = centre
        self.matrix = matrix
        self.means = dict(means)
        self._axis = centre / np.linalg.norm(centre)

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> "Projection":
        """The shipped one, of multilingual-e5-small."""
        return cls.from_json(json.loads(files("aggregator.stories").joinpath("projection.json").read_text("utf-8")))

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Projection":
        """The inverse of `to_json`."""
        centre = np.array(data["centre"], dtype=np.float32)
        flat = np.frombuffer(base64.b64decode(data["matrix"]), dtype="<f2").astype(np.float32)
        means = {language: np.array(mean, dtype=np.float32) for language, mean in data["means"].items()}
        return cls(centre, flat.reshape(len(centre), -1), means)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers for the centre and the means, little-endian float16 in base64, row by row, for the matrix."""
        return {
            "model": "multilingual-e5-small, prefix query",
            "centre": [round(float(x), 5) for x in self.centre],
            "means": {language: [round(float(x), 3) for x in mean] for language, mean in sorted(self.means.items())},
            "matrix": base64.b64encode(self.matrix.astype("<f2").tobytes()).decode("ascii"),
        }

    def __call__(self, vector: NDArray[np.float32], language: str) -> NDArray[np.float32]:
        """The vector as profiles hold it, of an item in `language` ("en"); length about one. One of another model stays as it is."""
        if len(vector) != len(self.centre) or float(vector @ self._axis) < CONE:
            return vector
        projected: NDArray[np.float32] = ((vector - self.centre) @ self.matrix).astype(np.float32)
        mean = self.means.get(language)
        return projected if mean is None else projected - mean
