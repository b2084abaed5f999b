"""Names → numbers in twelve bytes an entry, where a dict of lists takes a hundred and fifty."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable

import numpy as np

__all__ = ["NameIndex"]


class NameIndex:
    """A multimap that is made once and then only asked.

    It keeps hashes of 64 bits instead of the names: among a million entries, one in 10^13 names that it does not have is
    answered as if it had. Python's own hash serves, though it differs from process to process: nothing of it is stored.
    """

    def __init__(self, entries: Iterable[tuple[str, int]]) -> None:
        """Of (name, number): a name may come with several numbers, which keep their order."""
        hashes, numbers = array("q"), array("i")
        for name, number in entries:
            hashes.append(hash(name))
            numbers.append(number)
        keys, values = np.array(hashes, dtype=np.int64), np.array(numbers, dtype=np.int32)
        order = np.argsort(keys, kind="stable")
        self._hashes, self._numbers = array("q", keys[order].tobytes()), array("i", values[order].tobytes())

    def __contains__(self, name: str) -> bool:
        wanted = hash(name)
        at = bisect_left(self._hashes, wanted)
        return at < len(self._hashes) and self._hashes[at] == wanted

    def get(self, name: str) -> list[int]:
        """The numbers of `name`, in the order in which they came; none for an unknown one."""
        wanted = hash(name)
        at = end = bisect_left(self._hashes, wanted)
        while end < len(self._hashes) and self._hashes[end] == wanted:
            end += 1
        return self._numbers[at:end].tolist()
