"""Rows of `frames` and `shots`, gathered while the stream passes by.

A cut may become certain long after its frame (a fade is judged at its end), so frame rows wait in a spool and get
their shot number last. What stays in memory for every shown frame is its timestamp: 8 bytes.
"""

from __future__ import annotations

from array import array
from bisect import insort
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from frame_pipeline.media.decode import Shown
from frame_pipeline.media.proxies import Proxy
from frame_pipeline.stage import Output, Spool

BATCH_ROWS = 512

_FRAME_COLUMNS = pa.schema(
    [
        ("pts", pa.int64()),
        ("time_base", pa.string()),
        ("time_s", pa.float64()),
        ("source_index", pa.int64()),
        ("is_keyframe", pa.bool_()),
        ("path", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("source_width", pa.int32()),
        ("source_height", pa.int32()),
        ("tonemapped", pa.bool_()),
        ("deinterlaced", pa.bool_()),
    ]
)
_SHOT_COLUMNS = pa.schema(
    [
        ("shot", pa.int32()),
        ("start_pts", pa.int64()),
        ("end_pts", pa.int64()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("start_index", pa.int64()),
        ("end_index", pa.int64()),
    ]
)


class FrameRows:
    """One row per chosen frame, in order of pts."""

    def __init__(self, output: Output, time_base: Fraction, folder: str) -> None:
        """folder: where the proxies lie, relative to the store."""
        self.count = 0
        self._output, self._time_base, self._folder = output, time_base, folder
        self._spool = Spool(_FRAME_COLUMNS)
        self._batch: list[dict[str, Any]] = []

    def add(self, proxy: Proxy, name: str) -> None:
        """A finished frame, whose proxy is the file `name`."""
        self.count += 1
        self._batch.append(
            {
                "pts": proxy.pts,
                "time_base": str(self._time_base),
                "time_s": float(proxy.pts * self._time_base),
                "source_index": proxy.index,
                "is_keyframe": proxy.keyframe,
                "path": f"{self._folder}/{name}",
                "width": proxy.width,
                "height": proxy.height,
                "source_width": proxy.source_width,
                "source_height": proxy.source_height,
                "tonemapped": proxy.tonemapped,
                "deinterlaced": proxy.deinterlaced,
            }
        )
        if len(self._batch) >= BATCH_ROWS:
            self._flush()

    def finish(self, shot_starts: NDArray[np.int64] | None) -> None:
        """Hand all rows to the output. shot_starts: [S] source index where each shot begins, or None without shots."""
        self._flush()
        for batch in self._spool.reader():
            indices = batch.column("source_index").to_numpy()
            if shot_starts is None:
                shots = pa.nulls(batch.num_rows, pa.int32())
            else:
                shots = pa.array(np.searchsorted(shot_starts, indices, side="right") - 1, pa.int32())
            self._output.write("frames", batch.append_column("shot", shots))
        self._spool.file.close()

    def _flush(self) -> None:
        if self._batch:
            self._spool.write(pa.RecordBatch.from_pylist(self._batch, _FRAME_COLUMNS))
            self._batch.clear()


class ShotRows:
    """One row per shot, from the frames shown to the detector and the cuts it found."""

    def __init__(self, output: Output, time_base: Fraction) -> None:
        self._output, self._time_base = output, time_base
        self._pts = array("q")
        self._first_index = 0
        self._starts = [0]

    def show(self, frame: Shown) -> None:
        """The next frame."""
        if not self._pts:
            self._first_index = frame.index
        self._pts.append(frame.pts)

    def cut(self, counts: list[int]) -> list[int]:
        """New cuts, as counts of frames shown before each. Returns them."""
        for count in counts:
            if 0 < count < len(self._pts) and count not in self._starts:
                insort(self._starts, count)
        return counts

    def finish(self) -> NDArray[np.int64]:
        """Write the rows. Returns [S], the source index at which each shot begins."""
        if self._pts:
            ends = [*self._starts[1:], len(self._pts)]
            rows = [self._row(shot, *span) for shot, span in enumerate(zip(self._starts, ends, strict=True))]
            self._output.write("shots", pa.RecordBatch.from_pylist(rows, _SHOT_COLUMNS))
        return np.array(self._starts, dtype=np.int64) + self._first_index

    def _row(self, shot: int, start: int, end: int) -> dict[str, Any]:
        start_pts = self._pts[start]
        end_pts = self._pts[end] if end < len(self._pts) else self._pts[-1] + 1
        return {
            "shot": shot,
            "start_pts": start_pts,
            "end_pts": end_pts,
            "start_s": float(start_pts * self._time_base),
            "end_s": float(end_pts * self._time_base),
            "start_index": self._first_index + start,
            "end_index": self._first_index + end,
        }
