"""What is imported when, and what may import what."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.program import ROOT

HEAVY = ("torch", "torchvision", "onnxruntime", "ultralytics", "insightface", "sam2", "streamlit")


def loaded(statement: str, names: tuple[str, ...]) -> set[str]:
    """Which of the modules a new process has imported after the statement."""
    code = f"import sys; {statement}; print(*sorted(set(sys.modules) & {set(names)!r}))"
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return set(ended.stdout.split())


@pytest.mark.parametrize("module", ["frame_pipeline", "frame_pipeline.definitions", "frame_pipeline.launch"])
def test_no_model_library_and_no_dashboard_is_imported_to_begin_with(module: str) -> None:
    assert loaded(f"import {module}", (*HEAVY, module)) == {module}


def test_the_command_line_starts_without_dagster() -> None:
    unwanted = ("dagster", "pandas", "numba", "scenedetect", "cv2")
    assert loaded("import frame_pipeline.cli", (*unwanted, "frame_pipeline.cli")) == {"frame_pipeline.cli"}


def test_an_answer_from_the_store_needs_no_dagster(tmp_path: Path) -> None:
    ask = "from frame_pipeline.commands import query; from frame_pipeline.store import lake"
    assert loaded(ask, ("dagster", "duckdb")) == {"duckdb"}


def test_import_contracts_hold() -> None:
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists():
        pytest.skip("import-linter is not installed")
    ended = subprocess.run([program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout
    assert "0 broken" in ended.stdout


def test_no_module_of_the_project_is_ignored_by_git() -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    paths = [path for top in ("frame_pipeline", "tests") for path in (ROOT / top).rglob("*.py")]
    modules = [str(path.relative_to(ROOT)) for path in paths]
    ended = subprocess.run(
        ["git", "check-ignore", "--no-index", "--stdin"], cwd=ROOT, input="\n".join(modules), capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert len(modules) > 50
    assert (ended.returncode, ended.stdout) == (1, "")
