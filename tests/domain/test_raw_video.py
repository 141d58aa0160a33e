"""What `raw_video` says of a file is what was written into it."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests import media
from tests.domain.conftest import Made
from tests.domain.extraction import probe
from tests.media import Recipe

ORDINARY = {
    "codec": "h264", "rotation": 0, "mirrored": False, "sample_aspect_ratio": "1", "variable_rate": False, "hdr": False,
    "interlaced": False, "bits": 8, "video_streams": 1, "audio_streams": 0, "status": "ok", "error": None,
}  # fmt: skip
# What is not ordinary about a clip. Rotation is counter-clockwise, after mirroring left and right.
SPECIAL: dict[Recipe, dict[str, Any]] = {
    media.phone_vfr: {"variable_rate": True},
    media.rotated_90: {"rotation": 270},
    media.rotated_180: {"rotation": 180},
    media.rotated_270: {"rotation": 90},
    media.mirrored: {"mirrored": True},
    media.turned_mirrored: {"rotation": 90, "mirrored": True},
    media.sar_4_3: {"sample_aspect_ratio": "4/3", "coded_width": 240, "coded_height": 180},
    media.interlaced: {"interlaced": True},
    media.ten_bit: {"bits": 10, "pix_fmt": "yuv420p10le"},
    media.hdr_pq: {"codec": "hevc", "bits": 10, "hdr": True, "color_transfer": "smpte2084"},
    media.odd_size: {"pix_fmt": "yuv444p"},
    media.vp9_webm: {"codec": "vp9", "container": "matroska,webm"},
    media.mkv_ms: {"container": "matroska,webm", "time_base": "1/1000"},
    media.transport_stream: {"container": "mpegts", "time_base": "1/90000"},
    media.avi_mpeg4_b: {"codec": "mpeg4", "container": "avi"},
    media.gray: {"codec": "hevc", "pix_fmt": "gray"},
}


@pytest.mark.parametrize("recipe", media.ALL, ids=str)
def test_a_file_is_what_was_written(recipe: Recipe, made: Made, tmp_path: Path) -> None:
    clip = made(recipe)
    found = probe(clip.path, tmp_path).columns["videos"]
    expected = {
        **ORDINARY, **SPECIAL.get(recipe, {}),
        "width": clip.width, "height": clip.height, "start_pts": clip.pts[0], "keyframes": len(clip.keyframes),
        "time_base": str(clip.time_base),
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("recipe", [r for r in media.ALL if r is not media.phone_vfr], ids=str)
def test_rate_and_duration_are_those_of_the_frames(recipe: Recipe, made: Made, tmp_path: Path) -> None:
    clip = made(recipe)
    found = probe(clip.path, tmp_path).columns["videos"]
    assert Fraction(found["average_rate"]) == recipe.rate
    assert found["fps"] == pytest.approx(float(recipe.rate))
    assert found["duration_s"] == pytest.approx(float(len(clip.pts) / recipe.rate), abs=2e-3)


@pytest.mark.parametrize(
    ("recipe", "declared"),
    [(media.b_frames, 80), (media.avi_mpeg4_b, 80), (media.mkv_ms, None), (media.vp9_webm, None)],
    ids=str,
)
def test_the_declared_frames_are_those_of_the_header(
    recipe: Recipe, declared: int | None, made: Made, tmp_path: Path
) -> None:
    found = probe(made(recipe).path, tmp_path).columns["videos"]
    assert found["declared_frames"] == declared
    assert found["packets"] == len(made(recipe).pts)


def test_packets_that_an_edit_list_hides_are_counted_but_not_shown(made: Made, tmp_path: Path) -> None:
    clip = made(media.edit_list)
    found = probe(clip.path, tmp_path).columns["videos"]
    assert found["packets"] > len(clip.pts)
    assert found["start_pts"] == clip.pts[0]


REAL: dict[str, dict[str, Any]] = {
    "decord_rot90.mov": {"rotation": 270, "width": 320, "height": 568},
    "decord_rot180.mov": {"rotation": 180, "width": 568, "height": 320},
    "decord_rot270.mov": {"rotation": 90, "width": 320, "height": 568},
    "tc_nasa_rotated.mp4": {"rotation": 90, "width": 270, "height": 480, "average_rate": "30000/1001"},
    "tc_bt2020_10bit.mp4": {"hdr": True, "bits": 10, "codec": "hevc"},
    "tc_nasa_hdr.mp4": {"hdr": True},
    "tc_h265_10bits.mp4": {"hdr": False, "bits": 10},
    "tc_non_zero_start.mp4": {"sample_aspect_ratio": "224/225", "width": 199, "height": 112},
    "tc_odd_hw_444.mp4": {"width": 321, "height": 241},
    "tc_av1.mkv": {"codec": "av1", "packets": 125, "variable_rate": False},
    "tc_vp9.webm": {"codec": "vp9", "variable_rate": False, "fps": 30.0},
    "moviepy_no_duration.webm": {"variable_rate": True, "declared_duration_s": None},
    "intel_asl_hungry.mkv": {"color_range": "jpeg", "variable_rate": False},
    "psd_fades.mp4": {"keyframes": 243, "declared_frames": 250},
    "intel_one_by_one_person.mp4": {"keyframes": 140, "time_base": "1/200000"},
    "tc_discard_first_keyframe.mp4": {"keyframes": 2, "packets": 30, "status": "ok"},
}


@pytest.mark.media
@pytest.mark.parametrize("name", REAL)
def test_a_real_clip_is_what_its_makers_say(name: str, media_folder: Path, tmp_path: Path) -> None:
    found = probe(media_folder / name, tmp_path).columns["videos"]
    assert {column: found[column] for column in REAL[name]} == REAL[name]
