"""The assets as the UI runs them: by partition and by range, with config, retries and checks."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from frame_pipeline.automation.instance import open_instance
from frame_pipeline.automation.partitions import videos
from frame_pipeline.definitions import JOB_NAME, defs
from frame_pipeline.stages import STAGE_NAMES
from frame_pipeline.store.lake import Lake
from frame_pipeline.store.layout import Layout
from tests.media import Clip
from tests.system.contents import assert_whole, count, rows
from tests.system.files import distinct_folder, no_video
from tests.system.program import call

CHECK_NAMES = ("pts_increase", "rows_match_proxies", "decoded_as_declared", "measures_are_finite")
MATERIALIZED, FAILED = AssetPartitionStatus.MATERIALIZED, AssetPartitionStatus.FAILED


def launch(
    root: Path, keys: Sequence[str], stages: Sequence[str] = STAGE_NAMES, options: dict[str, Any] | None = None
) -> dg.ExecuteInProcessResult:
    """A run of the job for the range of partitions from the first key to the last."""
    with open_instance(Layout(root)) as instance:
        result: dg.ExecuteInProcessResult = defs.resolve_job_def(JOB_NAME).execute_in_process(
            instance=instance,
            run_config={
                "ops": {"analyse": {"config": options or {}}},
                "resources": {"store": {"config": {"root": str(root)}}},
            },
            asset_selection=[dg.AssetKey(stage) for stage in stages],
            tags={"dagster/asset_partition_range_start": keys[0], "dagster/asset_partition_range_end": keys[-1]},
            raise_on_error=False,
        )
        return result


def statuses(root: Path, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Stage to partition to status, as the UI colours them."""
    with open_instance(Layout(root)) as instance:
        return {
            stage: dict(instance.get_status_by_partition(dg.AssetKey(stage), keys, videos) or {})
            for stage in STAGE_NAMES
        }


