"""The connection to a store: DuckDB with DuckLake, a SQLite catalog in WAL mode, and one file lock around commits.

Readers take no lock and are never blocked. Writers of all processes take turns at the commit, which is short because
the rows are ready before the lock is taken. The extensions are loaded from their wheels, so no network is needed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from frame_pipeline.errors import StoreUnavailable, first_line, storage_error
from frame_pipeline.store.layout import Layout
from frame_pipeline.store.schema import META, SCHEMA_VERSION, TABLES

EXTENSIONS = ("sqlite_scanner", "ducklake")
BUSY_TIMEOUT_MS = 30_000
COMMIT_ATTEMPTS = 6


def extension_file(name: str) -> Path:
    """The file of a DuckDB extension inside its wheel; raises StoreUnavailable when the wheel is missing."""
    package = f"duckdb_extension_{name}"
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        file = Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        if file.is_file():
            return file
    wheel = f"{package.replace('_', '-')}=={duckdb.__version__}"
    raise StoreUnavailable(name, "the DuckDB extension is not installed", hint=f"pip install {wheel}")


def connect() -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that can attach a store and never touches the network."""
    offline: dict[str, Any] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        # A table name in SQL is never a Python variable that happens to be called the same.
        "python_enable_replacements": "false",
    }
    connection = duckdb.connect(config=offline)
    for name in EXTENSIONS:
        connection.load_extension(str(extension_file(name)))
    return connection


class Lake:
    """One attached store. A Lake may be used from several threads; statements of one Lake run one at a time."""

    def __init__(self, root: Path, *, read_only: bool = False) -> None:
        """Open the store in `root`, and create it unless `read_only`. Raises StoreUnavailable."""
        self.layout = Layout(root)
        self.read_only = read_only
        self._turn = threading.RLock()
        if read_only and not self.layout.catalog.is_file():
            raise StoreUnavailable(root, "holds no store yet", hint="`frame-pipeline run` makes one")
        try:
            if not read_only:
                for folder in (self.layout.tables, self.layout.locks):
                    folder.mkdir(parents=True, exist_ok=True)
            self._commit_lock = FileLock(self.layout.locks / "commit.lock", is_singleton=False)
            self.connection = connect()
            if read_only:
                self._attach()
            else:
                with self._commit_lock:
                    self._attach()
                    self._create_tables()
            self._check_version()
        except (OSError, duckdb.Error) as error:
            raise storage_error(root, error) or StoreUnavailable(
                root, f"cannot be opened: {first_line(error)}"
            ) from error

    def rows(self, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a statement."""
        with self._turn:
            return self.connection.execute(sql, parameters or []).fetchall()

    def row(self, sql: str, parameters: list[Any] | None = None) -> tuple[Any, ...] | None:
        """The first row of a statement, or None."""
        with self._turn:
            found: tuple[Any, ...] | None = self.connection.execute(sql, parameters or []).fetchone()
            return found

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A second connection to the same attached store, for a reader that streams while others work."""
        with self._turn:
            cursor = self.connection.cursor()
            cursor.execute("USE lake")
            return cursor

    def commit(self, work: Any) -> None:
        """Run `work(connection)` in one transaction under the commit lock: all of it becomes visible, or nothing.

        `work` is called again when the transaction lost against another one. Raises StoreUnavailable when the
        disk is full or read-only.
        """
        try:
            for attempt in Retrying(
                retry=retry_if_exception_type(duckdb.TransactionException),
                stop=stop_after_attempt(COMMIT_ATTEMPTS),
                wait=wait_random_exponential(multiplier=0.05, max=2),
                reraise=True,
            ):
                with attempt, self._turn, self._commit_lock, self._transaction():
                    work(self.connection)
        except (OSError, duckdb.Error) as error:
            known = storage_error(self.layout.root, error)
            if known is None:
                raise
            raise known from error

    def alone(self, statement: str) -> None:
        """Run a maintenance statement, which is a transaction of its own, while no other process commits."""
        try:
            with self._turn, self._commit_lock:
                self.connection.execute(statement).fetchall()
        except (OSError, duckdb.Error) as error:
            raise storage_error(self.layout.root, error) or error from error

    def close(self) -> None:
        """Detach; the files can be moved afterwards."""
        with self._turn:
            self.connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.connection.execute("BEGIN")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            # After a failed COMMIT DuckDB has already rolled back, and says so when asked again.
            with suppress(duckdb.TransactionException):
                self.connection.execute("ROLLBACK")
            raise

    def _attach(self) -> None:
        # ATTACH takes no parameters for its strings, so quotes in the folder's name are doubled.
        catalog, tables = (str(path).replace("'", "''") for path in (self.layout.catalog, self.layout.tables))
        mode = "READ_ONLY" if self.read_only else "CREATE_IF_NOT_EXISTS true"
        # OVERRIDE_DATA_PATH: the catalog remembers where it was made; a moved store is where it is now.
        self.connection.execute(
            f"ATTACH 'ducklake:sqlite:{catalog}' AS lake (DATA_PATH '{tables}/', OVERRIDE_DATA_PATH true, "
            f"META_JOURNAL_MODE 'WAL', META_BUSY_TIMEOUT {BUSY_TIMEOUT_MS}, {mode})"
        )
        self.connection.execute("USE lake")

    def _create_tables(self) -> None:
        existing = {
            name for (name,) in self.rows("SELECT table_name FROM duckdb_tables() WHERE database_name = 'lake'")
        }
        if existing >= {*TABLES, "meta"}:
            return
        with self._transaction():
            self.connection.execute(META)
            for name, columns in TABLES.items():
                self.connection.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns})")
            if "meta" not in existing:
                self.connection.execute("INSERT INTO meta VALUES ('schema_version', ?)", [str(SCHEMA_VERSION)])

    def _check_version(self) -> None:
        if not self.row("SELECT 1 FROM duckdb_tables() WHERE database_name = 'lake' AND table_name = 'meta'"):
            # Its first run is making it at this moment.
            raise StoreUnavailable(self.layout.root, "holds no store yet", hint="`frame-pipeline run` makes one")
        found = self.row("SELECT value FROM meta WHERE key = 'schema_version'")
        if found is not None and int(found[0]) > SCHEMA_VERSION:
            raise StoreUnavailable(
                self.layout.root, f"was written by a newer version (schema {found[0]})", hint="update frame-pipeline"
            )


@cache
def open_lake(root: Path) -> Lake:
    """The process's one writing connection to the store in `root`; opening takes a tenth of a second."""
    return Lake(root)
