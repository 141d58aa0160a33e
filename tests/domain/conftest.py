"""Generated clips and what was extracted from them, each made once a session."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from tests.domain.extraction import Extraction, extract
from tests.media import Clip, Recipe

Made: TypeAlias = Callable[[Recipe], Clip]
Extracted: TypeAlias = Callable[..., Extraction]


@pytest.fixture(scope="session")
def made(clip_folder: Path) -> Made:
    """Recipe to clip."""
    return cache(lambda recipe: recipe(clip_folder))


@pytest.fixture(scope="session")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Extracted:
    """Path and options of the stage `frames` to what it leaves."""

    @cache
    def extraction(path: Path, **options: Any) -> Extraction:
        return extract(path, tmp_path_factory.mktemp("extraction") / "0123456789abcdef", **options)

    return extraction
