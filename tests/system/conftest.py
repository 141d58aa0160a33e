"""Clips, and stores in which they were analysed."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from frame_pipeline.store.layout import STORE_VARIABLE
from tests import media
from tests.media import Clip
from tests.system.program import Answer, Programs, call

RECIPES = (media.film_23_976, media.b_frames, media.phone_vfr)
SHORT = replace(media.b_frames, name="short", frames=24, size=(64, 36))


@dataclass(frozen=True)
class Store:
    """A store in which the clips were analysed with the default options, and what that run answered."""

    root: Path
    answer: Answer


@pytest.fixture(scope="session")
def clips(clip_folder: Path) -> list[Clip]:
    """Three clips of three shots, three seconds and a bit each, alone in a folder."""
    folder = clip_folder / "three"
    folder.mkdir(exist_ok=True)
    return [recipe(folder) for recipe in RECIPES]


@pytest.fixture(scope="session")
def clip(clips: list[Clip]) -> Clip:
    """One of them."""
    return clips[0]


@pytest.fixture(scope="session")
def short(clip_folder: Path) -> Clip:
    """One second, and small."""
    folder = clip_folder / "short"
    folder.mkdir(exist_ok=True)
    return SHORT(folder)


@pytest.fixture(scope="session")
def finished(clips: list[Clip], tmp_path_factory: pytest.TempPathFactory) -> Store:
    """To be read only."""
    root = tmp_path_factory.mktemp("finished") / "store"
    answer = call("run", *[clip.path for clip in clips], "--store", root, "--json")
    assert answer.code == 0, answer.stderr
    return Store(root, answer)


@pytest.fixture
def store(finished: Store, tmp_path: Path) -> Path:
    """A copy of it, to be changed."""
    return Path(shutil.copytree(finished.root, tmp_path / "store"))


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """Starts commands as processes."""
    return Programs(tmp_path_factory.mktemp("said"))


@pytest.fixture(autouse=True)
def _no_store_of_the_person(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # A command without --store must not find the person's store; set first, so that it is undone afterwards.
    monkeypatch.setenv(STORE_VARIABLE, "")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
