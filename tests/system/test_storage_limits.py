"""A disk that is full or read-only: one sentence, nothing torn, and all is well when there is room again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.media import Clip
from tests.system.contents import assert_whole, contents, count
from tests.system.files import distinct_folder
from tests.system.program import call

DISK_MIB = 24
OPTIONS = ("--json", "--preset", "every-frame")
ROOM_KIB = (0, 300, 1000, 2500)
"""From nothing to nearly enough for the videos below."""


def _mount(*words: object) -> None:
    subprocess.run(["mount", *map(str, words)], check=True, capture_output=True, timeout=20)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        _mount("-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", folder)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a disk cannot be mounted here: {error}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=False, timeout=20)


@pytest.fixture(scope="module")
def films(short: Clip, clip: Clip, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A small video and two larger ones."""
    folder = tmp_path_factory.mktemp("films")
    return [*distinct_folder(short, folder / "short", range(1)), *distinct_folder(clip, folder / "long", range(1, 3))]


@pytest.fixture(scope="module")
def undisturbed(films: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which the same was done on a large disk."""
    root = tmp_path_factory.mktemp("undisturbed") / "store"
    assert call("run", *films, "--store", root, *OPTIONS).code == 0
    return root


def fill(disk: Path, room_kib: int) -> Path:
    """Take all but so much of the disk."""
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    filler.write_bytes(bytes(max(0, free - room_kib * 1024)))
    return filler


@pytest.mark.parametrize("room_kib", ROOM_KIB)
def test_a_full_disk_is_one_sentence_and_the_rerun_completes(
    room_kib: int, films: list[Path], disk: Path, undisturbed: Path
) -> None:
    root = disk / "store"
    assert call("run", films[0], "--store", root, *OPTIONS).code == 0
    filler = fill(disk, room_kib)

    answer = call("run", *films, "--store", root, *OPTIONS)
    assert answer.code == 1
    assert answer.sentences == [f"{root}: the disk is full (make room and run again; finished videos are kept)"]
    # With no room at all the run ends before it can say what it knows.
    assert answer.videos[films[0].name]["status"] == ("ok" if room_kib else "failed")
    assert answer.videos[films[2].name]["status"] == "failed"
    if not room_kib:
        filler.unlink()  # SQLite needs a page of room even to read
    assert call("query", "SELECT count(*) AS n FROM results", "--store", root, "--format", "json").code == 0
    assert assert_whole(root) >= 3

    filler.unlink(missing_ok=True)
    assert call("run", *films, "--store", root, *OPTIONS).code == 0
    assert contents(root) == contents(undisturbed)


@pytest.mark.parametrize("room_kib", [0, 100])
def test_a_first_run_on_a_full_disk_is_one_sentence(
    room_kib: int, films: list[Path], disk: Path, undisturbed: Path
) -> None:
    filler = fill(disk, room_kib)
    answer = call("run", *films, "--store", disk / "store", *OPTIONS)
    assert answer.code == 1
    assert len(answer.sentences) == 1
    assert "the disk is full" in answer.stderr

    filler.unlink()
    assert call("run", *films, "--store", disk / "store", *OPTIONS).code == 0
    assert contents(disk / "store") == contents(undisturbed)


def test_a_read_only_store_is_one_sentence_to_writers_and_open_to_readers(
    films: list[Path], disk: Path, undisturbed: Path
) -> None:
    root = disk / "store"
    assert call("run", films[0], "--store", root, *OPTIONS).code == 0
    before = contents(root)
    _mount("-o", "remount,ro", disk)

    for words in (["run", *films], ["maintain", "--yes"]):
        answer = call(*words, "--store", root)
        assert answer.code == 1
        assert answer.sentences == [f"{root}: cannot be written (choose a writable folder with --store)"]
    asked = call("query", "SELECT count(*) AS n FROM frames", "--store", root, "--format", "json")
    assert (asked.code, asked.stderr) == (0, "")
    assert asked.json == [{"n": count(root, "frames")}]
    assert contents(root) == before

    _mount("-o", "remount,rw", disk)
    assert call("run", *films, "--store", root, *OPTIONS).code == 0
    assert contents(root) == contents(undisturbed)


@pytest.mark.parametrize("below", ["store", "deeper/store"])
def test_a_store_that_cannot_be_made_is_one_sentence(below: str, films: list[Path], disk: Path) -> None:
    _mount("-o", "remount,ro", disk)
    answer = call("run", films[0], "--store", disk / below)
    assert answer.code == 1
    assert answer.sentences == [f"{disk / below}: cannot be written (choose a writable folder with --store)"]


def test_a_file_in_the_place_of_the_store_is_one_sentence(films: list[Path], tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    answer = call("run", films[0], "--store", tmp_path / "store")
    assert answer.code == 1
    assert len(answer.sentences) == 1
    assert answer.stderr.startswith(f"{tmp_path / 'store'}: ")


def test_a_catalog_that_is_none_is_one_sentence_and_stays_as_it_is(films: list[Path], tmp_path: Path) -> None:
    catalog = tmp_path / "store" / "catalog.sqlite"
    catalog.parent.mkdir()
    catalog.write_bytes(b"this is no database" * 400)
    before = catalog.read_bytes()
    for words in (["run", films[0]], ["query", "SELECT 1"]):
        answer = call(*words, "--store", catalog.parent)
        assert answer.code == 1
        assert len(answer.sentences) == 1
        assert answer.stderr.startswith(f"{catalog.parent}: ")
    assert catalog.read_bytes() == before