def materializations(root: Path, stage: str, key: str) -> list[Any]:
    """Of one partition, the newest first."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(stage), asset_partitions=[key])
    with open_instance(Layout(root)) as instance:
        return [record.asset_materialization for record in instance.fetch_materializations(wanted, limit=50).records]


def failure(result: dg.ExecuteInProcessResult) -> str:
    """What the UI shows of a run that failed."""
    [event] = [event for event in result.all_events if event.event_type == dg.DagsterEventType.STEP_FAILURE]
    described = event.step_failure_data.user_failure_data
    return str(described.description if described else event.step_failure_data.error)


def restarts(result: dg.ExecuteInProcessResult) -> int:
    return sum(event.event_type == dg.DagsterEventType.STEP_RESTARTED for event in result.all_events)


@pytest.fixture
def root(short: Clip, tmp_path: Path) -> Path:
    """A store that knows three videos, of which nothing was computed."""
    films = distinct_folder(short, tmp_path / "films", range(3))
    known = tmp_path / "store"
    assert call("run", *films, "--store", known, "--upto", "raw_video").code == 0
    return known


@pytest.fixture
def keys(root: Path) -> list[str]:
    """Its partitions, in order."""
    with open_instance(Layout(root)) as instance:
        return list(instance.get_dynamic_partitions(str(videos.name)))


def test_a_range_is_one_run_and_each_video_a_materialization(root: Path, keys: list[str]) -> None:
    result = launch(root, keys)
    assert result.success
    assert statuses(root, keys) == {stage: dict.fromkeys(keys, MATERIALIZED) for stage in STAGE_NAMES}
    assert {event.partition for stage in STAGE_NAMES for event in result.asset_materializations_for_node("analyse")
            if event.asset_key == dg.AssetKey(stage)} <= {*keys}  # fmt: skip
    assert assert_whole(root) == 9


def test_one_bad_video_fails_alone(short: Clip, tmp_path: Path) -> None:
    films, root = distinct_folder(short, tmp_path / "films", range(4)), tmp_path / "store"
    no_video(films[1])
    answer = call("run", *films, "--store", root, "--json")
    keys = [video["video_id"] for video in answer.json["videos"]]
    assert [answer.videos[film.name]["status"] for film in films] == ["ok", "failed", "ok", "ok"]
    assert statuses(root, keys) == {
        stage: {key: FAILED if key == keys[1] else MATERIALIZED for key in keys} for stage in STAGE_NAMES
    }


def test_a_run_with_a_bad_video_fails_with_its_sentence_and_is_not_tried_again(
    root: Path, keys: list[str], tmp_path: Path
) -> None:
    [source] = [source for (source,) in rows(root, "SELECT source FROM videos WHERE video_id = ?", [keys[1]])]
    Path(source).unlink()
    result = launch(root, keys)
    assert not result.success
    assert restarts(result) == 0
    assert failure(result).splitlines() == [
        "1 of 3 videos failed:",
        f"{source}: the source has moved or was deleted (`frame-pipeline run` with its new place tells the store)",
    ]
    assert statuses(root, keys)["frames"] == {keys[0]: MATERIALIZED, keys[1]: FAILED, keys[2]: MATERIALIZED}
    assert_whole(root)


def test_one_partition_alone_is_a_run_too(root: Path, keys: list[str]) -> None:
    with open_instance(Layout(root)) as instance:
        result = defs.resolve_job_def(JOB_NAME).execute_in_process(
            instance=instance, partition_key=keys[1],
            run_config={"resources": {"store": {"config": {"root": str(root)}}}},
        )  # fmt: skip
    assert result.success
    assert rows(root, "SELECT DISTINCT video_id FROM frames") == [(keys[1],)]


def test_metrics_alone_follow_frames(root: Path, keys: list[str]) -> None:
    assert launch(root, keys, ["frames"]).success
    assert count(root, "metrics") == 0
    assert launch(root, keys, ["metrics"]).success
    assert count(root, "metrics") == count(root, "frames") > 0
    assert_whole(root)


def test_metrics_without_frames_are_refused_in_a_sentence(root: Path, keys: list[str]) -> None:
    result = launch(root, keys[:1], ["metrics"])
    assert not result.success
    assert restarts(result) == 0
    assert failure(result).endswith(
        f"{keys[0]}: metrics needs frames with the same options, which is not in the store (materialize frames as well)"
    )
    assert count(root, "metrics") == 0


def test_frames_of_other_options_are_not_taken_for_these(root: Path, keys: list[str]) -> None:
    assert launch(root, keys[:1], ["frames"]).success
    result = launch(root, keys[:1], ["metrics"], {"frames": {"interval_s": 0.2}})
    assert "metrics needs frames with the same options" in failure(result)


def test_config_from_the_form_reaches_the_stage(root: Path, keys: list[str]) -> None:
    options = {"frames": {"method": "every_nth", "nth": 6, "format": "png"}, "metrics": {"long_side": 32}}
    assert launch(root, keys[:1], options=options).success
    assert count(root, "frames") == 4
    assert {Path(path).suffix for (path,) in rows(root, "SELECT path FROM frames")} == {".png"}
    # The same words on the command line mean the same results.
    words = ["frames.method=every_nth", "frames.nth=6", "frames.format=png", "metrics.long_side=32"]
    [(source,)] = rows(root, "SELECT source FROM videos WHERE video_id = ?", [keys[0]])
    again = call("run", source, "--store", root, "--json", *[word for each in words for word in ("--set", each)])
    assert again.statuses() == {stage: {"cached"} for stage in STAGE_NAMES}


@pytest.mark.parametrize(
    "options, words",
    [
        ({"frames": {"start_s": 3.0, "end_s": 2.0}}, "end_s must be greater than start_s"),
        ({"frames": {"interval_s": -1.0}}, "greater than 0"),
    ],
)
def test_a_wrong_value_in_the_form_is_a_sentence_and_not_tried_again(
    options: dict[str, Any], words: str, root: Path, keys: list[str]
) -> None:
    result = launch(root, keys[:1], options=options)
    assert not result.success
    assert restarts(result) == 0
    assert words in failure(result)


def test_a_video_that_the_store_does_not_know_is_a_sentence(root: Path, keys: list[str]) -> None:
    with open_instance(Layout(root)) as instance:
        instance.add_dynamic_partitions(str(videos.name), ["stranger-00000000"])
    result = launch(root, ["stranger-00000000"])
    assert not result.success
    assert "the store does not know this video" in failure(result)


def test_the_data_version_is_the_config_hash(root: Path, keys: list[str]) -> None:
    assert launch(root, keys[:1]).success
    hashes = dict(rows(root, "SELECT stage, config_hash FROM results WHERE video_id = ?", [keys[0]]))
    for stage in STAGE_NAMES:
        newest = materializations(root, stage, keys[0])[0]
        assert newest.tags["dagster/data_version"] == hashes[stage]
        assert newest.metadata["dagster/row_count"].value == rows(
            root, 'SELECT "rows" FROM results WHERE video_id = ? AND stage = ?', [keys[0], stage]
        )[0][0]  # fmt: skip


def test_a_person_sees_pictures_and_facts(root: Path, keys: list[str]) -> None:
    assert launch(root, keys[:1]).success
    frames, metrics = (materializations(root, stage, keys[0])[0].metadata for stage in ("frames", "metrics"))
    assert frames["contact sheet"].value.startswith("![contact sheet](data:image/jpeg;base64,")
    assert metrics["scores"].value.startswith("![histograms](data:image/png;base64,")


def test_a_passing_trouble_is_over_at_the_retry_and_what_was_done_is_not_computed_again(
    root: Path, keys: list[str]
) -> None:
    in_the_way = root / "proxies" / keys[1]
    in_the_way.parent.mkdir(exist_ok=True)
    in_the_way.write_text("a file in the place of a folder")

    def clear_when_it_failed() -> None:
        failed = "SELECT 1 FROM results WHERE video_id = ? AND status = 'failed'"
        end = time.monotonic() + 60
        while time.monotonic() < end and not rows(root, failed, [keys[1]]):
            time.sleep(0.2)
        in_the_way.unlink()

    clearing = threading.Thread(target=clear_when_it_failed)
    clearing.start()
    result = launch(root, keys)
    clearing.join()

    assert result.success
    assert restarts(result) == 1
    assert [event.metadata["cached"].value for event in materializations(root, "frames", keys[0])] == [True, False]
    assert [event.metadata["cached"].value for event in materializations(root, "frames", keys[1])] == [False]
    assert_whole(root)


def test_a_run_after_a_failure_computes_only_what_failed(root: Path, keys: list[str]) -> None:
    [(source,)] = rows(root, "SELECT source FROM videos WHERE video_id = ?", [keys[1]])
    away = Path(source).rename(Path(source).with_suffix(".away"))
    assert not launch(root, keys).success
    away.rename(source)
    assert launch(root, keys).success
    for key in keys:
        newest = materializations(root, "frames", key)[0]
        assert newest.metadata["cached"].value is (key != keys[1])
    assert statuses(root, keys)["frames"] == dict.fromkeys(keys, MATERIALIZED)


def verdicts(root: Path) -> dict[str, bool]:
    """Every check, by the job that runs them over the whole store."""
    with open_instance(Layout(root)) as instance:
        result = defs.resolve_job_def("check_store").execute_in_process(
            instance=instance, run_config={"resources": {"store": {"config": {"root": str(root)}}}}
        )
    return {evaluation.check_name: evaluation.passed for evaluation in result.get_asset_check_evaluations()}


def test_a_run_evaluates_every_check_for_its_videos(root: Path, keys: list[str]) -> None:
    events = launch(root, keys[:1]).all_events
    evaluated = [event for event in events if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION]
    planned = [event for event in events if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED]
    found = [event.asset_check_evaluation_data for event in evaluated]
    assert {check.check_name: check.passed for check in found} == dict.fromkeys(CHECK_NAMES, True)
    assert len(planned) <= len(evaluated) == len(CHECK_NAMES)


def test_a_good_store_passes_every_check(store: Path) -> None:
    assert verdicts(store) == dict.fromkeys(CHECK_NAMES, True)


TAMPERED = {
    "a proxy is gone": ("rows_match_proxies", None),
    "all proxies are gone": ("rows_match_proxies", None),
    "a row is gone": ("rows_match_proxies", "DELETE FROM frames WHERE pts = (SELECT max(pts) FROM frames)"),
    "a row is there twice": ("pts_increase", "INSERT INTO frames FROM frames LIMIT 1"),
    "time goes back": ("pts_increase", "UPDATE frames SET pts = -1 WHERE source_index > 0"),
    "a measure is NaN": ("measures_are_finite", "UPDATE metrics SET sharpness = 'nan' WHERE pts = 0"),
    "a measure is infinite": ("measures_are_finite", "UPDATE metrics SET contrast_raw = 'inf' WHERE pts = 0"),
    "a measure is missing": ("measures_are_finite", "UPDATE metrics SET entropy = NULL WHERE pts = 0"),
    "frames were lost unsaid": ("decoded_as_declared", "UPDATE videos SET shown_frames = 2 * shown_frames"),
}  # fmt: skip


@pytest.mark.parametrize("harm", TAMPERED)
def test_a_check_fails_on_a_store_that_was_tampered_with(harm: str, store: Path) -> None:
    check, sql = TAMPERED[harm]
    if sql:
        lake = Lake(store)
        lake.commit(lambda connection: connection.execute(sql))
        lake.close()
    elif harm == "a proxy is gone":
        next((store / "proxies").rglob("*.jpg")).unlink()
    else:
        shutil.rmtree(store / "proxies")
    assert verdicts(store)[check] is False


def test_the_instance_of_a_store_sends_nothing_and_keeps_what_a_person_changed(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "store")
    with open_instance(layout) as instance:
        assert instance.telemetry_enabled is False
        assert Path(instance.root_directory) == layout.dagster
    settings = layout.dagster / "dagster.yaml"
    changed = settings.read_text().replace("purge_after_days: 90", "purge_after_days: 3") + "# mine\n"
    settings.write_text(changed)
    with open_instance(layout):
        pass
    assert settings.read_text() == changed
