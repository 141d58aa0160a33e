"""The asset `raw_video`."""

from __future__ import annotations

from typing import Any

import dagster as dg

from frame_pipeline.automation.partitions import videos
from frame_pipeline.media.raw_video import RawVideo
from frame_pipeline.stage import Output
from frame_pipeline.store.layout import Layout

SPEC = dg.AssetSpec(
    RawVideo.name,
    description="A video file: where it is, what it is, whether all of it is there. The file stays where it lies.",
    partitions_def=videos,
    group_name="footage",
    kinds={"ffmpeg", "duckdb"},
    code_version=RawVideo.code_version,
    skippable=True,
)


def metadata(_layout: Layout, output: Output) -> dict[str, Any]:
    """What a person wants to know of the file."""
    found = output.columns["videos"]
    flags = [name for name in ("variable_rate", "hdr", "interlaced", "mirrored") if found[name]]
    picture = f"{found['width']} x {found['height']}, {found['codec']}, {found['fps'] or 0:.3f} fps"
    return {
        "picture": ", ".join([picture, *(flag.replace("_", " ") for flag in flags)]),
        "length in seconds": round(float(found["duration_s"]), 3),
        "keyframes": found["keyframes"],
        "state": found["error"] or found["status"],
    }
