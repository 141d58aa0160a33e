"""Files made from clips: the same content elsewhere, other content that looks the same, and what is no video."""

from __future__ import annotations

from pathlib import Path

from tests.media import Clip


def distinct(clip: Clip, path: Path, number: int) -> Path:
    """A video of its own that shows what `clip` shows: one more MP4 box, which readers skip, holds the number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(clip.path.read_bytes() + b"\0\0\0\x10free" + number.to_bytes(8, "big"))
    return path


def distinct_folder(clip: Clip, folder: Path, numbers: range) -> list[Path]:
    """Such videos, `v000.mp4` and so on."""
    return [distinct(clip, folder / f"v{number:03}.mp4", number) for number in numbers]


def no_video(path: Path) -> Path:
    """A file with the suffix of a video and nothing of one."""
    path.write_bytes(b"this is not a video" * 300)
    return path
