"""The first things a person tries: the demo, the doctor, and the words that tell what went wrong."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import av
import cv2
import pytest

from frame_pipeline.store.lake import Lake
from tests.media import Clip
from tests.system.contents import assert_whole, count
from tests.system.program import ROOT, Answer, Programs, call

PIECES = {
    "python", "gpu", "decoder", "duckdb", "store",
    "onnxruntime", "insightface", "torch", "sam2", "ultralytics", "models",
}  # fmt: skip


@pytest.fixture(scope="module")
def demo(programs: Programs, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Answer]:
    """The folder in which the demo was made, and what it said."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, programs.call("demo", "--seconds", 4, "--to", folder / "clip", "--store", folder / "store")


def best_frames(answer: Answer) -> list[list[str]]:
    """The cells of the table, from the best frame down."""
    lines = answer.stdout.split("brightness")[1].split("contact sheet")[0].splitlines()
    return [line.split() for line in lines if line.strip()]


def test_the_demo_shows_the_best_frames_of_a_clip(demo: tuple[Path, Answer]) -> None:
    folder, answer = demo
    assert (answer.code, answer.sentences) == (0, [])
    with av.open(str(folder / "clip" / "demo.mp4")) as container:
        assert float(container.duration or 0) / 1_000_000 == pytest.approx(4, abs=0.1)

    heading = next(line for line in answer.stdout.splitlines() if "sharpness" in line)
    assert heading.split() == ["time", "shot", "quality", "sharpness", "contrast", "brightness"]
    qualities = [float(cells[2]) for cells in best_frames(answer)]
    assert len(qualities) >= 2
    assert qualities == sorted(qualities, reverse=True)
    assert all(0 <= quality <= 100 for quality in qualities)
    assert_whole(folder / "store")


def test_the_contact_sheet_is_a_picture_of_them(demo: tuple[Path, Answer]) -> None:
    folder, answer = demo
    sheet = cv2.imread(str(folder / "clip" / "best-frames.jpg"))
    assert sheet is not None
    assert sheet.shape[1] > 300
    assert sheet.std() > 10
    assert str(folder / "clip" / "best-frames.jpg") in answer.stdout


