"""Measures against values worked out by hand, against plain OpenCV in float64, and on pictures without structure."""

from collections.abc import Iterator, Mapping
from math import isfinite, log2, sqrt
from pathlib import Path

import cv2
import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from frame_pipeline.config import MetricsOptions
from frame_pipeline.errors import MissingInput
from frame_pipeline.progress import Silent
from frame_pipeline.quality.measures import (
    GrayStatistics,
    brightness,
    colorfulness,
    contrast,
    edge_strength,
    entropy,
    measure,
    perceptual_hash,
    scores,
    sharpness,
)
from frame_pipeline.quality.metrics import Metrics
from frame_pipeline.quality.score import DEFAULT_WEIGHTS, MEASURES, quality_sql
from frame_pipeline.stage import Output, Video
from tests import media
from tests.domain.conftest import Extracted, Made
from tests.domain.extraction import Extraction, extract

Gray = NDArray[np.uint8]

CHECKERBOARD: Gray = (np.indices((8, 8)).sum(0) % 2 * 255).astype(np.uint8)
BRIGHT_PIXEL: Gray = np.zeros((5, 5), np.uint8)
BRIGHT_PIXEL[2, 2] = 255
RAMP: Gray = np.tile(np.arange(0, 80, 10, dtype=np.uint8), (6, 1))
HALVES: Gray = np.repeat(np.array([[50, 150]], np.uint8), 4, axis=1).repeat(8, axis=0)
FLAT: Gray = np.full((9, 7), 200, np.uint8)

# sharpness, edge strength, contrast, brightness, entropy
BY_HAND: dict[str, tuple[Gray, tuple[float, float, float, float, float]]] = {
    # Every pixel differs from its four neighbours by 255: the response is +-4 * 255. Opposite sides cancel in Sobel.
    "checkerboard": (CHECKERBOARD, (1020.0**2, 0.0, 1.0, 0.5, 1.0)),
    # Laplacian: -4 * 255 once and 255 four times. Sobel: 2 * 255 beside the pixel, sqrt(2) * 255 at its corners.
    "one bright pixel": (
        BRIGHT_PIXEL,
        (
            20 * 255**2 / 25, 4 * 255 * (2 + sqrt(2)) / 25, sqrt(24), 1 / 25,
            -(log2(1 / 25) / 25 + 24 / 25 * log2(24 / 25)),
        ),
    ),
    # Steps of 10: only the outer columns respond, with +-20, as the picture is mirrored there; no gradient there.
    "ramp": (RAMP, (2 * 400 / 8, 80 * 6 / 8, sqrt(525) / 35, 35 / 255, 3.0)),
    # Both columns at the step respond, with +-100, and have a gradient of 4 * 100.
    "halves": (HALVES, (2 * 100**2 / 8, 2 * 400 / 8, 0.5, 100 / 255, 1.0)),
    "flat": (FLAT, (0.0, 0.0, 0.0, 200 / 255, 0.0)),
    "black": (np.zeros((4, 4), np.uint8), (0.0, 0.0, 0.0, 0.0, 0.0)),
    "white": (np.full((4, 4), 255, np.uint8), (0.0, 0.0, 0.0, 1.0, 0.0)),
    "one pixel": (np.array([[77]], np.uint8), (0.0, 0.0, 0.0, 77 / 255, 0.0)),
}  # fmt: skip


@pytest.mark.parametrize("picture", BY_HAND)
def test_measures_are_what_comes_out_by_hand(picture: str) -> None:
    gray, expected = BY_HAND[picture]
    found = (sharpness(gray), edge_strength(gray), contrast(gray), brightness(gray), entropy(gray))
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ("checkerboard", (100.0, 0.0, 50.0, 50.0, 12.5)),
        ("ramp", (10.0, 60.0, 100 * sqrt(525) / 70, 100 * 35 / 255, 37.5)),
        ("halves", (100.0, 100.0, 25.0, 100 * 100 / 255, 12.5)),
        ("flat", (0.0, 0.0, 0.0, 100 * 200 / 255, 0.0)),
    ],
)
def test_scores_are_shares_of_fixed_scales(picture: str, expected: tuple[float, ...]) -> None:
    found = scores(GrayStatistics.of(BY_HAND[picture][0]))
    assert tuple(found) == MEASURES
    assert tuple(found.values()) == pytest.approx(expected, rel=1e-6, abs=1e-9)


