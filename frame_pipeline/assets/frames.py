"""The asset `frames`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import dagster as dg

from frame_pipeline.automation.partitions import videos
from frame_pipeline.media.contact_sheet import Tile, as_jpeg, contact_sheet, time_label
from frame_pipeline.media.frames import Frames
from frame_pipeline.stage import Output
from frame_pipeline.store.layout import Layout

SHEET_TILES = 20
SHEET_COLUMNS = 5
"""What the dialog of the Dagster UI shows without scrolling."""

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


def metadata(layout: Layout, output: Output) -> dict[str, Any]:
    """A contact sheet of frames evenly spread over the result, and the number of shots."""
    step = max(1, -(-output.rows("frames") // SHEET_TILES))
    tiles = []
    for place, row in enumerate(_rows(output)):
        if place % step == 0:
            tiles.append(Tile(layout.root / row["path"], time_label(row["time_s"])))
    return {
        "contact sheet": _picture(as_jpeg(contact_sheet(tiles, columns=SHEET_COLUMNS), 70)),
        "shots": output.rows("shots"),
    }


def _rows(output: Output) -> Iterator[dict[str, Any]]:
    for batch in output.tables().get("frames", ()):
        yield from batch.select(["path", "time_s"]).to_pylist()


def _picture(jpeg: bytes) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(f"![contact sheet](data:image/jpeg;base64,{base64.b64encode(jpeg).decode()})")
