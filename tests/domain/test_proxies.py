"""The proxy is the picture: what a frame's row points to is that frame, as people see it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from tests import media
from tests.domain.conftest import Extracted, Made
from tests.domain.extraction import probe
from tests.media import Image, Recipe

PICTURED = tuple(recipe for recipe in media.ALL if recipe not in (media.flat, media.two_pixels))
DRAWN_OVER = (media.interlaced, media.hdr_pq)  # their proxy is another picture than the decoded one, on purpose
EXACT_DB, OTHER_SCALER_DB = 45, 32


@pytest.mark.parametrize("recipe", [r for r in PICTURED if r not in DRAWN_OVER], ids=str)
def test_a_lossless_proxy_is_the_decoded_picture(recipe: Recipe, made: Made, extracted: Extracted) -> None:
    clip = made(recipe)
    result = extracted(clip.path, long_side=0, format="png")
    for row in result.frames:
        difference = media.psnr(result.proxy(row), media.picture(clip, row["pts"]))
        assert difference > (OTHER_SCALER_DB if recipe is media.sar_4_3 else EXACT_DB)


@pytest.mark.parametrize("recipe", [r for r in PICTURED if r not in DRAWN_OVER and r is not media.tiny], ids=str)
def test_a_jpeg_proxy_looks_like_the_decoded_picture(recipe: Recipe, made: Made, extracted: Extracted) -> None:
    clip = made(recipe)
    result = extracted(clip.path)
    for row in result.frames:
        assert row["path"].endswith(f"/{row['pts']}.jpg")
        assert media.psnr(result.proxy(row), media.picture(clip, row["pts"])) > 30


@pytest.mark.parametrize("recipe", PICTURED, ids=str)
def test_every_proxy_carries_the_number_of_its_frame(recipe: Recipe, made: Made, extracted: Extracted) -> None:
    clip = made(recipe)
    result = extracted(clip.path, method="every_frame")
    assert [media.number(result.proxy(row)) for row in result.frames] == list(clip.numbers)


@pytest.mark.parametrize("recipe", [media.b_frames, media.rotated_90, media.edit_list, media.interlaced], ids=str)
@pytest.mark.parametrize("method", ["keyframes", "scene", "every_nth"])
def test_the_number_is_right_whatever_the_method(recipe: Recipe, method: str, made: Made, extracted: Extracted) -> None:
    clip = made(recipe)
    result = extracted(clip.path, method=method)
    for row in result.frames:
        assert media.number(result.proxy(row)) == clip.numbers[row["source_index"]]


@pytest.mark.parametrize("long_side", [1, 64, 100, 319, 320, 5000])
@pytest.mark.parametrize("recipe", [media.b_frames, media.rotated_90, media.sar_4_3, media.odd_size], ids=str)
def test_a_reduced_proxy_keeps_its_shape_and_is_never_enlarged(
    recipe: Recipe, long_side: int, made: Made, extracted: Extracted
) -> None:
    clip = made(recipe)
    result = extracted(clip.path, long_side=long_side, interval_s=3)
    scale = min(1, long_side / max(clip.width, clip.height))
    for row in result.frames:
        height, width = result.proxy(row).shape[:2]
        assert (row["width"], row["height"]) == (width, height)
        assert max(width, height) == min(long_side, max(clip.width, clip.height))
        assert abs(width - clip.width * scale) <= 0.5 or width == 1
        assert abs(height - clip.height * scale) <= 0.5 or height == 1
        assert (row["source_width"], row["source_height"]) == (clip.width, clip.height)


@pytest.mark.parametrize("recipe", [media.b_frames, media.turned_mirrored, media.gray], ids=str)
def test_a_reduced_proxy_still_shows_the_frame(recipe: Recipe, made: Made, extracted: Extracted) -> None:
    clip = made(recipe)
    result = extracted(clip.path, long_side=160)
    for row in result.frames:
        assert media.number(result.proxy(row)) == clip.numbers[row["source_index"]]


def test_jpeg_quality_is_the_one_asked_for(made: Made, extracted: Extracted) -> None:
    clip = made(media.b_frames)
    folders = [extracted(clip.path, quality=quality).output.folder for quality in (30, 90, 100)]
    sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in folders]
    assert sizes[0] < sizes[1] / 2 < sizes[1] < sizes[2]


@pytest.mark.parametrize("recipe", media.ALL, ids=str)
def test_rows_say_what_was_done_to_the_picture(recipe: Recipe, made: Made, extracted: Extracted) -> None:
    rows = extracted(made(recipe).path).frames
    assert {row["tonemapped"] for row in rows} == {recipe is media.hdr_pq}
    assert {row["deinterlaced"] for row in rows} == {recipe is media.interlaced}


def combing(image: Image) -> float:
    """How much a line differs from the mean of its neighbours, below the number, in grey levels."""
    gray = image.mean(axis=2)[24:]
    return float(np.abs(gray[1:-1] - (gray[:-2] + gray[2:]) / 2).mean())


def test_an_interlaced_picture_loses_its_comb(made: Made, extracted: Extracted) -> None:
    woven, progressive = made(media.interlaced), made(media.b_frames)
    result = extracted(woven.path, interval_s=0.2, long_side=0, format="png")
    for row in result.frames:
        plain = combing(media.picture(progressive, progressive.pts[row["source_index"]]))
        assert combing(media.picture(woven, row["pts"])) > 1.5 * plain, "the clip is not combed"
        assert combing(result.proxy(row)) < 1.3 * plain


@pytest.mark.parametrize("recipe", [media.interlaced, media.hdr_pq], ids=str)
def test_a_picture_does_not_depend_on_how_its_frame_was_reached(
    recipe: Recipe, made: Made, extracted: Extracted
) -> None:
    clip = made(recipe)
    alone = extracted(clip.path, method="keyframes", format="png")
    passing = extracted(clip.path, method="keyframes", shots="adaptive", format="png")
    assert (alone.way, passing.way) == ("keyframes", "full")
    for row in alone.frames:
        assert (alone.proxy(row) == passing.proxy(row)).all()


def of_colour(space: int) -> Callable[[VideoStream], object]:
    def prepare(stream: VideoStream) -> None:
        stream.codec_context.colorspace = space

    return prepare


BT709, BT601 = 1, 6
full_range = replace(media.b_frames, name="full_range", pix_fmt="yuvj420p")
bt709 = replace(media.b_frames, name="bt709", prepare=of_colour(BT709))
bt601 = replace(media.b_frames, name="bt601", prepare=of_colour(BT601))


@pytest.mark.parametrize("recipe", [full_range, bt709, bt601], ids=str)
def test_the_same_drawing_has_the_same_colours_in_any_coding(recipe: Recipe, made: Made, extracted: Extracted) -> None:
    coded, plain = made(recipe), made(media.b_frames)
    one, other = extracted(coded.path, format="png"), extracted(plain.path, format="png")
    assert one.pts == other.pts
    for row, like in zip(one.frames, other.frames, strict=True):
        shift = one.proxy(row).mean(axis=(0, 1)) - other.proxy(like).mean(axis=(0, 1))
        assert np.abs(shift).max() < 1.0


@pytest.mark.media
def test_a_tone_mapped_picture_is_close_to_its_sdr_twin(media_folder: Path, extracted: Extracted) -> None:
    hdr = extracted(media_folder / "tc_nasa_hdr.mp4", format="png", shots="off")
    sdr = extracted(media_folder / "tc_nasa_13013.mp4", format="png", shots="off")
    assert hdr.pts == sdr.pts
    assert len(hdr.pts) == 13
    assert {row["tonemapped"] for row in hdr.frames} == {True}
    assert {row["tonemapped"] for row in sdr.frames} == {False}
    for bright, plain in zip(hdr.frames, sdr.frames, strict=True):
        mapped, twin = hdr.proxy(bright), sdr.proxy(plain)
        assert media.psnr(mapped, twin) >= 19
        assert abs(mapped.mean() - twin.mean()) <= 8


@pytest.mark.media
@pytest.mark.parametrize(("name", "tonemapped"), [("tc_bt2020_10bit.mp4", True), ("tc_h265_10bits.mp4", False)])
def test_only_hdr_is_tone_mapped_not_every_ten_bit_stream(
    name: str, tonemapped: bool, media_folder: Path, extracted: Extracted
) -> None:
    result = extracted(media_folder / name)
    assert {row["tonemapped"] for row in result.frames} == {tonemapped}
    assert all(10 < result.proxy(row).mean() < 245 for row in result.frames)


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "turns"),
    [("decord_rot90.mov", -1), ("decord_rot180.mov", 2), ("decord_rot270.mov", 1), ("tc_nasa_rotated.mp4", 1)],
)
def test_real_rotated_clips_are_upright(name: str, turns: int, media_folder: Path, extracted: Extracted) -> None:
    path = media_folder / name
    result = extracted(path, method="every_nth", nth=1, long_side=0, format="png")
    stored = as_stored(path)
    assert (result.proxy(result.frames[0]) == np.rot90(stored, turns)).all()


def as_stored(path: Path) -> Image:
    """The first frame as it lies in the file."""
    with av.open(str(path)) as container:
        return cast(Image, next(container.decode(video=0)).to_ndarray(format="rgb24"))


@pytest.mark.media
@pytest.mark.parametrize("name", ["intel_asl_hungry.mkv", "intel_asl_walk.mkv"])
def test_a_full_range_camera_clip_keeps_its_brightness(
    name: str, media_folder: Path, extracted: Extracted, tmp_path: Path
) -> None:
    path = media_folder / name
    assert probe(path, tmp_path).columns["videos"]["color_range"] == "jpeg"
    result = extracted(path, format="png", long_side=0)
    with av.open(str(path)) as container:
        luma = {frame.pts: frame.to_ndarray()[: frame.height].mean() for frame in container.decode(video=0)}
    for row in result.frames:
        gray = result.proxy(row) @ np.array([0.299, 0.587, 0.114])
        assert abs(gray.mean() - luma[row["pts"]]) < 1.5
