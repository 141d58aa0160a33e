"""Keeping a store small and fast: what is no longer used, and the files that hold the tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from frame_pipeline.store.lake import Lake
from frame_pipeline.store.results import Key, drop_files, find_result
from frame_pipeline.store.schema import RESULT_TABLES

KEEP_SNAPSHOTS_DAYS = 1
MERGE_FROM_FILES = 40
"""A store with more data files than this is merged after a run; each query opens every file."""

# One row is one finished result that is neither of the configuration last asked for, among those that its stage and
# video have, nor read by one that is.
_REPLACED = """
    WITH ranked AS (
        SELECT r.*, row_number() OVER (
            PARTITION BY r.stage, r.video_id ORDER BY c.used_at DESC NULLS LAST, r.created_at DESC
        ) AS age
        FROM results r LEFT JOIN configurations c USING (stage, config_hash) WHERE r.status = 'done'
    )
    SELECT stage, video_id, config_hash, "rows" FROM ranked AS r
    WHERE age > 1 AND stage <> 'raw_video' AND NOT EXISTS (
        SELECT 1 FROM ranked AS newest
        WHERE newest.age = 1 AND newest.video_id = r.video_id AND contains(newest.upstream, r.config_hash)
    )
    ORDER BY video_id, stage
"""


@dataclass(frozen=True)
class Unused:
    """A result that nothing in use refers to, or a folder that belongs to no result."""

    key: Key
    rows: int
    folder: Path | None
    bytes: int
    stray: bool = False
    """a folder without a result, left by a run that was killed"""


def replaced_results(lake: Lake) -> list[Unused]:
    """Results that a newer configuration has replaced, with the size of their files."""
    found = []
    for stage, video_id, config_hash, rows in lake.rows(_REPLACED):
        folder = lake.layout.result_folder(video_id, config_hash)
        found.append(
            Unused(Key(stage, video_id, config_hash), rows, folder if folder.is_dir() else None, _size(folder))
        )
    return found


def stray_folders(lake: Lake) -> list[Unused]:
    """Folders of proxies without a result: what killed runs left behind."""
    known = set(lake.rows("SELECT video_id, config_hash FROM results WHERE status = 'done'"))
    return [
        Unused(Key("frames", folder.parent.name, folder.name), 0, folder, _size(folder), stray=True)
        for folder in sorted(lake.layout.proxies.glob("*/*"))
        if folder.is_dir() and (folder.parent.name, folder.name) not in known
    ]


def remove(lake: Lake, unused: list[Unused]) -> list[Unused]:
    """Remove what is still unused when its turn comes. Returns what was removed.

    Each video's lock is taken first: what a run is computing or reading at the moment is left for another time.
    """
    return [entry for entry in unused if _remove_one(lake, entry)]


def _remove_one(lake: Lake, entry: Unused) -> bool:
    key = entry.key
    try:
        with FileLock(lake.layout.locks / f"{key.video_id}.lock", timeout=0, is_singleton=False):
            found = find_result(lake, key)
            became_a_result = entry.stray and found is not None and found.status == "done"
            if became_a_result or not (entry.stray or _is_replaced(lake, key)):
                return False
            # Rows first, then files, so that no row ever points at nothing.
            lake.commit(lambda connection: _delete_rows(connection, key))
            if entry.folder is not None:
                drop_files(lake, key)
            return True
    except Timeout:
        return False


def _is_replaced(lake: Lake, key: Key) -> bool:
    return any(
        (stage, video_id, config_hash) == (key.stage, key.video_id, key.config_hash)
        for stage, video_id, config_hash, _ in lake.rows(_REPLACED)
    )


def _delete_rows(connection: duckdb.DuckDBPyConnection, key: Key) -> None:
    parameters = [key.video_id, key.config_hash]
    connection.execute(
        "DELETE FROM results WHERE stage = ? AND video_id = ? AND config_hash = ?", [key.stage, *parameters]
    )
    for table in RESULT_TABLES.get(key.stage, ()):
        connection.execute(f"DELETE FROM {table} WHERE video_id = ? AND config_hash = ?", parameters)  # noqa: S608


def compact(lake: Lake) -> None:
    """Merge small files, forget old snapshots, and delete files that no snapshot lists."""
    older = f"older_than => now() - INTERVAL {KEEP_SNAPSHOTS_DAYS} DAY"
    for statement in (
        "CALL ducklake_flush_inlined_data('lake')",
        "CALL ducklake_merge_adjacent_files('lake')",
        f"CALL ducklake_expire_snapshots('lake', {older})",
        f"CALL ducklake_cleanup_old_files('lake', {older})",
        f"CALL ducklake_delete_orphaned_files('lake', {older})",
    ):
        lake.alone(statement)


def merge_when_scattered(lake: Lake) -> None:
    """Merge after a run that left many small files."""
    row = lake.row("SELECT sum(file_count) FROM ducklake_table_info('lake')")
    if row and row[0] and row[0] > MERGE_FROM_FILES:
        lake.alone("CALL ducklake_merge_adjacent_files('lake')")


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) if folder.is_dir() else 0
