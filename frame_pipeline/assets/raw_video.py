"""The asset `raw_video`."""

from __future__ import annotations

from typing import Any

import dagster as dg

from frame_pipeline.automation.partitions import videos
from frame_pipeline.media.raw_video import RawVideo
from frame_pipeline.store.lake import Lake
from frame_pipeline.store.results import Key

SPEC = dg.AssetSpec(
    RawVideo.name,
    description="A video file: where it is, what it is, whether all of it is there. The file stays where it lies.",
    partitions_def=videos,
    group_name="footage",
    kinds={"ffmpeg", "duckdb"},
    code_version=RawVideo.code_version,
    skippable=True,
)


def metadata(lake: Lake, key: Key) -> dict[str, Any]:
    """What a person wants to know of the file."""
    row = lake.row(
        "SELECT source, codec, width, height, fps, duration_s, status, error, keyframes, variable_rate, hdr, "
        "interlaced FROM videos WHERE video_id = ?",
        [key.video_id],
    )
    if row is None:
        return {}
    source, codec, width, height, fps, seconds, status, error, keyframes, variable, hdr, interlaced = row
    flags = [name for name, on in (("variable rate", variable), ("HDR", hdr), ("interlaced", interlaced)) if on]
    return {
        "source": dg.MetadataValue.path(source),
        "picture": f"{width} x {height}, {codec}, {fps or 0:.3f} fps" + (f", {', '.join(flags)}" if flags else ""),
        "seconds": float(seconds or 0.0),
        "keyframes": int(keyframes or 0),
        "state": error or status,
    }
