"""Finding videos on real disks, and knowing the same content under any name."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from frame_pipeline.errors import UnreadableSource
from frame_pipeline.media.sources import VIDEO_SUFFIXES, SourceFile, find_sources, fingerprint, slug

MIB = 2**20


def put(path: Path, content: bytes | bytearray = b"film") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def found(folder: Path, skip: Path | None = None) -> list[str]:
    """Paths below `folder` that were found; sentences of what could not be read."""
    return [
        source.path.relative_to(folder).as_posix() if isinstance(source, SourceFile) else str(source)
        for source in find_sources(str(folder), skip=skip)
    ]


def test_a_copy_under_another_name_is_the_same_video(tmp_path: Path) -> None:
    one, other = put(tmp_path / "a.mp4", b"x" * 5000), put(tmp_path / "b" / "Another Name.mkv", b"x" * 5000)
    assert fingerprint(one) == fingerprint(other)
    assert re.fullmatch("[0-9a-f]{32}", fingerprint(one))


@pytest.mark.parametrize("size", [1, 5000, MIB, MIB + 1, 3 * MIB])
@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_one_changed_byte_is_another_video(size: int, place: float, tmp_path: Path) -> None:
    content = bytearray(size)
    before = fingerprint(put(tmp_path / "a.mp4", content))
    content[int(place * (size - 1))] = 1
    assert fingerprint(put(tmp_path / "b.mp4", content)) != before


def test_a_longer_file_is_another_video(tmp_path: Path) -> None:
    prints = {fingerprint(put(tmp_path / str(size), bytes(size))) for size in (1, 2, MIB - 1, MIB, MIB + 1)}
    assert len(prints) == 5


def sparse(path: Path, size: int, changed: int | None = None) -> Path:
    """A file of zeros that takes no room, but for one byte."""
    with path.open("wb") as file:
        file.truncate(size)
        if changed is not None:
            file.seek(changed)
            file.write(b"\x01")
    return path


@pytest.mark.parametrize("size", [32 * MIB + 1, 5000 * MIB])
def test_a_large_file_is_known_by_its_ends_and_its_size(size: int, tmp_path: Path) -> None:
    plain = fingerprint(sparse(tmp_path / "plain", size))
    assert plain == fingerprint(sparse(tmp_path / "copy", size))
    assert plain != fingerprint(sparse(tmp_path / "first", size, 0))
    assert plain != fingerprint(sparse(tmp_path / "last", size, size - 1))
    assert plain != fingerprint(sparse(tmp_path / "longer", size + 1))


def test_a_file_of_32_mib_is_read_whole_and_of_a_larger_one_32_mib(tmp_path: Path) -> None:
    limit = 32 * MIB
    assert fingerprint(sparse(tmp_path / "a", limit)) != fingerprint(sparse(tmp_path / "b", limit, 12_345_678))
    # Of 3200 MiB one in a hundred is read: the second MiB is not, the last of the first one is.
    large = 100 * limit
    plain = fingerprint(sparse(tmp_path / "c", large))
    assert plain == fingerprint(sparse(tmp_path / "d", large, MIB))
    assert plain != fingerprint(sparse(tmp_path / "e", large, MIB - 1))


def test_a_missing_file_has_no_fingerprint(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        fingerprint(tmp_path / "gone.mp4")


@given(st.text(max_size=300))
@example("")
@example("...")
@example("日本語の動画")
@example("Ünïcödé, film 'no. 1'")
@example("-" * 50 + "a")
@example("a" * 39 + "--b")
def test_a_slug_is_short_and_safe_and_never_empty(name: str) -> None:
    made = slug(name)
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9-]{0,38}[A-Za-z0-9])?", made)
    assert "--" not in made
    assert slug(made) == made


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("My Film (2024)", "My-Film-2024"),
        ("Café Zoë", "Cafe-Zoe"),
        ("日本", "video"),
        ("a_b", "a-b"),
        ("x" * 99, "x" * 40),
    ],
)
def test_a_slug_reads_like_the_name(name: str, expected: str) -> None:
    assert slug(name) == expected


def test_a_folder_is_searched_to_the_bottom_in_a_steady_order(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.MKV", "deep/er/c.webm", "deep/a.mov", "notes.txt", "poster.jpg", "noext"):
        put(tmp_path / name)
    assert found(tmp_path) == ["a.MKV", "b.mp4", "deep/a.mov", "deep/er/c.webm"]


@pytest.mark.parametrize("suffix", sorted(VIDEO_SUFFIXES))
def test_every_video_suffix_is_found_in_any_case(suffix: str, tmp_path: Path) -> None:
    put(tmp_path / f"small{suffix}")
    put(tmp_path / f"LARGE{suffix.upper()}")
    assert len(found(tmp_path)) == 2


def test_a_file_named_outright_may_have_any_suffix(tmp_path: Path) -> None:
    for name in ("film.bin", "film", ".hidden.mp4"):
        (source,) = find_sources(str(put(tmp_path / name)))
        assert isinstance(source, SourceFile)
        assert (source.path, source.size_bytes) == (tmp_path / name, 4)
        assert source.fingerprint == fingerprint(tmp_path / name)


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    for name in (".hidden.mp4", ".cache/a.mp4", "seen.mp4", "._seen.mp4"):
        put(tmp_path / name)
    assert found(tmp_path) == ["seen.mp4"]


def test_a_hidden_folder_named_outright_is_searched(tmp_path: Path) -> None:
    put(tmp_path / ".films" / "a.mp4")
    assert found(tmp_path / ".films") == ["a.mp4"]


def test_the_store_is_not_searched(tmp_path: Path) -> None:
    put(tmp_path / "a.mp4")
    put(tmp_path / "store" / "downloads" / "b.mp4")
    assert found(tmp_path, skip=tmp_path / "store") == ["a.mp4"]


def test_the_store_is_not_searched_through_a_link_either(tmp_path: Path) -> None:
    put(tmp_path / "films" / "a.mp4")
    put(tmp_path / "store" / "downloads" / "b.mp4")
    (tmp_path / "films" / "link").symlink_to(tmp_path / "store")
    assert found(tmp_path / "films", skip=tmp_path / "store") == ["a.mp4"]


def test_links_are_followed_and_a_circle_ends(tmp_path: Path) -> None:
    put(tmp_path / "films" / "a.mp4")
    put(tmp_path / "elsewhere" / "b.mp4")
    (tmp_path / "films" / "other").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "films" / "up").symlink_to(tmp_path / "films")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "films")
    assert sorted(found(tmp_path / "films")) == ["a.mp4", "other/b.mp4"]


def test_a_broken_link_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").symlink_to(tmp_path / "gone.mp4")
    (tmp_path / "circle.mp4").symlink_to(tmp_path / "circle.mp4")
    put(tmp_path / "whole.mp4")
    broken, circle, whole = found(tmp_path)
    assert broken == f"{tmp_path / 'broken.mp4'}: the link leads nowhere"
    assert circle.startswith(f"{tmp_path / 'circle.mp4'}: ") and "\n" not in circle
    assert whole == "whole.mp4"


def test_an_empty_file_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    put(tmp_path / "a.mp4", b"")
    put(tmp_path / "b.mp4")
    assert found(tmp_path) == [f"{tmp_path / 'a.mp4'}: the file is empty", "b.mp4"]


@pytest.mark.parametrize("content", [(), ("notes.txt", "deep/poster.jpg"), (".hidden.mp4",)], ids=str)
def test_a_folder_without_videos_says_so(content: tuple[str, ...], tmp_path: Path) -> None:
    for name in content:
        put(tmp_path / name)
    assert found(tmp_path) == [f"{tmp_path}: the folder holds no video files (a single file may have any suffix)"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (Path.resolve, "there is no such file or folder"),
        (lambda path: path.symlink_to(path.with_name("gone")), "the link leads nowhere"),
        (lambda path: path.touch(), "the file is empty"),
    ],
    ids=["missing", "broken link", "empty"],
)
def test_a_word_that_names_no_file_is_answered_in_one_sentence(
    make: Callable[[Path], object], words: str, tmp_path: Path
) -> None:
    path = tmp_path / "film.mp4"
    make(path)
    (answer,) = find_sources(str(path))
    assert isinstance(answer, UnreadableSource)
    assert str(answer) == f"{path}: {words}"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    put(tmp_path / "whole.mp4")
    assert found(tmp_path) == [f"{tmp_path / 'pipe.mp4'}: is neither a file nor a folder", "whole.mp4"]


def test_a_word_that_no_path_can_be_is_answered_too() -> None:
    for word in ("a\0b.mp4", "x" * 5000):
        (answer,) = find_sources(word)
        assert isinstance(answer, UnreadableSource)
        assert "\n" not in str(answer)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="everything is readable for this user")
def test_a_forbidden_folder_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    put(tmp_path / "open" / "a.mp4")
    put(tmp_path / "closed" / "b.mp4")
    (tmp_path / "closed").chmod(0)
    try:
        answers = found(tmp_path)
    finally:
        (tmp_path / "closed").chmod(0o700)
    assert answers[0] == "open/a.mp4"
    assert "closed: cannot be read" in answers[1]


STRANGE = (
    "日本語.mp4", "it's a \"film\".mp4", "a b  c.mp4", "100% $HOME `x`;#.mp4", "e\u0301.mp4", "new\nline.mp4",
    "\U0001f3ac.mp4", "-rf.mp4", "back\\slash.mp4", "x" * 196 + ".mp4",
)  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="such names are not possible there")
@pytest.mark.parametrize("name", STRANGE, ids=ascii)
def test_strange_names_are_found(name: str, tmp_path: Path) -> None:
    put(tmp_path / name)
    assert found(tmp_path) == [name]
    (named,) = find_sources(str(tmp_path / name))
    assert isinstance(named, SourceFile)


def test_a_relative_word_becomes_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "films" / "a.mp4")
    monkeypatch.chdir(tmp_path)
    for word in ("films", "films/", "./films/a.mp4", "films/a.mp4"):
        (source,) = find_sources(word)
        assert isinstance(source, SourceFile)
        assert source.path.is_absolute()
        assert source.path.samefile(tmp_path / "films" / "a.mp4")
