"""Shots: where they begin on clips with known cuts, and that they tile the video whatever was asked for."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from frame_pipeline.media.decode import Walk, walk
from frame_pipeline.media.packets import read_packets
from frame_pipeline.media.shots import ShotFinder
from tests import media
from tests.domain.conftest import Extracted, Made
from tests.domain.extraction import Extraction
from tests.media import Image, Recipe

CUT = tuple(recipe for recipe in media.ALL if recipe is not media.two_pixels)  # two by two pixels have no content


@pytest.mark.parametrize("recipe", CUT, ids=str)
def test_cuts_are_found_where_they_were_drawn(recipe: Recipe, made: Made, extracted: Extracted) -> None:
    clip = made(recipe)
    assert extracted(clip.path, method="every_frame").starts == [0, *clip.cuts]


@pytest.mark.parametrize("detector", ["adaptive", "content", "hash", "histogram"])
def test_each_detector_finds_hard_cuts(detector: str, made: Made, extracted: Extracted) -> None:
    clip = made(media.ntsc_29_97)
    found = extracted(clip.path, shots=detector).starts
    assert {0, *clip.cuts} <= set(found)
    assert len(found) <= 4


def tiled(result: Extraction) -> bool:
    edges = [(shot["start_index"], shot["end_index"]) for shot in result.shots]
    return all(end == start for (_, end), (start, _) in pairwise(edges)) and all(a < b for a, b in edges)


TAKES: tuple[dict[str, Any], ...] = (
    {"method": "every_frame"}, {"method": "scene"}, {"interval_s": 0.2}, {"method": "keyframes", "shots": "content"},
    {"method": "every_frame", "start_s": 0.7, "end_s": 2.2}, {"method": "scene", "start_s": 0.7, "end_s": 2.2},
)  # fmt: skip


@pytest.mark.parametrize("options", TAKES, ids=lambda options: " ".join(f"{k}={v}" for k, v in options.items()))
@pytest.mark.parametrize("recipe", [media.b_frames, media.edit_list, media.non_zero_start, media.phone_vfr], ids=str)
def test_shots_cover_the_range_without_gaps_and_every_frame_lies_in_its_shot(
    recipe: Recipe, options: dict[str, Any], made: Made, extracted: Extracted
) -> None:
    clip = made(recipe)
    result = extracted(clip.path, **options)
    first = clip.pts[0] + Fraction(str(options.get("start_s", 0))) / clip.time_base
    last = clip.pts[0] + Fraction(str(options.get("end_s", 1000))) / clip.time_base
    inside = [pts for pts in clip.pts if first <= pts < last]
    assert tiled(result)
    assert [shot["shot"] for shot in result.shots] == list(range(len(result.shots)))
    assert (result.shots[0]["start_pts"], result.shots[-1]["end_pts"]) == (inside[0], inside[-1] + 1)
    for shot in result.shots:
        assert shot["start_pts"] == clip.pts[shot["start_index"]]
        assert shot["start_s"] == float(shot["start_pts"] * clip.time_base)
        assert shot["end_s"] == float(shot["end_pts"] * clip.time_base)
    for row in result.frames:
        shot = result.shots[row["shot"]]
        assert shot["start_pts"] <= row["pts"] < shot["end_pts"]
        assert shot["start_index"] <= row["source_index"] < shot["end_index"]


@pytest.mark.parametrize(
    "options", [{"shots": "off"}, {"method": "keyframes"}, {"method": "scene", "shots": "off"}], ids=str
)
def test_without_a_detector_there_are_no_shots(options: dict[str, Any], made: Made, extracted: Extracted) -> None:
    result = extracted(made(media.b_frames).path, **options)
    assert result.shots == []
    assert {row["shot"] for row in result.frames} == {None}


def test_scene_without_shots_takes_the_sharpest_of_the_whole_range(made: Made, extracted: Extracted) -> None:
    assert len(extracted(made(media.b_frames).path, method="scene", shots="off", per_shot=4).frames) == 4


def first_shot_only(number: float, shot: int, width: int, height: int) -> Image:
    return media._drawn(number, 0 * shot, width, height)


one_shot = replace(media.b_frames, name="one_shot", draw=first_shot_only)


def test_a_video_without_cuts_is_one_shot(made: Made, extracted: Extracted) -> None:
    assert extracted(made(one_shot).path).starts == [0]
    assert extracted(made(media.single_frame).path).starts == [0]


def test_no_shot_is_shorter_than_asked_for(made: Made, extracted: Extracted) -> None:
    clip = made(media.b_frames)
    assert extracted(clip.path, min_shot_frames=40).starts != [0, *clip.cuts]
    lengths = [shot["end_index"] - shot["start_index"] for shot in extracted(clip.path, min_shot_frames=40).shots]
    assert min(lengths[:-1]) >= 40


def test_a_threshold_that_nothing_reaches_finds_one_shot(made: Made, extracted: Extracted) -> None:
    path = made(media.b_frames).path
    assert extracted(path, shots="content", shot_threshold=250.0).starts == [0]
    assert extracted(path, shots="content", shot_threshold=5.0).starts[0] == 0


# First frames of the later shots by PySceneDetect 0.7.2 itself, with its defaults: (content, adaptive).
KNOWN_CUTS: dict[str, tuple[list[int], list[int]]] = {
    "psd_testvideo": ([30, 180, 394], [30, 180, 394, 691]),
    "tc_nasa_13013": ([127, 202], [127, 202]),
    "psd_counter": ([], [20]),
    "psd_fades": ([], []),
    "psd_delayed_start": ([], []),
    "moviepy_failing_audio": ([], []),
    "sam2_bedroom": ([], []),
    "moviepy_chaplin": ([], []),
    "edgetam_12_hideandseek": ([], []),
    "intel_one_by_one_person": ([], []),
}


@pytest.mark.media
@pytest.mark.parametrize("name", KNOWN_CUTS)
def test_real_clips_are_cut_where_pyscenedetect_cuts_them(name: str, media_folder: Path) -> None:
    path = media_folder / f"{name}.mp4"
    finders = [ShotFinder(detector, None, 15, Fraction(25)) for detector in ("content", "adaptive")]
    cuts: tuple[list[int], list[int]] = ([], [])
    for shown in walk(path, read_packets(path), Walk()):
        for finder, found in zip(finders, cuts, strict=True):
            found += finder.show(shown.picture)
    for finder, found in zip(finders, cuts, strict=True):
        found += finder.finish()
    assert cuts == KNOWN_CUTS[name]


@pytest.mark.media
def test_the_shots_of_a_real_clip_are_those_of_its_detector(media_folder: Path, extracted: Extracted) -> None:
    path = media_folder / "tc_nasa_13013.mp4"
    for detector in ("auto", "adaptive", "content"):
        result = extracted(path, shots=detector)
        assert [(shot["start_index"], shot["end_index"]) for shot in result.shots] == [(0, 127), (127, 202), (202, 325)]
