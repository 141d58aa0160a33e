"""Results: which (stage, video, config hash) are in the store, and how one gets there whole."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from filelock import FileLock

from frame_pipeline.stage import Output
from frame_pipeline.store.lake import Lake
from frame_pipeline.store.schema import RESULT_TABLES
from frame_pipeline.store.videos import update_video


@dataclass(frozen=True)
class Key:
    """What a result is the result of."""

    stage: str
    video_id: str
    config_hash: str


@dataclass(frozen=True)
class Result:
    """One row of `results`."""

    key: Key
    status: str
    """done, failed or skipped"""
    rows: int
    seconds: float
    error: str | None = None
    warnings: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Provenance:
    """Where a result comes from: everything in its row that does not depend on how it went."""

    upstream: dict[str, str]
    options: dict[str, Any]
    code_version: str
    models: dict[str, str]
    run_id: str
    device: str = "cpu"

    @property
    def upstream_hash(self) -> str | None:
        """The config hash of the stage that was read, when it is one; several are joined by commas in stage order."""
        return ",".join(self.upstream[stage] for stage in sorted(self.upstream)) or None


def find_result(lake: Lake, key: Key) -> Result | None:
    """The stored result of that key, whatever its status."""
    row = lake.row(
        'SELECT status, "rows", seconds, error, warnings, facts FROM results '
        "WHERE stage = ? AND video_id = ? AND config_hash = ?",
        [key.stage, key.video_id, key.config_hash],
    )
    return None if row is None else _result(key, row)


def results_of(lake: Lake, video_id: str) -> dict[Key, Result]:
    """Every stored result of a video."""
    rows = lake.rows(
        'SELECT stage, config_hash, status, "rows", seconds, error, warnings, facts FROM results WHERE video_id = ?',
        [video_id],
    )
    return {(key := Key(row[0], video_id, row[1])): _result(key, row[2:]) for row in rows}


def results_under(lake: Lake, config_hashes: list[str]) -> dict[Key, Result]:
    """Every stored result of the given configurations, for deciding in one question what is left to do."""
    rows = lake.rows(
        'SELECT stage, video_id, config_hash, status, "rows", seconds, error, warnings, facts FROM results '
        "WHERE list_contains(?, config_hash)",
        [config_hashes],
    )
    return {(key := Key(*row[:3])): _result(key, row[3:]) for row in rows}


def record_use(lake: Lake, configurations: Mapping[str, str]) -> None:
    """Remember that these configurations, stage to config hash, are the ones in use now."""
    rows = lake.rows("SELECT stage, arg_max(config_hash, used_at) FROM configurations GROUP BY stage")
    changed = sorted(set(configurations.items()) - set(rows))
    if not changed:
        return

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        for stage, config_hash in changed:
            connection.execute("DELETE FROM configurations WHERE stage = ? AND config_hash = ?", [stage, config_hash])
            connection.execute(
                "INSERT INTO configurations VALUES (?, ?, now() AT TIME ZONE 'UTC')", [stage, config_hash]
            )

    lake.commit(work)


@dataclass(frozen=True)
class Finished:
    """A result that is not in the store yet."""

    result: Result
    provenance: Provenance
    output: Output


def commit_results(lake: Lake, finished: Sequence[Finished]) -> None:
    """Make results of one video visible: their rows and their `results` rows in one transaction, or nothing.

    Where another run committed the same key first, that one stays and this one is dropped.
    """

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        video_id = finished[0].result.key.video_id
        rows = connection.execute("SELECT stage, config_hash, status FROM results WHERE video_id = ?", [video_id])
        present = {(stage, config_hash): status for stage, config_hash, status in rows.fetchall()}
        for entry in finished:
            key = entry.result.key
            status = present.get((key.stage, key.config_hash))
            if status != "done":
                _insert_finished(connection, entry, replaces=status is not None)

    lake.commit(work)


def _insert_finished(connection: duckdb.DuckDBPyConnection, entry: Finished, *, replaces: bool) -> None:
    key, output = entry.result.key, entry.output
    if replaces:
        connection.execute(
            "DELETE FROM results WHERE stage = ? AND video_id = ? AND config_hash = ?",
            [key.stage, key.video_id, key.config_hash],
        )
    if entry.result.status == "done":
        for table, reader in output.tables().items():
            _insert(connection, table, key, reader, output.columns.get(table, {}))
    if "videos" in output.columns:
        update_video(connection, key.video_id, output.columns["videos"])
    _insert_result(connection, entry.result, entry.provenance)


def drop_files(lake: Lake, key: Key) -> None:
    """Remove the files of a result that never was committed, and the video's folder when it is empty then."""
    folder = lake.layout.result_folder(key.video_id, key.config_hash)
    shutil.rmtree(folder, ignore_errors=True)
    with_nothing_left = folder.parent
    if with_nothing_left.is_dir() and not any(with_nothing_left.iterdir()):
        with_nothing_left.rmdir()


