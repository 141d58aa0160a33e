"""A frame is (video, pts): every method, over every kind of clip, stores the timestamps of the stream itself."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import av
import cv2
import pytest

from frame_pipeline.errors import FramePipelineError
from tests import media
from tests.domain.conftest import Extracted, Made
from tests.domain.rules import chosen, walked
from tests.media import Recipe

RULES: tuple[dict[str, Any], ...] = (
    {"method": "interval", "interval_s": 0.2},
    {"method": "interval", "interval_s": 0.77},
    {"method": "every_frame"},
    {"method": "every_nth", "nth": 7},
    {"method": "keyframes"},
)
METHODS = (*RULES, {"method": "scene"})


def named(options: dict[str, Any]) -> str:
    return " ".join(str(value) for value in options.values())


every_clip = pytest.mark.parametrize("recipe", media.ALL, ids=str)


@every_clip
def test_a_plain_decode_agrees_with_the_truth_of_the_clip(recipe: Recipe, made: Made) -> None:
    clip = made(recipe)
    assert tuple(pts for pts, _ in walked(clip.path)) == clip.pts
    assert tuple(pts for pts, key in walked(clip.path) if key) == clip.keyframes


@pytest.mark.parametrize("options", RULES, ids=named)
@every_clip
def test_stored_frames_are_exactly_those_of_the_rule(
    recipe: Recipe, options: dict[str, Any], made: Made, extracted: Extracted
) -> None:
    clip = made(recipe)
    assert extracted(clip.path, **options).pts == chosen(clip.path, clip.time_base, **options)


@pytest.mark.parametrize("options", METHODS, ids=named)
@every_clip
def test_rows_tell_place_time_and_keyframe_of_their_frame(
    recipe: Recipe, options: dict[str, Any], made: Made, extracted: Extracted
) -> None:
    clip = made(recipe)
    rows = extracted(clip.path, **options).frames
    assert rows
    for row in rows:
        assert clip.pts[row["source_index"]] == row["pts"]
        assert row["is_keyframe"] == (row["pts"] in clip.keyframes)
        assert Fraction(row["time_base"]) == clip.time_base
        assert row["time_s"] == float(row["pts"] * clip.time_base)


@every_clip
def test_an_interval_frame_is_off_by_half_a_source_gap_at_most(
    recipe: Recipe, made: Made, extracted: Extracted
) -> None:
    clip, step = made(recipe), Fraction(1, 5)
    gaps = [after - before for before, after in pairwise(clip.pts)] or [0]
    taken = extracted(clip.path, method="interval", interval_s=0.2).frames
    for point in range(int((clip.pts[-1] - clip.pts[0]) * clip.time_base / step) + 1):
        ticks = clip.pts[0] + point * step / clip.time_base
        frame = min(taken, key=lambda row: abs(row["pts"] - ticks))
        around = gaps[max(frame["source_index"] - 1, 0) : frame["source_index"] + 1]
        assert abs(frame["pts"] - ticks) <= Fraction(max(around), 2)


@every_clip
def test_scene_takes_a_few_frames_of_every_shot_in_order(recipe: Recipe, made: Made, extracted: Extracted) -> None:
    clip = made(recipe)
    result = extracted(clip.path, method="scene")
    assert result.pts == sorted(set(result.pts) & set(clip.pts))
    for shot in result.shots:
        of_shot = [row for row in result.frames if row["shot"] == shot["shot"]]
        assert len(of_shot) == min(3, shot["end_index"] - shot["start_index"])
        assert all(shot["start_index"] <= row["source_index"] < shot["end_index"] for row in of_shot)


@pytest.mark.parametrize("recipe", [media.b_frames, media.phone_vfr, media.rotated_90, media.mkv_ms], ids=str)
def test_scene_frames_are_the_sharpest_of_their_shot(recipe: Recipe, made: Made, extracted: Extracted) -> None:
    clip = made(recipe)
    with av.open(str(clip.path)) as container:
        luma = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    measured = [cv2.Laplacian(gray, cv2.CV_64F, ksize=1).var() for gray in luma]
    edges = (0, *clip.cuts, len(clip.pts))
    expected = set()
    for start, end in pairwise(edges):
        expected |= set(sorted(range(start, end), key=lambda index: -measured[index])[:2])
    assert {row["source_index"] for row in extracted(clip.path, method="scene", per_shot=2).frames} == expected


# Keyframes every 4 frames, so that a grid ten times as wide is worth seeking for.
SOUGHT = tuple(
    replace(
        recipe, name=f"{recipe}_dense_keys", frames=150,
        options=recipe.options.replace(f"keyint={media.KEYINT}", "keyint=4").replace(f"g={media.KEYINT}", "g=4"),
    )
    for recipe in (
        media.b_frames, media.open_gop, media.edit_list, media.non_zero_start, media.transport_stream, media.phone_vfr,
        media.film_23_976, media.mkv_ms, media.vp9_webm, media.avi_mpeg4_b, media.interlaced,
    )
)  # fmt: skip


@pytest.mark.parametrize("recipe", SOUGHT, ids=str)
def test_seeking_takes_the_frames_and_pictures_of_a_full_decode(
    recipe: Recipe, made: Made, extracted: Extracted
) -> None:
    clip = made(recipe)
    interval_s = float(round(40 / recipe.rate, 2))
    sought = extracted(clip.path, interval_s=interval_s, shots="off")
    walked_to = extracted(clip.path, interval_s=interval_s)
    assert (sought.way, walked_to.way) == ("seek", "full")
    assert len(sought.pts) >= 3
    assert sought.pts == walked_to.pts == chosen(clip.path, clip.time_base, "interval", interval_s=interval_s)
    for one, other in zip(sought.frames, walked_to.frames, strict=True):
        assert {**one, "shot": None} == {**other, "shot": None}
        assert (sought.proxy(one) == walked_to.proxy(other)).all()


@every_clip
def test_frames_do_not_depend_on_whether_shots_are_wanted(recipe: Recipe, made: Made, extracted: Extracted) -> None:
    clip = made(recipe)
    for options in RULES:
        assert extracted(clip.path, shots="off", **options).pts == extracted(clip.path, **options).pts


# At 25 frames a second 0.4 s, 0.8 s and 0.96 s are the times of frames 10, 20 and 24, a keyframe: a range holds the
# frame at its start, not the one at its end.
RANGES: tuple[dict[str, float], ...] = (
    {"start_s": 0.4},
    {"end_s": 0.8},
    {"start_s": 0.4, "end_s": 0.8},
    {"start_s": 0.96},
    {"start_s": 1.03, "end_s": 2.9},
)
WAYS: dict[str, tuple[dict[str, Any], ...]] = {
    "full": (
        {"method": "every_frame"},
        {"method": "every_nth", "nth": 7},
        {"method": "interval", "interval_s": 0.3},
        {"method": "keyframes", "shots": "adaptive"},
    ),
    "seek": (
        {"method": "interval", "interval_s": 2.5, "shots": "off"},
        {"method": "every_nth", "nth": 60, "shots": "off"},
    ),
    "keyframes": ({"method": "keyframes"},),
}
MOVED = (
    media.b_frames, media.open_gop, media.non_zero_start, media.edit_list, media.transport_stream, media.phone_vfr,
    media.mkv_ms, media.vp9_webm, media.avi_mpeg4_b, media.rotated_90,
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("within", RANGES, ids=lambda within: " ".join(f"{k}={v}" for k, v in within.items()))
@pytest.mark.parametrize("recipe", MOVED, ids=str)
def test_a_range_holds_what_lies_in_it_and_nothing_else(
    recipe: Recipe, within: dict[str, float], way: str, made: Made, extracted: Extracted
) -> None:
    clip = made(recipe)
    for options in WAYS[way]:
        rule: dict[str, Any] = {name: value for name, value in options.items() if name != "shots"}
        expected = chosen(clip.path, clip.time_base, **rule, **dict[str, Any](within))
        result = extracted(clip.path, **options, **within)
        assert result.pts == expected, options
        assert result.way == way or way == "seek", options
        assert [clip.pts[row["source_index"]] for row in result.frames] == expected, options


@pytest.mark.parametrize("recipe", MOVED, ids=str)
def test_start_counts_from_the_first_frame_and_not_from_zero(recipe: Recipe, made: Made, extracted: Extracted) -> None:
    clip = made(recipe)
    first = extracted(clip.path, method="every_frame", start_s=1.0).pts[0]
    assert first == min(pts for pts in clip.pts if (pts - clip.pts[0]) * clip.time_base >= 1)


@pytest.mark.parametrize("options", [{}, {"shots": "off"}, {"method": "keyframes"}, {"method": "scene"}], ids=named)
def test_a_range_beyond_the_end_is_told_for_what_it_is(
    options: dict[str, Any], made: Made, extracted: Extracted
) -> None:
    path = made(media.b_frames).path
    try:
        told = " ".join(extracted(path, start_s=1000.0, **options).output.warnings)
    except FramePipelineError as refused:
        told = str(refused)
    assert "start_s" in told


def test_scene_looks_at_the_range_only(made: Made, extracted: Extracted) -> None:
    clip = made(media.non_zero_start)
    inside = chosen(clip.path, clip.time_base, "every_frame", start_s=1.4, end_s=2.0)
    result = extracted(clip.path, method="scene", start_s=1.4, end_s=2.0, per_shot=100)
    assert result.pts == inside
