"""What a stage is: one step of the pipeline for one video, options in and rows out.

A stage knows neither the store nor Dagster. It is given readers for the rows of earlier stages and a place to
leave its own; who calls it decides about caching, commits and what happens when it fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, ClassVar, Protocol, cast

import pyarrow as pa

from frame_pipeline.config import StageOptions
from frame_pipeline.progress import Progress

SPILL_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Video:
    """A video as the store knows it. `path` is where the file is now."""

    video_id: str
    fingerprint: str
    path: Path


class Inputs(Protocol):
    """Rows and files of the stages that a stage reads, for the video in hand."""

    def read(self, table: str, columns: list[str], batch_rows: int = 1024) -> Iterator[pa.RecordBatch]:
        """The upstream rows in order of pts, a batch at a time."""

    def count(self, table: str) -> int:
        """How many upstream rows there are."""

    def file(self, relative: str) -> Path:
        """The file that a row's `path` names."""


@dataclass
class Output:
    """Where a stage leaves what it made; nothing of it is visible before the whole result is committed.

    Rows beyond a few megabytes wait in a temporary file, so memory does not grow with the video.
    """

    folder: Path
    """A folder of its own for the files of this result; created by the stage that needs it."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Small JSON facts about the result as a whole, e.g. how many frames were decoded."""
    warnings: list[str] = field(default_factory=list)
    """Sentences for the person, about a result that is kept all the same."""
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Columns with one value for the whole result that is known only at its end: {table: {column: value}}."""
    _tables: dict[str, Spool] = field(default_factory=dict)

    def write(self, table: str, batch: pa.RecordBatch) -> None:
        """Add rows to one of the stage's tables, without video_id and config_hash."""
        if table not in self._tables:
            self._tables[table] = Spool(batch.schema)
        self._tables[table].write(batch)

    def rows(self, table: str) -> int:
        """Rows written to `table` so far."""
        return self._tables[table].rows if table in self._tables else 0

    def tables(self) -> Mapping[str, pa.RecordBatchReader]:
        """A reader for each written table; may be asked for again."""
        return {name: spool.reader() for name, spool in self._tables.items()}

    def close(self) -> None:
        """Drop the rows."""
        for spool in self._tables.values():
            spool.file.close()
        self._tables.clear()


class Stage(Protocol):
    """One step of the pipeline, for one video. `options` are exactly what it reads."""

    name: ClassVar[str]
    code_version: ClassVar[str]
    """Bumped when the same options would give other rows."""
    table: ClassVar[str]
    """The table that holds one row per thing this stage is about."""
    after: ClassVar[tuple[str, ...]]
    """Stages that must have succeeded before this one runs, whether or not their rows are read."""

    @property
    def options(self) -> StageOptions: ...

    def reads(self) -> tuple[str, ...]:
        """Stages whose rows are read under these options; their hashes enter this stage's hash."""

    def models(self) -> Mapping[str, str]:
        """Model files in use: name to sha256."""

    def compute(self, video: Video, inputs: Inputs, output: Output, progress: Progress, /) -> None:
        """Write the rows. Raises FramePipelineError when this video cannot be done."""


class Spool:
    """Record batches in memory, beyond SPILL_BYTES in a temporary file; written first, read afterwards."""

    def __init__(self, schema: pa.Schema) -> None:
        self.rows = 0
        self.file = cast(IO[bytes], SpooledTemporaryFile(max_size=SPILL_BYTES))  # noqa: SIM115 - closed by `Output`
        self._writer: pa.RecordBatchStreamWriter | None = pa.ipc.new_stream(self.file, schema)

    def write(self, batch: pa.RecordBatch) -> None:
        assert self._writer is not None, "the rows were already read"
        self._writer.write_batch(batch)
        self.rows += batch.num_rows

    def reader(self) -> pa.RecordBatchReader:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self.file.seek(0)
        return pa.ipc.open_stream(self.file)