@contextmanager
def only_worker(lake: Lake, video_id: str) -> Iterator[None]:
    """Waits until no other process computes something of this video, so that nothing is computed twice."""
    with FileLock(lake.layout.locks / f"{video_id}.lock", is_singleton=False):
        yield


@dataclass(frozen=True)
class StoredInputs:
    """The rows of earlier stages of one video, under the configurations that a stage was asked to read.

    They come from the store, or from the output of a stage that has just run and waits for the same commit.
    """

    lake: Lake
    video_id: str
    hashes: dict[str, str]
    waiting: Mapping[str, Output]
    """outputs that are not committed yet, by config hash"""

    def read(self, table: str, columns: list[str], batch_rows: int = 1024) -> Iterator[pa.RecordBatch]:
        """The upstream rows in order of pts, a batch at a time."""
        output = self.waiting.get(self._hash(table))
        if output is not None:
            for batch in output.tables().get(table, ()):
                yield batch.select(columns)
            return
        names = ", ".join(columns)
        reader = self.lake.cursor().execute(
            f"SELECT {names} FROM {table} WHERE video_id = ? AND config_hash = ? ORDER BY pts",  # noqa: S608
            [self.video_id, self._hash(table)],
        )
        yield from reader.to_arrow_reader(batch_rows)

    def count(self, table: str) -> int:
        """How many upstream rows there are."""
        output = self.waiting.get(self._hash(table))
        if output is not None:
            return output.rows(table)
        row = self.lake.row(
            f"SELECT count(*) FROM {table} WHERE video_id = ? AND config_hash = ?",  # noqa: S608
            [self.video_id, self._hash(table)],
        )
        return int(row[0]) if row else 0

    def file(self, relative: str) -> Path:
        """The file that a row's `path` names."""
        return self.lake.layout.root / relative

    def _hash(self, table: str) -> str:
        return next(self.hashes[stage] for stage, tables in RESULT_TABLES.items() if table in tables)


def _result(key: Key, row: tuple[Any, ...]) -> Result:
    status, rows, seconds, error, warnings, facts = row
    return Result(key, status, rows, seconds, error, json.loads(warnings), json.loads(facts))


def _insert(
    connection: duckdb.DuckDBPyConnection, table: str, key: Key, reader: pa.RecordBatchReader, constants: dict[str, Any]
) -> None:
    connection.register("incoming", reader)
    extra = "".join(f', ? AS "{name}"' for name in constants)
    try:
        connection.execute(
            f"INSERT INTO {table} BY NAME SELECT ? AS video_id, ? AS config_hash, *{extra} FROM incoming",  # noqa: S608
            [key.video_id, key.config_hash, *constants.values()],
        )
    finally:
        connection.unregister("incoming")


def _insert_result(connection: duckdb.DuckDBPyConnection, result: Result, provenance: Provenance) -> None:
    connection.execute(
        "INSERT INTO results (stage, video_id, config_hash, upstream_hash, upstream, config, code_version, models, "
        '"rows", seconds, device, status, error, warnings, facts, run_id, created_at) '
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, now() AT TIME ZONE 'UTC')",
        [
            result.key.stage,
            result.key.video_id,
            result.key.config_hash,
            provenance.upstream_hash,
            json.dumps(provenance.upstream, sort_keys=True),
            json.dumps(provenance.options, sort_keys=True),
            provenance.code_version,
            json.dumps(provenance.models, sort_keys=True),
            result.rows,
            result.seconds,
            provenance.device,
            result.status,
            result.error,
            json.dumps(result.warnings),
            json.dumps(result.facts, sort_keys=True),
            provenance.run_id,
        ],
    )
