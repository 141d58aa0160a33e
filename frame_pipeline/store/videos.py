"""The videos a store knows, each found again by the fingerprint of its content."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from frame_pipeline.errors import MissingInput
from frame_pipeline.stage import Video
from frame_pipeline.store.lake import Lake


@dataclass(frozen=True)
class NewVideo:
    """A file to be known: its path, the fingerprint of its content, and the readable part of its id."""

    path: Path
    fingerprint: str
    size_bytes: int
    slug: str


@dataclass(frozen=True)
class AddedVideo:
    """What became of a NewVideo."""

    video: Video
    is_new: bool
    moved_from: str | None
    """The path the store had for this content, when nothing is there any more."""


def add_videos(lake: Lake, files: list[NewVideo]) -> list[AddedVideo]:
    """Make each file known, in order. A known fingerprint keeps its video_id whatever the file is called now."""
    known = {row[0]: row[1:] for row in lake.rows("SELECT fingerprint, video_id, source FROM videos")}
    if all(_stays(known.get(file.fingerprint), file) for file in files):
        return [AddedVideo(_video(known[file.fingerprint][0], file), False, None) for file in files]
    added: list[AddedVideo] = []

    def work(connection: duckdb.DuckDBPyConnection) -> None:
        added.clear()
        for file in files:
            added.append(_add(connection, file))

    lake.commit(work)
    return added


def get_video(lake: Lake, video_id: str) -> Video:
    """The video of that id; raises MissingInput when there is none."""
    row = lake.row("SELECT fingerprint, source FROM videos WHERE video_id = ?", [video_id])
    if row is None:
        raise MissingInput(video_id, "the store does not know this video", hint="`frame-pipeline run FILE` adds it")
    return Video(video_id, row[0], Path(row[1]))


def update_video(connection: duckdb.DuckDBPyConnection, video_id: str, values: dict[str, Any]) -> None:
    """Set columns of a video's row inside a transaction. Names come from the code, values are parameters."""
    assignments = ", ".join(f"{name} = ?" for name in values)
    connection.execute(f"UPDATE videos SET {assignments} WHERE video_id = ?", [*values.values(), video_id])  # noqa: S608


def _add(connection: duckdb.DuckDBPyConnection, file: NewVideo) -> AddedVideo:
    row: tuple[str, str] | None = connection.execute(
        "SELECT video_id, source FROM videos WHERE fingerprint = ?", [file.fingerprint]
    ).fetchone()
    if row is None:
        video_id = _free_id(connection, file)
        connection.execute(
            "INSERT INTO videos (video_id, source, fingerprint, status, size_bytes, added_at) "
            "VALUES (?, ?, ?, 'added', ?, now() AT TIME ZONE 'UTC')",
            [video_id, str(file.path), file.fingerprint, file.size_bytes],
        )
        return AddedVideo(_video(video_id, file), True, None)
    if _stays(row, file):
        return AddedVideo(_video(row[0], file), False, None)
    connection.execute("UPDATE videos SET source = ? WHERE video_id = ?", [str(file.path), row[0]])
    return AddedVideo(_video(row[0], file), False, row[1])


def _free_id(connection: duckdb.DuckDBPyConnection, file: NewVideo) -> str:
    """Eight digits of the fingerprint, and more for the rare two that begin alike."""
    begin = f"{file.slug}-{file.fingerprint[:8]}"
    rows = connection.execute("SELECT video_id FROM videos WHERE starts_with(video_id, ?)", [begin]).fetchall()
    taken = {row[0] for row in rows}
    lengths = range(8, len(file.fingerprint) + 1)
    return next(name for length in lengths if (name := f"{file.slug}-{file.fingerprint[:length]}") not in taken)


def _stays(known: tuple[str, str] | None, file: NewVideo) -> bool:
    # A copy beside a source that is still there changes nothing; only a source that is gone is replaced.
    return known is not None and (known[1] == str(file.path) or Path(known[1]).exists())


def _video(video_id: str, file: NewVideo) -> Video:
    return Video(video_id, file.fingerprint, file.path)
