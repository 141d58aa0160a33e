"""What scripts rely on when they call `frame-pipeline run`: words in, JSON and exit codes out."""

from __future__ import annotations

import re
from pathlib import Path

import dagster as dg
import pytest

from frame_pipeline.automation.instance import open_instance
from frame_pipeline.config import FramesOptions
from frame_pipeline.settings import preset_names
from frame_pipeline.store.layout import STORE_VARIABLE, Layout
from tests.media import Clip
from tests.system.conftest import Store
from tests.system.contents import assert_whole, contents, count, rows
from tests.system.program import Programs, call

STAGES = ["raw_video", "frames", "metrics"]


def dagster_runs(root: Path) -> int:
    with open_instance(Layout(root)) as instance:
        return instance.get_runs_count(dg.RunsFilter())


def of_three(status: str) -> dict[str, set[str]]:
    return {stage: {status} for stage in STAGES}


def test_the_answer_has_the_agreed_shape(clips: list[Clip], programs: Programs, tmp_path: Path) -> None:
    root = tmp_path / "store"
    answer = programs.call("run", clips[0].path, clips[1].path, "--store", root, "--json")

    assert answer.code == 0
    assert list(answer.json) == ["store", "videos"]
    assert answer.json["store"] == str(root)
    assert [video["source"] for video in answer.json["videos"]] == [str(clip.path) for clip in clips[:2]]
    for video in answer.json["videos"]:
        assert list(video) == ["video_id", "source", "status", "error", "stages"]
        assert (video["status"], video["error"]) == ("ok", None)
        assert re.fullmatch(r"[A-Za-z0-9-]+-[0-9a-f]{8}", video["video_id"])
        assert list(video["stages"]) == STAGES
        for stage, entry in video["stages"].items():
            assert list(entry) == ["status", "rows", "config_hash", "seconds", "reason"]
            assert entry["status"] == "done"
            assert entry["rows"] == {"raw_video": 1, "frames": 4, "metrics": 4}[stage]
            assert re.fullmatch(r"[0-9a-f]{16}", entry["config_hash"])
            assert entry["seconds"] > 0
            assert entry["reason"] is None


def test_a_good_run_says_nothing_on_stderr(clip: Clip, programs: Programs, tmp_path: Path) -> None:
    assert programs.call("run", clip.path, "--store", tmp_path / "store", "--json").stderr == ""


def test_a_second_run_answers_from_the_store(clips: list[Clip], finished: Store, store: Path) -> None:
    before, runs = contents(store), dagster_runs(store)
    again = call("run", *[clip.path for clip in clips], "--store", store, "--json")

    assert again.code == 0
    assert finished.answer.statuses() == of_three("done")
    assert again.statuses() == of_three("cached")
    assert again.hashes() == finished.answer.hashes()
    assert {entry["seconds"] for video in again.videos.values() for entry in video["stages"].values()} == {0.0}
    assert dagster_runs(store) == runs == 1
    assert contents(store) == before


def test_all_videos_of_a_command_share_one_dagster_run(finished: Store) -> None:
    assert dagster_runs(finished.root) == 1


def test_upto_ends_there_and_the_rest_can_follow(clip: Clip, tmp_path: Path) -> None:
    root = tmp_path / "store"
    first = call("run", clip.path, "--store", root, "--json", "--upto", "frames")
    assert first.code == 0
    assert first.statuses() == {"raw_video": {"done"}, "frames": {"done"}}
    assert (count(root, "frames"), count(root, "metrics")) == (4, 0)

    second = call("run", clip.path, "--store", root, "--json")
    assert second.statuses() == {"raw_video": {"cached"}, "frames": {"cached"}, "metrics": {"done"}}
    assert {stage: second.hashes()[stage] for stage in first.hashes()} == first.hashes()
    assert count(root, "metrics") == 4


@pytest.mark.parametrize(
    "option, recomputed",
    [
        ("metrics.long_side=100", {"metrics"}),
        ("frames.interval_s=0.5", {"frames", "metrics"}),
        ("frames.method=keyframes", {"frames", "metrics"}),
        ("frames.quality=50", {"frames", "metrics"}),
        ("frames.interval_s=1.0", set()),
        ("frames.end_s=none", set()),
    ],
)
def test_an_option_changes_its_own_stage_and_those_that_read_it(
    option: str, recomputed: set[str], clip: Clip, finished: Store, store: Path
) -> None:
    answer = call("run", clip.path, "--store", store, "--json", "--set", option)

    assert answer.code == 0
    assert {stage for stage, status in answer.statuses().items() if status == {"done"}} == recomputed
    assert {stage for stage, status in answer.statuses().items() if status == {"cached"}} == {*STAGES} - recomputed
    old, new = finished.answer.hashes(), answer.hashes()
    assert {stage for stage in STAGES if old[stage] != new[stage]} == recomputed


