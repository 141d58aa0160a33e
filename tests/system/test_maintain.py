"""`frame-pipeline maintain` lists before it removes, keeps what is in use, and changes no answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.media import Clip
from tests.system.conftest import Store
from tests.system.contents import assert_whole, contents, count, proxies, rows
from tests.system.program import Answer, call

DENSE = ("--set", "frames.interval_s=0.5")
SMALL = ("--set", "metrics.long_side=90")


def maintain(root: Path, *words: str) -> Answer:
    answer = call("maintain", "--store", root, *words)
    assert (answer.code, answer.stderr) == (0, "")
    return answer


def run(root: Path, clip: Clip, *words: str) -> Answer:
    answer = call("run", clip.path, "--store", root, "--json", *words)
    assert answer.code == 0, answer.stderr
    return answer


def data_files(root: Path) -> dict[str, int]:
    """Parquet files by table."""
    return dict(rows(root, "SELECT table_name, file_count FROM ducklake_table_info('lake')"))


def test_a_store_in_use_is_left_as_it_is(finished: Store, store: Path) -> None:
    answer = maintain(store, "--yes")
    assert contents(store) == contents(finished.root)
    assert "left by runs that were killed: nothing" in answer.stdout
    assert "replaced by newer results: nothing" in answer.stdout


def test_replaced_results_are_listed_and_kept_until_it_is_agreed(clip: Clip, finished: Store, store: Path) -> None:
    video_id = run(store, clip, *DENSE).json["videos"][0]["video_id"]
    before = contents(store)
    answer = maintain(store)
    for stage in ("frames", "metrics"):
        assert f"{video_id} {stage} {finished.answer.hashes()[stage]}: 4 rows" in answer.stdout
    assert "--yes removes them" in answer.stdout
    assert contents(store) == before


def test_replaced_results_are_removed_with_their_files_when_it_is_agreed(
    clip: Clip, finished: Store, store: Path
) -> None:
    new = run(store, clip, *DENSE)
    video_id, old = new.json["videos"][0]["video_id"], finished.answer.hashes()
    maintain(store, "--yes")

    assert not (store / "proxies" / video_id / old["frames"]).exists()
    assert len(list((store / "proxies" / video_id / new.hashes()["frames"]).iterdir())) == 7
    for table in ("frames", "shots", "metrics"):
        left = dict(
            rows(store, f"SELECT config_hash, count(*) FROM {table} WHERE video_id = ? GROUP BY ALL", [video_id])
        )
        assert len(left) == 1
        assert not left.keys() & set(old.values())
    assert_whole(store)
    # Other videos, whose only results these are, keep theirs.
    assert count(store, "frames") == 7 + 4 + 4

    assert run(store, clip, *DENSE).statuses()["metrics"] == {"cached"}
    assert run(store, clip).statuses()["frames"] == {"done"}
    assert_whole(store)


def test_frames_that_newer_metrics_read_are_kept(clip: Clip, finished: Store, store: Path) -> None:
    new = run(store, clip, *SMALL)
    files = proxies(store)
    maintain(store, "--yes")
    assert proxies(store) == files
    assert run(store, clip, *SMALL).statuses() == {stage: {"cached"} for stage in ("raw_video", "frames", "metrics")}
    left = rows(store, "SELECT config_hash FROM results WHERE stage = 'metrics' AND video_id = ?",
                [new.json["videos"][0]["video_id"]])  # fmt: skip
    assert left == [(new.hashes()["metrics"],)]


def test_frames_that_the_newest_metrics_read_are_kept_though_newer_frames_exist(
    clip: Clip, finished: Store, store: Path
) -> None:
    run(store, clip, *DENSE, "--upto", "frames")
    maintain(store, "--yes")
    assert run(store, clip).statuses()["metrics"] == {"cached"}
    assert_whole(store)


def test_the_configuration_of_the_last_run_is_in_use_also_when_it_was_answered_from_the_store(
    clip: Clip, store: Path
) -> None:
    run(store, clip, *DENSE)
    assert run(store, clip).statuses()["metrics"] == {"cached"}
    maintain(store, "--yes")
    assert run(store, clip).statuses()["metrics"] == {"cached"}


def test_what_killed_runs_left_is_listed_and_removed(finished: Store, store: Path) -> None:
    video_id = finished.answer.json["videos"][0]["video_id"]
    strays = [store / "proxies" / video_id / ("f" * 16), store / "proxies" / "gone-00000000" / ("0" * 16)]
    for folder in strays:
        folder.mkdir(parents=True)
        (folder / "0.jpg").write_bytes(b"half a picture")
    answer = maintain(store)
    for folder in strays:
        assert f"{folder.parent.name} frames {folder.name}" in answer.stdout
        assert not folder.exists()
    assert not strays[1].parent.exists()
    assert contents(store) == contents(finished.root)


def test_a_second_time_finds_nothing_to_do(clip: Clip, store: Path) -> None:
    run(store, clip, *DENSE)
    maintain(store, "--yes")
    before, files = contents(store), data_files(store)
    answer = maintain(store, "--yes")
    assert answer.stdout.count(": nothing") == 2
    assert (contents(store), data_files(store)) == (before, files)


def test_small_files_are_merged_and_no_row_changes(clips: list[Clip], store: Path) -> None:
    for clip in clips:
        run(store, clip, "--preset", "every-frame")
    before, scattered = contents(store), data_files(store)
    maintain(store)
    assert contents(store) == before
    assert (scattered["frames"], scattered["metrics"]) == (3, 3)
    assert set(data_files(store).values()) == {1}
    assert_whole(store)


@pytest.mark.parametrize("word", [[], ["--yes"]])
def test_it_ends_with_the_size_of_the_store(word: list[str], store: Path) -> None:
    last = maintain(store, *word).stdout.splitlines()[-1]
    assert last.startswith(f"{store}: compacted, ")
    assert last.endswith("MiB")