sides = st.integers(1, 70)
random_grays = st.builds(
    lambda seed, height, width, low, span: np.random.default_rng(seed).integers(
        low, min(256, low + span + 1), (height, width), np.uint8
    ),
    st.integers(0, 2**32 - 1), sides, sides, st.integers(0, 255), st.integers(0, 255),
)  # fmt: skip


@settings(deadline=None)
@given(random_grays)
def test_measures_equal_plain_opencv_in_double_precision(gray: Gray) -> None:
    laplacian = cv2.Laplacian(gray, cv2.CV_64F, ksize=1)
    gradient = np.hypot(cv2.Sobel(gray, cv2.CV_64F, 1, 0, ksize=3), cv2.Sobel(gray, cv2.CV_64F, 0, 1, ksize=3))
    assert sharpness(gray) == pytest.approx(laplacian.var(), rel=1e-9, abs=1e-6)
    assert edge_strength(gray) == pytest.approx(gradient.mean(), rel=1e-5, abs=1e-6)
    assert contrast(gray) == pytest.approx(gray.std() / (gray.mean() + 1e-7), rel=1e-9, abs=1e-9)
    assert brightness(gray) == pytest.approx(gray.mean() / 255)
    share = np.bincount(gray.ravel(), minlength=256) / gray.size
    assert entropy(gray) == pytest.approx(-sum(p * log2(p) for p in share if p), abs=1e-9)


@pytest.mark.parametrize("shape", [(2160, 3840), (1, 5000), (5000, 1), (3, 3), (2, 2), (1, 2), (721, 1283)])
def test_sums_are_exact_at_any_size(shape: tuple[int, int]) -> None:
    gray = np.random.default_rng(5).choice(np.array([0, 255], np.uint8), shape)
    assert sharpness(gray) == pytest.approx(cv2.Laplacian(gray, cv2.CV_64F, ksize=1).var(), rel=1e-9, abs=1e-6)
    gradient = np.hypot(cv2.Sobel(gray, cv2.CV_64F, 1, 0, ksize=3), cv2.Sobel(gray, cv2.CV_64F, 0, 1, ksize=3))
    assert edge_strength(gray) == pytest.approx(gradient.mean(), rel=1e-5, abs=1e-6)


def test_a_view_is_measured_as_its_copy() -> None:
    gray = np.random.default_rng(6).integers(0, 256, (60, 80), np.uint8)
    for view in (gray[::2, ::3], gray.T, gray[:, ::-1]):
        assert GrayStatistics.of(view).sharpness == GrayStatistics.of(view.copy()).sharpness
        assert GrayStatistics.of(view).edge_strength == GrayStatistics.of(view.copy()).edge_strength


@pytest.mark.parametrize(
    "wrong", [np.zeros((0, 4), np.uint8), np.zeros((4, 4), np.float32), np.zeros((4, 4, 3), np.uint8)], ids=str
)
def test_what_is_no_grey_picture_is_refused(wrong: Gray) -> None:
    with pytest.raises(ValueError, match=r"a grey picture is uint8 \[H, W\]"):
        GrayStatistics.of(wrong)


@settings(deadline=None)
@given(random_grays, st.booleans())
def test_every_measure_of_every_picture_is_finite_and_every_score_within_its_scale(gray: Gray, coloured: bool) -> None:
    bgr = np.dstack([gray, gray[::-1], gray[:, ::-1]]) if coloured else np.dstack([gray] * 3)
    found = measure(np.ascontiguousarray(bgr))
    assert all(isfinite(value) for value in found.values())
    assert all(0 <= found[name] <= 100 for name in MEASURES)
    assert 0 <= found["shadows_clipped"] <= 1
    assert 0 <= found["highlights_clipped"] <= 1
    assert 0 <= found["phash"] < 2**64


@pytest.mark.parametrize("level", [0, 1, 2, 3, 127, 252, 253, 254, 255])
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (480, 640)])
def test_a_flat_frame_has_no_structure_and_no_undefined_value(level: int, shape: tuple[int, int]) -> None:
    found = measure(np.full((*shape, 3), level, np.uint8))
    assert all(isfinite(value) for value in found.values())
    assert [found[name] for name in ("sharpness", "edge_strength", "contrast", "entropy", "colorfulness")] == [0.0] * 5
    assert found["brightness"] == pytest.approx(100 * level / 255)
    assert found["shadows_clipped"] == (level <= 2)
    assert found["highlights_clipped"] == (level >= 253)


