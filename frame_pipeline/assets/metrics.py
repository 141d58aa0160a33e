"""The asset `metrics`."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import dagster as dg
import numpy as np

from frame_pipeline.automation.partitions import videos
from frame_pipeline.quality.charts import score_histograms
from frame_pipeline.quality.metrics import Metrics
from frame_pipeline.quality.score import MEASURES
from frame_pipeline.stage import Output
from frame_pipeline.store.layout import Layout

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


def metadata(_layout: Layout, output: Output) -> dict[str, Any]:
    """Histograms of the five scores."""
    scores: dict[str, list[Any]] = {name: [] for name in MEASURES}
    for batch in output.tables().get("metrics", ()):
        for name, values in scores.items():
            values.append(batch.column(name).to_numpy())
    chart = score_histograms({name: np.concatenate([*values, []]) for name, values in scores.items()})
    png = base64.b64encode(bytes(cv2.imencode(".png", chart)[1])).decode()
    return {"scores": dg.MetadataValue.md(f"![histograms](data:image/png;base64,{png})")}
