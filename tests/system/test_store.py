"""The store: a result is whole or absent, a folder can be moved, and strangers are turned away politely."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from frame_pipeline.errors import StoreUnavailable
from frame_pipeline.stage import Output
from frame_pipeline.store.lake import Lake, extension_file
from frame_pipeline.store.results import Finished, Key, Provenance, Result, commit_results, find_result
from frame_pipeline.store.schema import SCHEMA_VERSION
from tests.media import Clip
from tests.system.conftest import Store
from tests.system.contents import assert_whole, contents, count, rows
from tests.system.program import call

KEY = Key("metrics", "clip-00000000", "0123456789abcdef")
NOWHERE = Provenance({}, {}, "1", {}, "run")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A new store."""
    return Lake(tmp_path / "store")


def output_of(pts: list[int]) -> Output:
    output = Output(Path("unused"))
    output.write("metrics", pa.RecordBatch.from_pydict({"pts": pts, "sharpness": [50.0] * len(pts)}))
    return output


def keep(lake: Lake, status: str, pts: list[int], key: Key = KEY, error: str | None = None) -> None:
    """Commit a result of such rows."""
    commit_results(lake, [Finished(Result(key, status, len(pts), 0.1, error), NOWHERE, output_of(pts))])


def test_a_commit_that_fails_leaves_nothing(lake: Lake) -> None:
    def work(connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("INSERT INTO videos (video_id) VALUES ('a')")
        connection.execute("INSERT INTO metrics (video_id, pts) SELECT 'a', range FROM range(1000)")
        raise ArithmeticError("in the middle")

    with pytest.raises(ArithmeticError):
        lake.commit(work)
    assert lake.rows("SELECT (SELECT count(*) FROM videos), (SELECT count(*) FROM metrics)") == [(0, 0)]

    lake.commit(lambda connection: connection.execute("INSERT INTO videos (video_id) VALUES ('b')"))
    assert lake.rows("SELECT video_id FROM videos") == [("b",)]


def test_a_result_whose_rows_do_not_fit_leaves_nothing(lake: Lake) -> None:
    output = output_of([0, 1])
    output.write("frames", pa.RecordBatch.from_pydict({"pts": [0], "no such column": [1]}))
    with pytest.raises(duckdb.Error):
        commit_results(lake, [Finished(Result(KEY, "done", 2, 0.1), NOWHERE, output)])
    assert lake.rows("SELECT pts FROM metrics") == []
    assert find_result(lake, KEY) is None


def test_the_first_of_two_equal_results_stays(lake: Lake) -> None:
    keep(lake, "done", [0, 1])
    keep(lake, "done", [0, 1, 2])
    keep(lake, "failed", [], error="late")
    assert lake.rows('SELECT status, "rows" FROM results') == [("done", 2)]
    assert lake.rows("SELECT pts FROM metrics ORDER BY pts") == [(0,), (1,)]


def test_a_good_result_takes_the_place_of_a_failed_one(lake: Lake) -> None:
    keep(lake, "failed", [], error="at first")
    assert lake.rows("SELECT status, error FROM results") == [("failed", "at first")]
    keep(lake, "done", [0, 1])
    assert lake.rows("SELECT status, error FROM results") == [("done", None)]


def test_two_stores_in_one_process_do_not_mix(tmp_path: Path) -> None:
    lakes = [Lake(tmp_path / name) for name in ("a", "b")]
    for number, lake in enumerate(lakes, start=1):
        keep(lake, "done", list(range(number)))
    assert [lake.rows("SELECT count(*) FROM metrics") for lake in lakes] == [[(1,)], [(2,)]]


def test_two_connections_to_one_store_see_what_the_other_wrote(tmp_path: Path) -> None:
    one, other = Lake(tmp_path / "store"), Lake(tmp_path / "store")
    reader = Lake(tmp_path / "store", read_only=True)
    for number, lake in enumerate((one, other, one)):
        keep(lake, "done", [0], Key("metrics", f"clip-{number}", KEY.config_hash))
        assert [len(each.rows("SELECT 1 FROM results")) for each in (one, other, reader)] == [number + 1] * 3


def test_a_reader_cannot_write(lake: Lake) -> None:
    reader = Lake(lake.layout.root, read_only=True)
    with pytest.raises((duckdb.Error, StoreUnavailable)):
        reader.commit(lambda connection: connection.execute("INSERT INTO videos (video_id) VALUES ('a')"))
    assert lake.rows("SELECT count(*) FROM videos") == [(0,)]


def test_reading_where_no_store_is_makes_none(tmp_path: Path) -> None:
    for words in (["query", "SELECT 1"], ["maintain"], ["maintain", "--yes"]):
        answer = call(*words, "--store", tmp_path / "nothing")
        assert answer.code == 1
        assert answer.sentences == [f"{tmp_path / 'nothing'}: holds no store yet (`frame-pipeline run` makes one)"]
        assert not (tmp_path / "nothing").exists()


def test_a_newer_store_is_refused_and_left_alone(clip: Clip, store: Path) -> None:
    lake = Lake(store)
    newer = SCHEMA_VERSION + 1
    lake.commit(lambda connection: connection.execute("UPDATE meta SET value = ?", [str(newer)]))
    lake.close()
    for words in (["run", clip.path], ["query", "SELECT 1"], ["maintain", "--yes"]):
        answer = call(*words, "--store", store)
        assert answer.code == 1
        assert answer.sentences == [f"{store}: was written by a newer version (schema {newer}) (update frame-pipeline)"]


def test_a_moved_store_answers_and_goes_on(clip: Clip, store: Path) -> None:
    before = contents(store)
    moved = store.rename(store.with_name("moved to 'ü'"))

    assert contents(moved) == before
    again = call("run", clip.path, "--store", moved, "--json")
    assert again.statuses() == {stage: {"cached"} for stage in ("raw_video", "frames", "metrics")}
    # The new metrics read the old proxies.
    more = call("run", clip.path, "--store", moved, "--json", "--set", "metrics.long_side=90")
    assert (more.code, more.statuses()["metrics"]) == (0, {"done"})
    assert_whole(moved)
    assert not store.exists()


def test_a_store_may_be_named_by_any_path_that_leads_there(clip: Clip, store: Path) -> None:
    link = store.with_name("link")
    link.symlink_to(store)
    for path in (link, store / ".." / "store"):
        answer = call("run", clip.path, "--store", path, "--json")
        assert answer.statuses()["metrics"] == {"cached"}
    assert_whole(store)


def test_a_missing_extension_is_a_sentence_with_its_remedy() -> None:
    with pytest.raises(StoreUnavailable) as refused:
        extension_file("spatial")
    assert f"pip install duckdb-extension-spatial=={duckdb.__version__}" in str(refused.value)


def test_no_key_is_there_twice(clips: list[Clip], store: Path) -> None:
    for options in ([], ["--set", "frames.interval_s=0.5"], []):
        assert call("run", *[clip.path for clip in clips], "--store", store, *options).code == 0
    keys = {
        "videos": "video_id", "meta": "key", "results": "stage, video_id, config_hash",
        "frames": "video_id, config_hash, pts", "metrics": "video_id, config_hash, pts",
        "shots": "video_id, config_hash, shot", "configurations": "stage, config_hash",
    }  # fmt: skip
    for table, key in keys.items():
        assert count(store, table) > 0
        assert rows(store, f"SELECT {key} FROM {table} GROUP BY ALL HAVING count(*) > 1") == []
    assert {table for (table,) in rows(store, "SHOW TABLES")} == keys.keys()


def test_a_result_says_where_it_comes_from(finished: Store) -> None:
    config_hash = finished.answer.hashes()
    found = rows(
        finished.root, "SELECT DISTINCT stage, config_hash, upstream_hash, config, run_id, device FROM results"
    )
    by_stage = {row[0]: row[1:] for row in found}
    assert len(found) == len(by_stage) == 3
    assert {stage: row[0] for stage, row in by_stage.items()} == config_hash
    assert [by_stage[stage][1] for stage in ("raw_video", "frames", "metrics")] == [None, None, config_hash["frames"]]
    assert json.loads(by_stage["frames"][2])["interval_s"] == 1.0
    assert "nth" not in json.loads(by_stage["frames"][2])
    assert len({row[3] for row in by_stage.values()}) == 1


def test_paths_of_proxies_are_relative_to_the_store(finished: Store) -> None:
    paths = [Path(path) for (path,) in rows(finished.root, "SELECT path FROM frames")]
    assert not any(path.is_absolute() for path in paths)
    assert {str(path) for path in paths} == {
        str(file.relative_to(finished.root)) for file in (finished.root / "proxies").rglob("*.jpg")
    }


def test_a_deleted_proxy_is_said_by_the_next_stage_that_reads_it(clip: Clip, store: Path) -> None:
    words = ["run", clip.path, "--store", store, "--json"]
    video_id = call(*words).json["videos"][0]["video_id"]
    shutil.rmtree(store / "proxies" / video_id)
    answer = call(*words, "--set", "metrics.long_side=90")
    assert answer.code == 1
    assert answer.statuses() == {"raw_video": {"cached"}, "frames": {"cached"}, "metrics": {"failed"}}
    assert "the proxy is gone or unreadable" in answer.json["videos"][0]["error"]
