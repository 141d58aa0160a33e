"""Which frames are taken. Every rule works on anything stamped: decoded frames, or packets that were not decoded.

So a plan made from the packets chooses the same frames as a full decode.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeVar

from frame_pipeline.config import FramesOptions
from frame_pipeline.media.packets import PacketIndex


class Stamped(Protocol):
    """Something with a place in the stream."""

    @property
    def index(self) -> int: ...
    @property
    def pts(self) -> int: ...
    @property
    def keyframe(self) -> bool: ...


S = TypeVar("S", bound=Stamped)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A frame that is known from its packet only."""

    index: int
    pts: int
    keyframe: bool


def stamps(index: PacketIndex, start_pts: int | None = None, end_pts: int | None = None) -> Iterator[Stamp]:
    """The frames that the packets announce with start_pts <= pts < end_pts."""
    first = 0 if start_pts is None else index.position(start_pts)
    last = len(index.pts) if end_pts is None else index.position(end_pts)
    for place in range(first, last):
        yield Stamp(place, int(index.pts[place]), bool(index.keyframe[place]))


def sample(frames: Iterable[S], options: FramesOptions, origin: Fraction, time_base: Fraction) -> Iterator[S]:
    """The frames that `options.method` takes, for every method that looks at stamps alone (all but scene).

    origin: where an interval grid begins, in ticks of `time_base`.
    """
    if options.method == "every_frame":
        yield from frames
    elif options.method == "every_nth":
        yield from (frame for frame in frames if frame.index % options.nth == 0)
    elif options.method == "keyframes":
        yield from (frame for frame in frames if frame.keyframe)
    elif options.method == "interval":
        yield from at_intervals(frames, origin, Fraction(str(options.interval_s)) / time_base)
    else:
        raise ValueError(f"{options.method} needs the pictures")


def at_intervals(frames: Iterable[S], origin: Fraction, step: Fraction) -> Iterator[S]:
    """For each point origin + k * step the frame nearest to it (the earlier one of two), each frame once.

    So a frame is off its point by at most half the distance between two source frames. A point beyond the last
    frame counts while it is nearer than half of the last distance. origin, step: ticks.
    """
    point = origin
    previous: S | None = None
    gap = 0
    for frame in frames:
        if previous is not None:
            gap = frame.pts - previous.pts
            if 2 * point <= previous.pts + frame.pts:
                yield previous
                point = _next_point(origin, step, Fraction(previous.pts + frame.pts, 2))
        previous = frame
    if previous is not None and (2 * point <= 2 * previous.pts + gap):
        yield previous


def _next_point(origin: Fraction, step: Fraction, after: Fraction) -> Fraction:
    return origin + ((after - origin) // step + 1) * step
