"""Where one shot ends and the next begins: PySceneDetect's detectors, fed by our own decode."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

SMALL_WIDTH_PX = 256
"""PySceneDetect's own working width."""

# The parameter that each detector calls its threshold.
_THRESHOLDS = {
    "adaptive": "adaptive_threshold",
    "content": "threshold",
    "hash": "threshold",
    "histogram": "threshold",
    "threshold": "threshold",
}


class ShotFinder:
    """Finds cuts in frames that are shown to it one by one."""

    def __init__(self, detector: str, threshold: float | None, min_shot_frames: int, rate: Fraction) -> None:
        """detector: a key of PySceneDetect's detectors; threshold None takes its default; rate: frames a second."""
        self._detector = _make(detector, threshold, min_shot_frames)
        self._rate = rate
        self._shrink = Shrink()
        self._shown = 0

    @property
    def latency(self) -> int:
        """How many frames after a cut it is reported at the latest."""
        return int(self._detector.event_buffer_length)

    def show(self, frame: av.VideoFrame) -> list[int]:
        """The next frame. Returns the cuts that are certain now, as counts of frames shown before each cut."""
        cuts = self._detector.process_frame(self._timecode(self._shown), self._shrink(frame))
        self._shown += 1
        return [int(cut.frame_num) for cut in cuts]

    def finish(self) -> list[int]:
        """Cuts that only the end makes certain."""
        if not self._shown:
            return []
        return [int(cut.frame_num) for cut in self._detector.post_process(self._timecode(self._shown - 1))]

    def _timecode(self, frame: int) -> Any:
        from scenedetect import FrameTimecode

        return FrameTimecode(frame, self._rate)


class Shrink:
    """Reduces frames to the small BGR pictures that detectors compare."""

    def __init__(self) -> None:
        self._scaler = VideoReformatter()

    def __call__(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        """uint8 BGR [h, w, 3], at most SMALL_WIDTH_PX wide."""
        width = min(frame.width, SMALL_WIDTH_PX)
        height = max(1, round(frame.height * width / frame.width))
        # POINT looks only at the pixels it keeps, as PySceneDetect's own reduction nearly does. Averaging instead
        # smooths what the detectors' thresholds were tuned on: on the test clips it loses cuts and finds false ones.
        small = self._scaler.reformat(frame, width, height, "bgr24", interpolation=Interpolation.POINT)
        return cast(NDArray[np.uint8], small.to_ndarray())


def _make(detector: str, threshold: float | None, min_shot_frames: int) -> Any:
    from scenedetect import detectors

    kind = {
        "adaptive": detectors.AdaptiveDetector,
        "content": detectors.ContentDetector,
        "hash": detectors.HashDetector,
        "histogram": detectors.HistogramDetector,
        "threshold": detectors.ThresholdDetector,
    }[detector]
    chosen = {} if threshold is None else {_THRESHOLDS[detector]: threshold}
    return kind(min_scene_len=min_shot_frames, **chosen)
