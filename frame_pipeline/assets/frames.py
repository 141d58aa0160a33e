"""The asset `frames`."""

from __future__ import annotations

import base64
from typing import Any

import dagster as dg

from frame_pipeline.automation.partitions import videos
from frame_pipeline.media.contact_sheet import Tile, as_jpeg, contact_sheet, time_label
from frame_pipeline.media.frames import Frames
from frame_pipeline.store.lake import Lake
from frame_pipeline.store.results import Key

SHEET_TILES = 18

SPEC = dg.AssetSpec(
    Frames.name,
    deps=["raw_video"],
    description="The chosen frames with exact timestamps, the shots they belong to, and a proxy picture of each.",
    partitions_def=videos,
    group_name="footage",
    kinds={"ffmpeg", "opencv", "duckdb"},
    code_version=Frames.code_version,
    skippable=True,
)

# One row is one of at most SHEET_TILES frames, evenly spread over the result.
_SPREAD = """
    SELECT path, time_s FROM (
        SELECT path, time_s, row_number() OVER (ORDER BY pts) - 1 AS place, count(*) OVER () AS total
        FROM frames WHERE video_id = ? AND config_hash = ?
    ) WHERE place % greatest(1, ceil(total / ?)::BIGINT) = 0 ORDER BY time_s
"""


def metadata(lake: Lake, key: Key) -> dict[str, Any]:
    """A contact sheet and the number of shots."""
    rows = lake.rows(_SPREAD, [key.video_id, key.config_hash, SHEET_TILES])
    shots = lake.row(
        "SELECT count(*) FROM shots WHERE video_id = ? AND config_hash = ?", [key.video_id, key.config_hash]
    )
    tiles = [Tile(lake.layout.root / path, time_label(time_s)) for path, time_s in rows]
    return {"contact sheet": _picture(as_jpeg(contact_sheet(tiles), 70)), "shots": int(shots[0]) if shots else 0}


def _picture(jpeg: bytes) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(f"![contact sheet](data:image/jpeg;base64,{base64.b64encode(jpeg).decode()})")
