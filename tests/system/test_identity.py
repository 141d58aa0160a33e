"""A video is its content: names, copies and places do not matter, other content does."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from frame_pipeline.config import PipelineOptions
from frame_pipeline.launch import materialize
from frame_pipeline.settings import load_options
from frame_pipeline.stages import STAGE_NAMES, plan
from frame_pipeline.store.lake import Lake, open_lake
from frame_pipeline.store.videos import NewVideo, add_videos
from tests.media import Clip
from tests.system.contents import assert_whole, rows
from tests.system.files import distinct
from tests.system.program import Answer, call

OTHER_OPTIONS = ("frames.interval_s=0.7",)


def run(root: Path, *sources: Path, options: tuple[str, ...] = ()) -> Answer:
    return call("run", *sources, "--store", root, "--json", *[word for option in options for word in ("--set", option)])


def known(root: Path) -> dict[str, str]:
    """Every video_id with its source."""
    return dict(rows(root, "SELECT video_id, source FROM videos"))


def launched(root: Path, video_id: str, options: PipelineOptions) -> tuple[str, str]:
    """Status and error of `frames` for a video that is asked for by its id, as the UI does."""
    materialize(open_lake(root), options, [video_id], {video_id}, STAGE_NAMES)
    frames = plan(options)[1].config_hash
    [(status, error)] = rows(
        root, "SELECT status, error FROM results WHERE stage = 'frames' AND config_hash = ?", [frames]
    ) or [("absent", "")]
    return status, error


@pytest.fixture
def film(short: Clip, tmp_path: Path) -> Path:
    """A video of the person, free to be moved."""
    return distinct(short, tmp_path / "films" / "film.mp4", 1)


@pytest.fixture
def root(film: Path, tmp_path: Path) -> Path:
    """A store that knows it."""
    assert run(tmp_path / "store", film).code == 0
    return tmp_path / "store"


def test_a_renamed_video_is_the_same_and_the_store_learns_its_place(film: Path, root: Path) -> None:
    [video_id] = known(root)
    moved = film.rename(film.with_name("another name.mov"))
    answer = run(root, moved)

    assert answer.code == 0
    assert answer.statuses() == {stage: {"cached"} for stage in STAGE_NAMES}
    assert answer.json["videos"][0]["video_id"] == video_id
    assert answer.sentences == [f"{moved}: is {video_id}, which was at {film} before"]
    assert known(root) == {video_id: str(moved)}
    assert run(root, moved).sentences == []


def test_a_moved_video_is_computed_from_its_new_place(film: Path, root: Path) -> None:
    moved = film.rename(film.parent / "moved.mp4")
    answer = run(root, moved, options=OTHER_OPTIONS)
    assert (answer.code, answer.statuses()["frames"]) == (0, {"done"})
    assert_whole(root)


def test_a_copy_beside_it_changes_nothing(film: Path, root: Path) -> None:
    before = known(root)
    copy = Path(shutil.copy(film, film.with_name("copy.mp4")))
    answer = run(root, copy)
    assert answer.statuses() == {stage: {"cached"} for stage in STAGE_NAMES}
    assert known(root) == before


def test_copies_in_one_command_are_one_entry_and_the_second_is_mentioned(film: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copy(film, film.with_name("copy.mp4")))
    answer = run(tmp_path / "new", film, copy, film.parent, film)
    assert answer.code == 0
    assert [video["source"] for video in answer.json["videos"]] == [str(film)]
    assert set(answer.sentences) == {f"{copy}: is the same video as {film}"}
    assert list(known(tmp_path / "new").values()) == [str(film)]


def test_equal_names_of_other_content_are_other_videos(short: Clip, film: Path, root: Path) -> None:
    other = distinct(short, film.parent / "b" / film.name, 2)
    answer = run(root, film.parent)
    assert [video["source"] for video in answer.json["videos"]] == [str(film), str(other)]
    assert len(known(root)) == 2


def test_fingerprints_that_begin_alike_are_other_videos(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "store")
    ends = ("1" * 24, "2" * 24)
    added = add_videos(lake, [NewVideo(tmp_path / f"{end}.mp4", f"abcdabcd{end}", 1, "clip") for end in ends])
    lake.close()
    assert len({entry.video.video_id for entry in added}) == 2


def test_other_content_at_the_same_place_is_a_new_video(short: Clip, film: Path, root: Path) -> None:
    [old] = known(root)
    distinct(short, film, 7)
    answer = run(root, film)
    assert answer.statuses() == {stage: {"done"} for stage in STAGE_NAMES}
    assert answer.json["videos"][0]["video_id"] != old
    assert len(known(root)) == 2


def test_a_deleted_source_is_a_plain_sentence_at_the_next_computation(film: Path, root: Path) -> None:
    [video_id] = known(root)
    film.unlink()
    status, error = launched(root, video_id, load_options(overrides=OTHER_OPTIONS))
    assert status == "failed"
    assert error.startswith(f"{film}: the source has moved or was deleted")


def test_what_is_computed_already_needs_no_source(film: Path, root: Path) -> None:
    [video_id] = known(root)
    film.unlink()
    assert launched(root, video_id, load_options())[0] == "done"


def test_a_source_that_holds_something_else_is_a_plain_sentence_at_the_next_computation(
    short: Clip, film: Path, root: Path
) -> None:
    [video_id] = known(root)
    distinct(short, film, 7)
    status, error = launched(root, video_id, load_options(overrides=OTHER_OPTIONS))
    assert status == "failed"
    assert error.startswith(f"{film}: the source holds something else now")
    assert_whole(root)


def test_a_source_that_came_back_is_computed(film: Path, root: Path) -> None:
    [video_id] = known(root)
    options = load_options(overrides=OTHER_OPTIONS)
    away = film.rename(film.with_name("away"))
    assert launched(root, video_id, options)[0] == "failed"
    away.rename(film)
    assert launched(root, video_id, options)[0] == "done"
    assert_whole(root)


@pytest.mark.parametrize(
    "name", ["a,b|c", "日本語", "--", "ä ö ü", "x" * 200, "[1;2]", "'\"", "a\nb", "50% #1: (final)"], ids=ascii
)
def test_partition_keys_are_made_of_letters_digits_and_dashes(name: str, short: Clip, tmp_path: Path) -> None:
    film = distinct(short, tmp_path / "films" / f"{name}.mp4", 3)
    answer = call("run", film, "--store", tmp_path / "store", "--json", "--upto", "raw_video")
    [video] = answer.json["videos"]
    assert (answer.code, video["source"]) == (0, str(film))
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,39}-[0-9a-f]{8}", video["video_id"])
