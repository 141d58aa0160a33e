"""What is in a store: everything that two equal stores share, and whether every finished result is whole."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2

from frame_pipeline.store.lake import Lake
from frame_pipeline.store.schema import RESULT_TABLES, TABLES

# When, how fast and by which run: these differ between equal stores.
PASSING = {
    "videos": {"added_at", "probed_at"},
    "results": {"seconds", "run_id", "created_at"},
}
PASSING_FACTS = {"decode_fps"}

# One row is one key that several results have.
_TWICE = "SELECT stage, video_id, config_hash FROM results GROUP BY ALL HAVING count(*) > 1"
# One row is one done result.
_DONE = "SELECT stage, video_id, config_hash, upstream, \"rows\" FROM results WHERE status = 'done'"


def rows(root: Path, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    """The rows of a statement, read by a connection of its own."""
    lake = Lake(root, read_only=True)
    try:
        return lake.rows(sql, parameters)
    finally:
        lake.close()


def count(root: Path, table: str) -> int:
    """Rows of a table."""
    return int(rows(root, f"SELECT count(*) FROM {table}")[0][0])  # noqa: S608


def proxies(root: Path) -> dict[str, str]:
    """Each proxy file below the store, with a digest of its content."""
    return {
        str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in (root / "proxies").rglob("*")
        if file.is_file()
    }


def contents(root: Path) -> dict[str, Any]:
    """All tables, in no order, and all proxies: equal for two stores in which the same was done."""
    lake = Lake(root, read_only=True)
    try:
        tables = {table: _lasting(lake, table) for table in TABLES}
    finally:
        lake.close()
    return {**tables, "proxies": proxies(root)}


def assert_whole(root: Path) -> int:
    """Every done result has all its rows and readable proxies, and no row is without its result. Returns how many."""
    lake = Lake(root, read_only=True)
    try:
        assert lake.rows(_TWICE) == []
        done = lake.rows(_DONE)
        for stage, video_id, config_hash, upstream, expected in done:
            _assert_result_is_whole(lake, stage, video_id, config_hash, json.loads(upstream), expected)
        finished = {(stage, *key) for stage, *key, _, _ in done}
        for stage, tables in RESULT_TABLES.items():
            for table in tables:
                keys = lake.rows(f"SELECT DISTINCT video_id, config_hash FROM {table}")  # noqa: S608
                assert {(stage, *key) for key in keys} <= finished, f"{table} has rows without a result"
    finally:
        lake.close()
    return len(done)


def _assert_result_is_whole(
    lake: Lake, stage: str, video_id: str, config_hash: str, upstream: dict[str, str], expected: int
) -> None:
    key = [video_id, config_hash]
    if stage == "raw_video":
        assert lake.row("SELECT codec IS NOT NULL FROM videos WHERE video_id = ?", [video_id]) == (True,)
        return
    found = [pts for (pts,) in lake.rows(f"SELECT pts FROM {stage} WHERE video_id = ? AND config_hash = ?", key)]  # noqa: S608
    assert len(found) == expected == len(set(found)), (stage, *key)
    if stage == "metrics":
        frames = lake.rows(
            "SELECT pts FROM frames WHERE video_id = ? AND config_hash = ?", [video_id, upstream["frames"]]
        )
        assert {pts for (pts,) in frames} == set(found)
    if stage == "frames":
        for (path,) in lake.rows("SELECT path FROM frames WHERE video_id = ? AND config_hash = ?", key):
            assert cv2.imread(str(lake.layout.root / path)) is not None, path


def _lasting(lake: Lake, table: str) -> list[str]:
    relation = lake.connection.sql(f"FROM {table}")
    lasting = [name for name in relation.columns if name not in PASSING.get(table, set())]
    found = []
    for row in relation.select(*[f'"{name}"' for name in lasting]).fetchall():
        values = dict(zip(lasting, row, strict=True))
        if table == "results":
            facts = json.loads(values["facts"])
            values["facts"] = {name: facts[name] for name in sorted(facts.keys() - PASSING_FACTS)}
        found.append(repr(values))
    return sorted(found)