def test_clipped_shares_count_the_ends_of_the_range() -> None:
    gray = np.array([[0, 1, 2, 3, 100], [252, 253, 254, 255, 100]], np.uint8)
    statistics = GrayStatistics.of(gray)
    assert (statistics.shadows_clipped, statistics.highlights_clipped) == (0.3, 0.3)


def test_a_blurred_picture_is_less_sharp() -> None:
    gray = np.random.default_rng(7).integers(0, 256, (100, 100), np.uint8)
    levels = [sharpness(np.asarray(cv2.GaussianBlur(gray, (0, 0), sigma), np.uint8)) for sigma in (0.5, 1, 2, 4)]
    assert levels == sorted(levels, reverse=True)
    assert sharpness(gray) > levels[0] > 2 * levels[1]


def hasler(bgr: NDArray[np.uint8]) -> float:
    """Equation for M3, word by word."""
    blue, green, red = (bgr[..., channel].astype(np.float64) for channel in range(3))
    rg, yb = red - green, 0.5 * (red + green) - blue
    return float(np.sqrt(rg.std() ** 2 + yb.std() ** 2) + 0.3 * np.sqrt(rg.mean() ** 2 + yb.mean() ** 2))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), sides, sides)
def test_colorfulness_is_the_formula_of_hasler_and_suesstrunk(seed: int, height: int, width: int) -> None:
    bgr = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    assert colorfulness(bgr) == pytest.approx(hasler(bgr), rel=1e-6, abs=1e-5)


def test_colorfulness_of_flat_colours_by_hand() -> None:
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 2] = 255
    assert colorfulness(red) == pytest.approx(0.3 * sqrt(255**2 + 127.5**2))


@settings(deadline=None)
@given(random_grays)
def test_a_grey_picture_has_no_colour(gray: Gray) -> None:
    assert colorfulness(np.dstack([gray] * 3)) == 0.0


def apart(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def pictures() -> list[Gray]:
    rng = np.random.default_rng(8)
    coarse = [rng.integers(0, 256, (9, 12), np.uint8) for _ in range(7)]
    return [np.asarray(cv2.resize(blocks, (320, 240), interpolation=cv2.INTER_CUBIC), np.uint8) for blocks in coarse]


@pytest.mark.parametrize("number", range(7))
def test_a_perceptual_hash_survives_scaling_compression_and_exposure(number: int) -> None:
    gray = pictures()[number]
    original = perceptual_hash(gray)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_GRAYSCALE)
    darker = (gray * 0.8).astype(np.uint8)
    for altered in (cv2.resize(gray, (160, 120)), cv2.resize(gray, (500, 375)), jpeg, darker):
        assert apart(original, perceptual_hash(np.asarray(altered, np.uint8))) <= 6


def test_different_pictures_have_different_hashes() -> None:
    hashes = [perceptual_hash(gray) for gray in pictures()]
    assert min(apart(one, other) for one in hashes for other in hashes if one is not other) >= 16


@pytest.mark.parametrize("shape", [(1, 1), (32, 32), (480, 640), (7, 2000)])
def test_the_hash_of_a_flat_picture_is_the_same_for_every_size_and_level(shape: tuple[int, int]) -> None:
    hashes = {perceptual_hash(np.full(shape, level, np.uint8)) for level in range(1, 256)}
    assert hashes == {perceptual_hash(np.full((64, 64), 99, np.uint8))}
    assert apart(perceptual_hash(np.zeros(shape, np.uint8)), hashes.pop()) <= 1


ROW = {"sharpness": 80.0, "edge_strength": 40.0, "contrast": 60.0, "brightness": 50.0, "entropy": 90.0}


def quality(weights: Mapping[str, float]) -> float:
    expression, parameters = quality_sql(weights)
    columns = ", ".join(f"? AS {name}" for name in ROW)
    statement = "SELECT " + expression + " FROM (SELECT " + columns + ")"
    found = duckdb.execute(statement, [*parameters, *ROW.values()]).fetchone()
    assert found is not None
    return float(found[0])


