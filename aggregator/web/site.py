"""Datasette with our database: read through the store's Reader, so that it opens whatever state the file is in."""

import asyncio
import threading
from collections.abc import Callable
from datetime import datetime
from functools import partial
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from datasette.app import Datasette
from datasette.database import Database
from datasette.utils import BadMetadataError, parse_metadata

from aggregator.errors import ConfigError
from aggregator.store.reader import Reader, open_reader

__all__ = ["DATABASE", "LiveDatabase", "Site", "load_metadata"]

T = TypeVar("T")

DATABASE = "aggregator"  # its name in addresses, whatever the file is called
_SETTINGS = {
    "num_sql_threads": 4,
    "sql_time_limit_ms": 1000,  # of a query typed in by a person
    "max_returned_rows": 1000,
    "default_page_size": 50,
    "suggest_facets": False,  # it asks each column of each table page
    "facet_time_limit_ms": 500,
    "allow_download": False,  # `aggregator snapshot` makes a copy that is whole
    "default_cache_ttl": 0,
    "truncate_cells_html": 300,
}


class LiveDatabase(Database):
    """The file as Datasette's pages read it: one Reader a thread, opened anew when the file changed hands."""

    def __init__(self, site: "Site", path: Path) -> None:
        """The file at `path`."""
        super().__init__(site, path=str(path), is_mutable=True)
        self._readers = threading.local()

    def connect(self, write: bool = False) -> Any:  # noqa: ARG002 - Datasette's signature
        """Not the way in: every connection is a Reader's."""
        raise PermissionError("the pages only read")

    async def execute_fn(self, fn: Callable[[Any], T]) -> T:
        """What `fn` makes of a connection, in one of Datasette's threads. Raises sqlite3.Error and StoreError."""

        def prepared(connection: Any) -> T:
            if connection is not getattr(self._readers, "prepared", None):
                self.ds._prepare_connection(connection, self.name)  # noqa: SLF001 - as Database.execute_fn itself does
                self._readers.prepared = connection
            return fn(connection)

        return await self.read(lambda reader: reader.use(prepared))

    async def read(self, ask: Callable[[Reader], T]) -> T:
        """What `ask` makes of the thread's Reader, in one of Datasette's threads. Raises StoreError."""
        return await asyncio.get_running_loop().run_in_executor(self.ds.executor, partial(self._with_reader, ask))

    def _with_reader(self, ask: Callable[[Reader], T]) -> T:
        reader: Reader | None = getattr(self._readers, "reader", None)
        if reader is None:
            reader = self._readers.reader = open_reader(Path(self.path))
        return ask(reader)


class Site(Datasette):
    """The whole site. `clock` gives the time that the pages count from."""

    def __init__(self, path: Path, clock: Callable[[], datetime], metadata: dict[str, Any]) -> None:
        """The pages of the database at `path`; `metadata` is Datasette's, see load_metadata."""
        folder = files("aggregator.web")
        assets = Path(str(folder / "assets"))
        super().__init__(
            metadata=metadata,
            settings=_SETTINGS,
            template_dir=str(folder / "templates"),
            static_mounts=[("assets", str(assets))],
        )
        self.remove_database("_memory")  # an empty one, for sites without files
        self.clock = clock
        self.file = LiveDatabase(self, path)
        self.add_database(self.file, name=DATABASE)
        style = (assets / "style.css").read_bytes()
        self.style_url = f"/assets/style.css?v={blake2b(style, digest_size=6).hexdigest()}"


def load_metadata(path: Path) -> dict[str, Any]:
    """Datasette's metadata from a YAML or JSON file: titles, canned queries. Raises ConfigError."""
    try:
        loaded = parse_metadata(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (BadMetadataError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: neither YAML nor JSON") from error
    if not isinstance(loaded, dict):
        raise ConfigError(f"{path}: a table of settings is wanted, as in the file that comes with the program")
    return loaded