@pytest.mark.parametrize(
    "options, idle",
    [
        (["frames.nth=3"], "frames.nth"),
        (["frames.per_shot=9"], "frames.per_shot"),
        (["frames.format=png", "frames.quality=30"], "frames.quality"),
        (["frames.shots=off", "frames.min_shot_frames=4"], "frames.min_shot_frames"),
        (["frames.shots=off", "frames.shot_threshold=4"], "frames.shot_threshold"),
        (["frames.method=keyframes", "frames.interval_s=4"], "frames.interval_s"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_option_without_effect_is_mentioned_and_recomputes_nothing(
    options: list[str], idle: str, clip: Clip, store: Path
) -> None:
    words = ["run", clip.path, "--store", store, "--json"]
    call(*words, *[word for option in options if not option.startswith(f"{idle}=") for word in ("--set", option)])
    answer = call(*words, *[word for option in options for word in ("--set", option)])

    assert answer.code == 0
    assert answer.statuses() == of_three("cached")
    assert [line.split(":")[0] for line in answer.sentences] == [idle]


def test_every_option_has_an_effect_with_some_method() -> None:
    read: set[str] = set()
    for method in ("interval", "every_frame", "every_nth", "keyframes", "scene"):
        read |= FramesOptions.model_validate({"method": method}).effective().keys()
    assert read == FramesOptions.model_fields.keys()


def frames_by_preset(clip: Clip, preset: str) -> set[int]:
    """How many frames may come out, from what was drawn."""
    shots = len(clip.cuts) + 1
    return {
        "default": {4},
        "dense": {14},
        "every-frame": {len(clip.pts)},
        "quick": {len(clip.keyframes)},
        "best-of-shot": set(range(shots, 3 * shots + 1)),
    }[preset]


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_gives_what_its_name_says(preset: str, clip: Clip, store: Path) -> None:
    answer = call("run", clip.path, "--store", store, "--json", "--preset", preset)
    assert answer.code == 0
    assert answer.videos[clip.path.name]["stages"]["metrics"]["rows"] in frames_by_preset(clip, preset)
    assert_whole(store)


def test_a_preset_may_be_a_file_and_set_goes_above_it(clip: Clip, store: Path, tmp_path: Path) -> None:
    preset = tmp_path / "mine.yaml"
    preset.write_text("frames:\n  method: every_nth\n  nth: 40\nmetrics:\n", encoding="utf-8")
    words = ["run", clip.path, "--store", store, "--json", "--preset", preset]
    assert call(*words).videos[clip.path.name]["stages"]["frames"]["rows"] == 2
    assert call(*words, "--set", "frames.nth=20").videos[clip.path.name]["stages"]["frames"]["rows"] == 4


@pytest.mark.parametrize(
    "words, right",
    [
        (["--set", "frames.interval=2"], "frames.interval_s"),
        (["--set", "frames.longside=2"], "frames.long_side"),
        (["--set", "frame.interval_s=2"], "frames"),
        (["--set", "metric.long_side=2"], "metrics"),
        (["--set", "raw_video.size=2"], "raw_video has no options"),
        (["--set", "frames.method=keyframe"], "keyframes"),
        (["--set", "frames.shots=adaptve"], "adaptive"),
        (["--set", "frames.format=jpeg"], "jpg"),
        (["--set", "frames.interval_s=fast"], "number"),
        (["--set", "frames.interval_s=0"], "greater than 0"),
        (["--set", "frames.interval_s=-1"], "greater than 0"),
        (["--set", "frames.interval_s=nan"], "finite"),
        (["--set", "frames.interval_s=inf"], "finite"),
        (["--set", "frames.interval_s="], "number"),
        (["--set", "frames.nth=2.5"], "integer"),
        (["--set", "frames.quality=101"], "100"),
        (["--set", "frames.start_s=3", "--set", "frames.end_s=2"], "end_s must be greater than start_s"),
        (["--set", "frames.interval_s"], "stage.option=value"),
        (["--set", "interval_s=2"], "stage.option=value"),
        (["--set", "=2"], "stage.option=value"),
        (["--preset", "densee"], "dense"),
        (["--preset", ""], "best-of-shot, default, dense, every-frame, quick"),
        (["--preset", "missing.yaml"], "no such file"),
        (["--preset", "folder.yaml"], "is a directory"),
        (["--preset", "latin.yaml"], "latin.yaml"),
        (["--preset", "list.yaml"], "stages"),
        (["--preset", "unclosed.yaml"], "not valid YAML"),
        (["--preset", "wrong.yaml"], "frames.interval_s"),
        (["--preset", "nested.yaml"], "frames.interval_s"),
        (["--upto", "metric"], "metrics"),
        (["--upto", ""], "raw_video"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_wrong_words_are_refused_in_one_sentence_before_anything_is_made(
    words: list[str], right: str, clip: Clip, tmp_path: Path
) -> None:
    presets = tmp_path / "presets"
    (presets / "folder.yaml").mkdir(parents=True)
    (presets / "latin.yaml").write_bytes(b"# caf\xe9\nframes:\n  nth: 2\n")
    (presets / "list.yaml").write_text("- frames\n")
    (presets / "unclosed.yaml").write_text("frames: [1\n")
    (presets / "wrong.yaml").write_text("frames:\n  interval: 2\n")
    (presets / "nested.yaml").write_text("frames:\n  interval_s: [1, 2]\n")
    words = [str(presets / word) if word.endswith(".yaml") else word for word in words]

    answer = call("run", clip.path, "--store", tmp_path / "store", *words, "--json")

    assert answer.code == 2
    assert answer.stdout == ""
    assert len(answer.sentences) == 1
    assert right.lower() in answer.stderr.lower()
    assert list(tmp_path.iterdir()) == [presets]


@pytest.mark.parametrize(
    "words, near",
    [
        (["run", "clip.mp4", "--sett", "frames.nth=2"], "--set"),
        (["run"], "SOURCE"),
        (["run", "clip.mp4", "--upto"], "--upto"),
        (["query", "SELECT 1", "--format", "jsn"], "json"),
        (["rnu"], "run"),
        (["up", "--dagster-port", "many"], "integer"),
        (["demo", "--seconds", "0"], "2"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else None,
)
def test_wrong_usage_names_what_is_right(words: list[str], near: str, tmp_path: Path) -> None:
    answer = call(*words)
    assert answer.code == 2
    assert near in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_two_configurations_live_side_by_side(clip: Clip, finished: Store, store: Path) -> None:
    other = call("run", clip.path, "--store", store, "--json", "--set", "frames.interval_s=0.5")
    video_id = other.videos[clip.path.name]["video_id"]
    per_config = dict(
        rows(store, "SELECT config_hash, count(*) FROM frames WHERE video_id = ? GROUP BY ALL", [video_id])
    )

    assert per_config == {finished.answer.hashes()["frames"]: 4, other.hashes()["frames"]: 7}
    # One row is one configuration of both stages: metrics are found from frames through the result's upstream hash.
    joined = rows(
        store,
        "SELECT f.config_hash, m.config_hash, count(*) FROM frames f "
        "JOIN results r ON r.stage = 'metrics' AND r.video_id = f.video_id AND r.upstream_hash = f.config_hash "
        "JOIN metrics m ON m.video_id = f.video_id AND m.config_hash = r.config_hash AND m.pts = f.pts "
        "WHERE f.video_id = ? GROUP BY ALL",
        [video_id],
    )
    assert {(frames, metrics): n for frames, metrics, n in joined} == {
        (finished.answer.hashes()["frames"], finished.answer.hashes()["metrics"]): 4,
        (other.hashes()["frames"], other.hashes()["metrics"]): 7,
    }
    assert_whole(store)


def test_exit_codes_tell_good_partly_failed_and_wrong(clip: Clip, store: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    assert call("run", clip.path, "--store", store).code == 0
    assert call("run", clip.path, broken, "--store", store).code == 1
    assert call("run", clip.path, tmp_path / "absent.mp4", "--store", store).code == 1
    assert call("run", clip.path, "--store", store, "--upto", "nowhere").code == 2


def test_a_person_is_shown_a_table_and_the_place_of_the_results(clip: Clip, store: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    answer = call("run", clip.path, broken, "--store", store)

    table, last = answer.stdout.splitlines()[:-1], answer.stdout.splitlines()[-1]
    assert table[0].split() == ["video", *STAGES]
    assert table[1].split() == ["film-23-976-" + table[1].split()[0][-8:], "cached", "4", "cached", "4", "cached"]
    assert table[2].split()[1:] == ["failed", "-", "-"]
    assert last == f"1 done, 1 failed; results in {store}"
    assert len(answer.sentences) == 1
    assert "broken.mp4" in answer.stderr


def test_the_store_is_where_it_was_said(short: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def made(*words: object, variable: str = "") -> Path:
        monkeypatch.setenv(STORE_VARIABLE, variable)
        return Path(call("run", short.path, "--upto", "raw_video", "--json", *words).json["store"])

    assert made() == tmp_path / "store"
    assert made(variable="by-name") == tmp_path / "by-name"
    assert made("--store", "by-word", variable="unused") == tmp_path / "by-word"
    assert {folder.name for folder in tmp_path.iterdir()} == {"store", "by-name", "by-word"}
