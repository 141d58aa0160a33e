"""Small pictures of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

BINS = 40
PANEL_PX = (176, 84)
BACKGROUND, BAR, TEXT, LINE = (24, 24, 27), (246, 165, 96), (228, 228, 231), (63, 63, 70)


def score_histograms(scores: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8]:
    """One histogram per measure side by side. scores: name to [N] values 0..100. Returns uint8 BGR [H, W, 3]."""
    return np.hstack([_panel(name, values) for name, values in scores.items()])


def _panel(name: str, values: NDArray[Any]) -> NDArray[np.uint8]:
    width, height = PANEL_PX
    panel = np.full((height, width, 3), BACKGROUND, np.uint8)
    counts, _ = np.histogram(values, bins=BINS, range=(0, 100))
    top = max(int(counts.max(initial=0)), 1)
    step = (width - 16) / BINS
    for place, count in enumerate(counts.tolist()):
        left, right = round(8 + place * step), round(8 + (place + 1) * step) - 1
        cv2.rectangle(panel, (left, height - 12 - round(48 * count / top)), (right, height - 12), BAR, -1)
    cv2.line(panel, (8, height - 11), (width - 8, height - 11), LINE, 1)
    median = f"{np.median(values):.0f}" if len(values) else "-"
    text = f"{name.replace('_', ' ')}  median {median}"
    cv2.putText(panel, text, (8, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.34, TEXT, 1, cv2.LINE_AA)
    return panel
