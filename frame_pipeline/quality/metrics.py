"""The stage `metrics`: every measure of every frame, from the proxies, each read once.

Pictures are decoded and measured by a pool of threads; OpenCV and the kernels release the GIL.
Memory: IN_FLIGHT pictures and one batch of rows.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pyarrow as pa

from frame_pipeline.config import MetricsOptions
from frame_pipeline.errors import MissingInput
from frame_pipeline.progress import Progress
from frame_pipeline.quality.measures import measure
from frame_pipeline.stage import Inputs, Output, Video

THREADS = os.cpu_count() or 1
IN_FLIGHT = 4 * THREADS
BATCH_ROWS = 512

_COLUMNS = pa.schema(
    [
        ("pts", pa.int64()),
        *[(name, pa.float64()) for name in ("sharpness", "edge_strength", "contrast", "brightness", "entropy")],
        *[
            (f"{name}_raw", pa.float64())
            for name in ("sharpness", "edge_strength", "contrast", "brightness", "entropy")
        ],
        *[(name, pa.float64()) for name in ("shadows_clipped", "highlights_clipped", "colorfulness")],
        ("phash", pa.uint64()),
    ]
)


@dataclass(frozen=True)
class Metrics:
    """Sharpness, edge strength, contrast, brightness, entropy, clipping, colourfulness and a perceptual hash."""

    name: ClassVar[str] = "metrics"
    code_version: ClassVar[str] = "1"
    table: ClassVar[str] = "metrics"
    after: ClassVar[tuple[str, ...]] = ("frames",)

    options: MetricsOptions

    def reads(self) -> tuple[str, ...]:
        """The chosen frames."""
        return ("frames",)

    def models(self) -> Mapping[str, str]:
        """None."""
        return {}

    def compute(self, video: Video, inputs: Inputs, output: Output, progress: Progress) -> None:
        """Write one row per frame. Raises MissingInput when a proxy is gone."""
        progress.start(f"{video.video_id} metrics", inputs.count("frames"), "frame")
        batch: list[dict[str, Any]] = []
        for done, row in enumerate(self._measured(inputs), start=1):
            batch.append(row)
            if len(batch) >= BATCH_ROWS:
                output.write("metrics", pa.RecordBatch.from_pylist(batch, _COLUMNS))
                batch = []
            progress.advance(done)
        if batch:
            output.write("metrics", pa.RecordBatch.from_pylist(batch, _COLUMNS))

    def _measured(self, inputs: Inputs) -> Iterator[dict[str, Any]]:
        pending: deque[Future[dict[str, Any]]] = deque()
        with ThreadPoolExecutor(THREADS, thread_name_prefix="metrics") as pool:
            try:
                for batch in inputs.read("frames", ["pts", "path"]):
                    for row in batch.to_pylist():
                        pending.append(pool.submit(self._measure, row["pts"], inputs.file(row["path"])))
                        if len(pending) > IN_FLIGHT:
                            yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _measure(self, pts: int, path: Path) -> dict[str, Any]:
        try:
            data = np.fromfile(path, dtype=np.uint8)
            picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        except OSError:
            picture = None
        if picture is None:
            hint = "`frame-pipeline maintain` lists what is damaged, a new run makes it again"
            raise MissingInput(path, "the proxy is gone or unreadable", hint=hint)
        return {"pts": pts, **measure(self._reduced(picture))}

    def _reduced(self, picture: Any) -> Any:
        height, width = picture.shape[:2]
        side = self.options.long_side
        if not side or max(height, width) <= side:
            return picture
        size = max(1, round(width * side / max(height, width))), max(1, round(height * side / max(height, width)))
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
