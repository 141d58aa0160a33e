"""The sampling rules alone, on any rising timestamps: variable rates, odd steps, grids that begin anywhere."""

from bisect import bisect_right
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from frame_pipeline.config import FramesOptions
from frame_pipeline.media.packets import PacketIndex
from frame_pipeline.media.sampling import Stamp, at_intervals, sample, stamps
from tests.domain.rules import nearest_to_grid

SECOND = Fraction(1, 1000)
"""The time base of these streams: milliseconds."""

rising = st.tuples(st.integers(-5000, 5000), st.lists(st.integers(1, 400), max_size=60)).map(
    lambda given: [given[0] + sum(given[1][:place]) for place in range(len(given[1]) + 1)]
)
steps = st.fractions(min_value=20, max_value=2000, max_denominator=1001)
offsets = st.fractions(min_value=0, max_value=3000, max_denominator=1001)


def stamped(pts: list[int]) -> list[Stamp]:
    return [Stamp(index, value, index % 3 == 0) for index, value in enumerate(pts)]


def packets(pts: list[int]) -> PacketIndex:
    keyframe = np.arange(len(pts)) % 3 == 0
    return PacketIndex(np.array(pts, np.int64), keyframe, packets=len(pts), hidden=0, complaints=())


@settings(deadline=None)
@given(rising, steps, offsets)
@example([0], Fraction(1), Fraction(0))
@example([0, 10], Fraction(5), Fraction(0))  # 5 lies in the middle: the earlier frame, which is taken already
@example([0, 10, 20], Fraction(15), Fraction(0))
@example([0, 100], Fraction(40), Fraction(150))  # the grid begins at the last moment that still counts
@example([0, 100], Fraction(40), Fraction(151))
def test_an_interval_takes_the_frames_nearest_to_its_grid(pts: list[int], step: Fraction, offset: Fraction) -> None:
    origin = pts[0] + offset
    taken = [frame.pts for frame in at_intervals(stamped(pts), origin, step)]
    assert taken == nearest_to_grid(pts, origin, step)


@settings(deadline=None)
@given(rising, steps, offsets)
def test_an_interval_leaves_no_point_without_a_frame_near_it(pts: list[int], step: Fraction, offset: Fraction) -> None:
    point = pts[0] + offset
    taken = [frame.pts for frame in at_intervals(stamped(pts), point, step)]
    assert taken == sorted(set(taken))
    while pts[0] <= point < pts[-1]:
        after = bisect_right(pts, point)
        assert min(abs(frame - point) for frame in taken) <= Fraction(pts[after] - pts[after - 1], 2)
        point += step


@given(rising, st.integers(1, 10))
def test_an_interval_shorter_than_every_gap_takes_every_frame(pts: list[int], finer: int) -> None:
    smallest = min((after - before for before, after in pairwise(pts)), default=1)
    taken = at_intervals(stamped(pts), Fraction(pts[0]), Fraction(smallest, finer + 1))
    assert [frame.pts for frame in taken] == pts


def test_an_interval_of_nothing_is_nothing() -> None:
    assert list(at_intervals([], Fraction(0), Fraction(1))) == []


@given(rising, st.integers(1, 70))
def test_every_nth_counts_from_the_first_frame_of_the_stream(pts: list[int], nth: int) -> None:
    options = FramesOptions(method="every_nth", nth=nth)
    taken = sample(stamped(pts)[2:], options, Fraction(pts[0]), SECOND)
    assert [frame.index for frame in taken] == [index for index in range(2, len(pts)) if index % nth == 0]


@given(rising)
def test_every_frame_and_keyframes_are_what_they_say(pts: list[int]) -> None:
    for method, expected in ("every_frame", pts), ("keyframes", pts[::3]):
        taken = sample(stamped(pts), FramesOptions(method=method), Fraction(pts[0]), SECOND)
        assert [frame.pts for frame in taken] == expected


def test_scene_cannot_be_sampled_from_timestamps() -> None:
    with pytest.raises(ValueError, match="scene needs the pictures"):
        list(sample(stamped([0, 1]), FramesOptions(method="scene"), Fraction(0), SECOND))


@pytest.mark.parametrize("interval_s", [1.001, 3.3333333333333335, 29.97])
def test_a_grid_does_not_drift_in_ten_hours(interval_s: float) -> None:
    pts, step = list(range(0, 36_000_000, 997)), Fraction(str(interval_s)) / SECOND
    taken = [frame.pts for frame in sample(stamped(pts), FramesOptions(interval_s=interval_s), Fraction(0), SECOND)]
    points = int((pts[-1] + Fraction(997, 2)) / step)
    assert len(taken) == points + 1
    assert abs(taken[-1] - points * step) <= Fraction(997, 2)


bounds = st.one_of(st.none(), st.integers(-6000, 30_000))


@given(rising, bounds, bounds)
def test_a_range_of_packets_includes_its_start_and_excludes_its_end(
    pts: list[int], start: int | None, end: int | None
) -> None:
    inside = list(stamps(packets(pts), start, end))
    assert [stamp.pts for stamp in inside] == [
        frame for frame in pts if (start is None or frame >= start) and (end is None or frame < end)
    ]
    assert all(pts[stamp.index] == stamp.pts and stamp.keyframe == (stamp.index % 3 == 0) for stamp in inside)


@given(rising, st.integers(-6000, 30_000))
def test_decoding_for_a_frame_starts_at_the_keyframe_before_it(pts: list[int], wanted: int) -> None:
    before = [frame for frame in pts[::3] if frame <= wanted]
    assert packets(pts).keyframe_before(wanted) == (before[-1] if before else None)