def test_quality_is_the_weighted_mean_of_the_scores() -> None:
    assert quality(DEFAULT_WEIGHTS) == pytest.approx(0.3 * 80 + 0.2 * 40 + 0.2 * 60 + 0.1 * 50 + 0.2 * 90)
    assert quality({"sharpness": 1}) == pytest.approx(80)
    assert quality({"sharpness": 3, "brightness": 1}) == pytest.approx((3 * 80 + 50) / 4)
    assert quality({"sharpness": 1, "entropy": 0}) == pytest.approx(80)


@given(st.dictionaries(st.sampled_from(MEASURES), st.floats(0.001, 1000), min_size=1))
def test_weights_are_divided_by_their_sum(weights: dict[str, float]) -> None:
    expression, parameters = quality_sql(weights)
    assert sum(parameters) == pytest.approx(1)
    assert parameters == pytest.approx(quality_sql({name: 7 * weight for name, weight in weights.items()})[1])
    assert all(name in expression for name in weights)


@pytest.mark.parametrize(
    "weights",
    [{}, {"sharpness": 0}, {"sharpness": -1, "entropy": 5}, {"beauty": 1}, {"sharpness": 1, "1); DROP TABLE x": 1},
     {"sharpness": float("nan")}, {"sharpness": float("inf")}],
    ids=str,
)  # fmt: skip
def test_weights_that_make_no_mean_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"weights are .*not all zero, and belong to sharpness"):
        quality_sql(weights)


class Upstream:
    """The rows and files that the stage `frames` left."""

    def __init__(self, frames: Extraction) -> None:
        self.frames = frames

    def read(self, table: str, columns: list[str], batch_rows: int = 1024) -> Iterator[pa.RecordBatch]:
        yield from pa.table(self.frames.output.tables()[table].read_all()).select(columns).to_batches(batch_rows)

    def count(self, table: str) -> int:
        return self.frames.output.rows(table)

    def file(self, relative: str) -> Path:
        return self.frames.output.folder / Path(relative).name


def measured(frames: Extraction, folder: Path, **options: int) -> list[dict[str, float]]:
    output = Output(folder)
    Metrics(MetricsOptions(**options)).compute(Video("clip", "0" * 32, Path()), Upstream(frames), output, Silent())
    rows: list[dict[str, float]] = output.tables()["metrics"].read_all().to_pylist()
    return rows


@pytest.mark.parametrize("recipe", [media.b_frames, media.flat, media.two_pixels, media.rotated_90], ids=str)
def test_metrics_are_the_measures_of_the_proxies_in_order(
    recipe: media.Recipe, made: Made, extracted: Extracted, tmp_path: Path
) -> None:
    frames = extracted(made(recipe).path, method="every_frame")
    rows = measured(frames, tmp_path)
    assert [row.pop("pts") for row in rows] == frames.pts
    for row, frame in zip(rows, frames.frames, strict=True):
        assert row == measure(np.ascontiguousarray(frames.proxy(frame)[..., ::-1]))


def test_metrics_on_a_reduced_picture_are_those_of_that_picture(
    made: Made, extracted: Extracted, tmp_path: Path
) -> None:
    frames = extracted(made(media.b_frames).path)
    for row, frame in zip(measured(frames, tmp_path, long_side=160), frames.frames, strict=True):
        small = cv2.resize(frames.proxy(frame)[..., ::-1].copy(), (160, 90), interpolation=cv2.INTER_AREA)
        assert row == {"pts": frame["pts"], **measure(np.asarray(small, np.uint8))}
    assert measured(frames, tmp_path, long_side=5000) == measured(frames, tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"not a picture"], ids=["gone", "empty", "broken"])
def test_a_proxy_that_cannot_be_read_is_told(content: bytes | None, made: Made, tmp_path: Path) -> None:
    frames = extract(made(media.b_frames).path, tmp_path / "proxies")
    proxy = frames.output.folder / Path(frames.frames[1]["path"]).name
    proxy.unlink()
    if content is not None:
        proxy.write_bytes(content)
    with pytest.raises(MissingInput, match="the proxy is gone or unreadable"):
        measured(frames, tmp_path)
