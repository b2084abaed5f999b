"""Rows as a Parquet file; the only user of arro3 (the optional extra `parquet`: 12 MB, where pyarrow has 55)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import IO, Any

from aggregator.errors import UsageError

try:
    from arro3 import core, io
except ImportError:
    core = None  # type: ignore[assignment]  # a module, or None where the optional part is not installed

__all__ = ["write_parquet"]

_BATCH = 2000  # rows in memory


def write_parquet(rows: Iterable[Mapping[str, Any]], columns: Sequence[tuple[str, type]], out: IO[bytes]) -> int:
    """Write rows as zstd-compressed Parquet, a batch in memory at a time. How many.

    `columns` are names with int, float, bool or str; every one may hold None. Raises UsageError without arro3.
    """
    if core is None:
        raise UsageError("Parquet needs the optional part `parquet`: pip install 'aggregator[parquet]'")
    kinds = {
        int: core.DataType.int64(),
        float: core.DataType.float64(),
        bool: core.DataType.bool(),
        str: core.DataType.string(),
    }
    schema = core.Schema([core.Field(name, kinds[kind], nullable=True) for name, kind in columns])
    written = 0

    def batches() -> Iterator[Any]:
        nonlocal written
        remaining = iter(rows)
        while batch := list(islice(remaining, _BATCH)):
            written += len(batch)
            arrays = [core.Array([_as(row[name], kind) for row in batch], kinds[kind]) for name, kind in columns]
            yield core.RecordBatch.from_arrays(arrays, schema=schema)

    io.write_parquet(core.RecordBatchReader.from_batches(schema, batches()), out, compression="zstd(3)")
    return written


def _as(value: Any, kind: type) -> Any:
    return None if value is None else kind(value)
