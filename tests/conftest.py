"""Clips for every test: generated ones in a folder of the session, real ones where they are present."""

import os
from pathlib import Path
from typing import NoReturn

import pytest

REAL_CLIPS = Path(__file__).parents[2] / "shared" / "media"


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where generated clips of this session lie."""
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="session")
def media_folder() -> Path:
    """The folder of real clips; a test that asks for it skips where it is absent."""
    if not REAL_CLIPS.is_dir():
        absent("the real clips of ../shared/media are not here")
    return REAL_CLIPS


def absent(what: str) -> NoReturn:
    """Skip, or fail where everything is said to be provided."""
    if os.environ.get("FRAME_PIPELINE_NO_SKIPS"):
        pytest.fail(what)
    pytest.skip(what)