def test_the_commands_it_names_work(demo: tuple[Path, Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, answer = demo
    monkeypatch.chdir(ROOT)  # where the demo was called
    program, proposed = (
        r"(\S*frame-pipeline|\S*python\S* -m frame_pipeline)",
        r'(run \S*demo\.mp4 --preset \S+|query ".+?")',
    )
    named = re.findall(f"^  {program} {proposed}", answer.stdout, re.MULTILINE)
    assert len(named) == 2
    for _, words in named:
        command, _, rest = words.partition(" ")
        words_of_it = [rest.strip('"')] if command == "query" else rest.split()
        assert call(command, *words_of_it, "--store", folder / "store").code == 0


def test_a_second_demo_is_answered_from_the_store(demo: tuple[Path, Answer]) -> None:
    folder, first = demo
    frames = count(folder / "store", "frames")
    again = call("demo", "--seconds", 4, "--to", folder / "clip", "--store", folder / "store")
    assert again.code == 0
    assert again.stdout.count("cached") == 3
    assert "made" not in again.stdout
    assert count(folder / "store", "frames") == frames
    assert best_frames(again) == best_frames(first)


def test_a_copy_of_the_demo_elsewhere_shows_the_same_frames(demo: tuple[Path, Answer]) -> None:
    folder, first = demo
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(folder / "clip" / "demo.mp4", elsewhere)
    again = call("demo", "--seconds", 4, "--to", elsewhere, "--store", folder / "store")
    assert again.code == 0
    assert best_frames(again) == best_frames(first)
    assert (elsewhere / "best-frames.jpg").read_bytes() == (folder / "clip" / "best-frames.jpg").read_bytes()


def test_the_doctor_names_every_piece(store: Path) -> None:
    answer = call("doctor", "--store", store, "--json")
    assert (answer.code, answer.stderr) == (0, "")
    findings = {finding["name"]: finding for finding in answer.json}
    assert findings.keys() == PIECES
    for finding in findings.values():
        assert finding.keys() == {"name", "state", "detail", "effect"}
        assert finding["state"] in {"ok", "missing"}
        assert finding["detail"]
        assert finding["state"] == "ok" or finding["effect"], "what a missing piece switches off is said"
    assert "3 videos, 12 frames" in findings["store"]["detail"]

    shown = call("doctor", "--store", store)
    assert shown.code == 0
    assert {line.split()[1] for line in shown.stdout.splitlines() if line.startswith(("ok", "missing"))} == PIECES


def test_the_doctor_looks_and_makes_nothing(tmp_path: Path) -> None:
    answer = call("doctor", "--store", tmp_path / "store", "--json")
    assert answer.code == 0
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_finds_a_broken_store(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "catalog.sqlite").write_bytes(b"no database" * 500)
    answer = call("doctor", "--store", tmp_path / "store", "--json")
    assert answer.code == 1
    [broken] = [finding for finding in answer.json if finding["state"] == "broken"]
    assert (broken["name"], broken["effect"]) == ("store", "runs and queries fail")


def test_the_doctor_finds_a_store_that_lost_its_files(store: Path) -> None:
    lake = Lake(store)
    lake.alone("CALL ducklake_flush_inlined_data('lake')")
    lake.close()
    shutil.rmtree(store / "tables")
    assert call("doctor", "--store", store, "--json").code == 1


INTERNAL = "dagster.yaml"  # a setting that Dagster refuses is nothing that we foresee


@pytest.fixture
def broken_settings(tmp_path: Path) -> Path:
    """A store whose Dagster settings were edited badly."""
    settings = tmp_path / "store" / "dagster" / "dagster.yaml"
    settings.parent.mkdir(parents=True)
    settings.write_text("telemetry:\n  enabled: maybe\nno_such_setting:\n  - 1\n")
    return tmp_path / "store"


def test_an_internal_error_is_one_sentence(short: Clip, broken_settings: Path, programs: Programs) -> None:
    answer = programs.call("run", short.path, "--store", broken_settings)
    assert answer.code == 1
    assert len(answer.sentences) == 1
    assert "Traceback" not in answer.stderr
    assert "--debug" in answer.stderr


@pytest.mark.parametrize("before", [True, False], ids=["before the command", "behind it"])
def test_debug_shows_where(before: bool, short: Clip, broken_settings: Path, programs: Programs) -> None:
    words = ["run", short.path, "--store", broken_settings]
    answer = programs.call(*(["--debug", *words] if before else [*words, "--debug"]))
    assert answer.code == 1
    assert "Traceback (most recent call last)" in answer.stderr
    assert "launch.py" in answer.stderr


@pytest.mark.parametrize("debug", [[], ["--debug"]], ids=["plain", "debug"])
def test_a_wrong_word_shows_a_traceback_only_with_debug(debug: list[str], short: Clip, programs: Programs) -> None:
    answer = programs.call(*debug, "run", short.path, "--set", "frames.intervall=1")
    assert ("Traceback" in answer.stderr) == bool(debug)
    assert answer.stderr.splitlines()[-1].endswith("did you mean frames.interval_s?)")


def test_a_good_run_with_debug_is_a_good_run(short: Clip, programs: Programs, tmp_path: Path) -> None:
    answer = programs.call("run", short.path, "--store", tmp_path / "store", "--json", "--debug")
    assert answer.code == 0
    assert json.loads(answer.stdout)["videos"][0]["status"] == "ok"


def test_help_tells_every_command() -> None:
    answer = call("--help")
    assert answer.code == 0
    for command in ("run", "query", "up", "doctor", "maintain", "demo"):
        assert re.search(rf"^  {command}\s+\S", answer.stdout, re.MULTILINE)
        assert call(command, "--help").stdout.startswith(f"Usage: frame-pipeline {command}")


def test_the_version_is_that_of_the_package() -> None:
    from frame_pipeline import __version__

    assert call("--version").stdout == f"frame-pipeline, version {__version__}\n"
    assert sys.version_info >= (3, 11)
