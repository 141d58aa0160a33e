"""The asset `metrics`."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import dagster as dg

from frame_pipeline.automation.partitions import videos
from frame_pipeline.quality.charts import score_histograms
from frame_pipeline.quality.metrics import Metrics
from frame_pipeline.quality.score import MEASURES
from frame_pipeline.store.lake import Lake
from frame_pipeline.store.results import Key

SPEC = dg.AssetSpec(
    Metrics.name,
    deps=["frames"],
    description="Sharpness, edge strength, contrast, brightness and entropy of every frame.",
    partitions_def=videos,
    group_name="analysis",
    kinds={"numba", "duckdb"},
    code_version=Metrics.code_version,
    skippable=True,
)


def metadata(lake: Lake, key: Key) -> dict[str, Any]:
    """Histograms of the five scores."""
    columns = ", ".join(MEASURES)
    table = lake.cursor().execute(
        f"SELECT {columns} FROM metrics WHERE video_id = ? AND config_hash = ?",  # noqa: S608
        [key.video_id, key.config_hash],
    )
    scores = table.fetchnumpy()
    chart = cv2.imencode(".png", score_histograms({name: scores[name] for name in MEASURES}))[1]
    picture = f"![histograms](data:image/png;base64,{base64.b64encode(bytes(chart)).decode()})"
    return {"scores": dg.MetadataValue.md(picture)}
