"""The sampling rules stated once more, by brute force over all timestamps: slow, short and without state."""

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

from tests.media import walk

walked = cache(walk)


def nearest_to_grid(pts: Sequence[int], origin: Fraction, step: Fraction) -> list[int]:
    """For every point origin + k * step, half a gap past the last frame at most, the nearest frame, earlier of two."""
    last = pts[-1] + Fraction(pts[-1] - pts[-2] if len(pts) > 1 else 0, 2)
    points = (origin + k * step for k in range(int((last - origin) / step) + 1)) if origin <= last else ()
    return sorted({min(pts, key=lambda frame: (abs(frame - point), frame)) for point in points})


def chosen(
    path: Path, time_base: Fraction, method: str, *, interval_s: float = 1.0, nth: int = 5,
    start_s: float = 0.0, end_s: float | None = None,
) -> list[int]:  # fmt: skip
    """The pts that a method takes of a stream, by a plain decode of all of it. Ranges count from the first frame."""
    stream = walked(path)
    first = stream[0][0]
    start = first + Fraction(str(start_s)) / time_base
    end = None if end_s is None else first + Fraction(str(end_s)) / time_base
    inside = [(index, pts, keyframe) for index, (pts, keyframe) in enumerate(stream)]
    inside = [frame for frame in inside if frame[1] >= start and (end is None or frame[1] < end)]
    if method == "interval":
        return nearest_to_grid([pts for _, pts, _ in inside], start, Fraction(str(interval_s)) / time_base)
    if method == "every_nth":
        return [pts for index, pts, _ in inside if index % nth == 0]
    return [pts for _, pts, keyframe in inside if keyframe or method != "keyframes"]
