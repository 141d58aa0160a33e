"""Finding video files and telling them apart by content."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from frame_pipeline.errors import FramePipelineError, UnreadableSource

_SUFFIXES = """
    3g2 3gp asf avi divx dv f4v flv gif m2ts m2v m4v mjpeg mkv mov mp4 mpe mpeg mpg mts mxf ogm ogv qt rm rmvb ts vob
    webm wmv y4m
"""
VIDEO_SUFFIXES = frozenset(f".{suffix}" for suffix in _SUFFIXES.split())
WHOLE_FILE_BYTES = 32 * 2**20
SAMPLE_BYTES = 2**20
SAMPLES = 32
SLUG_LENGTH = 40


@dataclass(frozen=True)
class SourceFile:
    """A file that was found and can be read."""

    path: Path
    fingerprint: str
    size_bytes: int


def find_sources(given: str, *, skip: Path | None = None) -> Iterator[SourceFile | FramePipelineError]:
    """Every video file that a SOURCE word names: a file (any suffix), or a folder with all below it.

    What cannot be read comes out as an error in its place, so that the rest of a batch goes on. Symbolic links are
    followed, each folder once. `skip` is left out (the store itself); so are hidden files and folders.
    """
    path = Path(given).expanduser().absolute()
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError) as error:
        yield _unreadable(path, error)
        return
    found = False
    for file in _walk(path, skip) if is_folder else [path]:
        found = True
        try:
            yield file if isinstance(file, FramePipelineError) else _source(file)
        except FramePipelineError as error:
            yield error
    if not found:
        yield UnreadableSource(path, "the folder holds no video files", hint="a single file may have any suffix")


def fingerprint(path: Path) -> str:
    """32 hex digits of the content: all of it up to 32 MiB, else 32 evenly spaced MiB with both ends and the size.

    Does not depend on the name, so a renamed or copied file is the same video.
    Raises OSError.
    """
    digest = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest.update(size.to_bytes(8, "big"))
        if size <= WHOLE_FILE_BYTES:
            while block := file.read(SAMPLE_BYTES):
                digest.update(block)
        else:
            for sample in range(SAMPLES):
                file.seek((size - SAMPLE_BYTES) * sample // (SAMPLES - 1))
                digest.update(file.read(SAMPLE_BYTES))
    return digest.hexdigest()


def slug(name: str) -> str:
    """A short piece of a file name that is safe everywhere: [A-Za-z0-9-], never empty."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9]+", "-", ascii_only)[:SLUG_LENGTH].strip("-") or "video"


def _source(path: Path) -> SourceFile:
    if not _is_text(path):
        raise UnreadableSource(path, "its name is not valid UTF-8", hint="rename it")
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise UnreadableSource(path, "is neither a file nor a folder")
        if size == 0:
            raise UnreadableSource(path, "the file is empty")
        return SourceFile(path, fingerprint(path), size)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


def _identity(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _is_text(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _unreadable(path: Path, error: OSError | ValueError) -> UnreadableSource:
    if isinstance(error, FileNotFoundError):
        broken = path.is_symlink()
        return UnreadableSource(path, "the link leads nowhere" if broken else "there is no such file or folder")
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return UnreadableSource(path, f"cannot be read: {reason[0].lower()}{reason[1:]}")


def _walk(folder: Path, skip: Path | None) -> Iterator[Path | UnreadableSource]:
    # The folder's identity, not its path: a link back up would be walked for ever, a link to the store into it.
    visited = {_identity(skip)} if skip is not None and skip.exists() else set()
    errors: list[OSError] = []
    for root, folders, files in os.walk(folder, followlinks=True, onerror=errors.append):
        here = Path(root)
        identity = _identity(here)
        if identity in visited:
            folders.clear()
            continue
        visited.add(identity)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in VIDEO_SUFFIXES:
                yield here / name
    for error in errors:
        yield _unreadable(Path(error.filename), error)
