"""What is in a store: everything that two equal stores share, and whether every finished result is whole."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2

from frame_pipeline.store.lake import Lake
from frame_pipeline.store.schema import TABLES

# When, how fast and by which run: these differ between equal stores.
PASSING = {
    "videos": {"added_at", "probed_at"},
    "results": {"seconds", "run_id", "created_at"},
    "configurations": {"used_at"},
}
PASSING_FACTS = "_per_second"

# What must have no rows in a store, by the name of what is wrong.
_WRONG = {
    # One row is one key that several results have.
    "results that are there twice": "SELECT stage, video_id, config_hash FROM results GROUP BY ALL HAVING count(*) > 1",
    "videos that are done and were not probed": """
        SELECT video_id FROM results LEFT JOIN videos USING (video_id)
        WHERE stage = 'raw_video' AND results.status = 'done' AND codec IS NULL
    """,
    # One row is one done result whose number of rows, or of timestamps, is another than it says.
    "results without all their rows": """
        SELECT r.stage, r.video_id, r.config_hash, r."rows", n, several FROM results r LEFT JOIN (
            SELECT 'frames' AS stage, video_id, config_hash, count(*) AS n, count(DISTINCT pts) AS several
            FROM frames GROUP BY ALL UNION ALL
            SELECT 'metrics', video_id, config_hash, count(*), count(DISTINCT pts) FROM metrics GROUP BY ALL
        ) USING (stage, video_id, config_hash)
        WHERE r.stage <> 'raw_video' AND r.status = 'done' AND (r."rows" IS DISTINCT FROM n OR n <> several)
    """,
    # One row is one measured frame that is not among the frames that were to be measured.
    "measures without a frame": """
        SELECT m.video_id, m.config_hash, m.pts FROM metrics m
        JOIN results r ON r.stage = 'metrics' AND r.video_id = m.video_id AND r.config_hash = m.config_hash
        ANTI JOIN frames f ON f.video_id = m.video_id AND f.config_hash = r.upstream_hash AND f.pts = m.pts
    """,
    # One row is one result to which rows belong although it is not done.
    "rows without a result": """
        SELECT * FROM (
            SELECT 'frames' AS stage, video_id, config_hash FROM frames UNION
            SELECT 'frames', video_id, config_hash FROM shots UNION
            SELECT 'metrics', video_id, config_hash FROM metrics
        ) ANTI JOIN (FROM results WHERE status = 'done') USING (stage, video_id, config_hash)
    """,
}


def rows(root: Path, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    """The rows of a statement, read by a connection of its own."""
    lake = Lake(root, read_only=True)
    try:
        return lake.rows(sql, parameters)
    finally:
        lake.close()


def count(root: Path, table: str) -> int:
    """Rows of a table."""
    return int(rows(root, f"SELECT count(*) FROM {table}")[0][0])


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
        lake.rows("BEGIN")  # one snapshot for all questions: a run may be under way
        for what, sql in _WRONG.items():
            assert lake.rows(sql) == [], what
        for (path,) in lake.rows("SELECT path FROM frames"):
            assert cv2.imread(str(root / path)) is not None, f"{path} cannot be read"
        [(done,)] = lake.rows("SELECT count(*) FROM results WHERE status = 'done'")
    finally:
        lake.close()
    return int(done)


def _lasting(lake: Lake, table: str) -> list[str]:
    relation = lake.connection.sql(f"FROM {table}")
    lasting = [name for name in relation.columns if name not in PASSING.get(table, set())]
    found = []
    for row in relation.select(*[f'"{name}"' for name in lasting]).fetchall():
        values = dict(zip(lasting, row, strict=True))
        if table == "results":
            facts = json.loads(values["facts"])
            values["facts"] = {name: facts[name] for name in sorted(facts) if not name.endswith(PASSING_FACTS)}
        found.append(repr(values))
    return sorted(found)
