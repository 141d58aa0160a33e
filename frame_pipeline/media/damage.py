"""Telling a whole file from one that ends early or holds what cannot be decoded. Silence is never taken for success."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from av.container import InputContainer
from av.video.stream import VideoStream

from frame_pipeline.errors import UnreadableVideo
from frame_pipeline.media.decode import Walk
from frame_pipeline.media.packets import PacketIndex

Damage = Literal["truncated", "corrupt"]

ENDS_EARLY = ("ended prematurely", "partial file")
"""FFmpeg's words for a file that stops inside something."""
MISSING_SECONDS = 0.5
"""A stream that ends this much before its declared end has lost something; less is rounding."""


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a file whose frames are kept all the same."""

    damage: Damage
    sentence: str


@dataclass(frozen=True)
class Declared:
    """What the container says of the stream; None where it says nothing."""

    frames: int | None
    """frames in the header, or in the index where an edit list leaves some out"""
    seconds: float | None

    @classmethod
    def by(cls, container: InputContainer, stream: VideoStream) -> Declared:
        """The declaration of an opened stream."""
        seconds: float | None = None
        if stream.duration and stream.time_base:
            seconds = float(stream.duration * stream.time_base)
        elif match := re.fullmatch(r"(\d+):(\d+):([\d.]+)", stream.metadata.get("DURATION", "")):
            # Matroska writes the length of each track as a tag.
            seconds = int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
        elif container.duration and len(container.streams) == 1:
            # With sound beside it, the container's length may be that of the sound.
            seconds = container.duration / 1_000_000
        # MP4 lists every frame in its index. Where an edit list hides a part, the list is shorter than the header's
        # number; in fragments it is longer than what is read at first, and the header's number is 0.
        listed = len(stream.index_entries) if "mp4" in container.format.name else 0
        frames = min(stream.frames, listed) if listed else stream.frames
        return cls(frames or None, seconds)


def verdict(path: Path, declared: Declared, index: PacketIndex, seconds: float, met: Walk | None) -> Verdict | None:
    """What the packets, and a full decode when there was one, leave open against the declaration.

    seconds: from the first packet's timestamp to the end of the last one.
    """
    there = index.packets if met is None else index.hidden + met.decoded
    if declared.frames is not None and index.packets < declared.frames:
        return _truncated(path, f"{there} of {declared.frames} declared frames are there")
    if declared.frames is None and declared.seconds is not None and declared.seconds - seconds > MISSING_SECONDS:
        return _truncated(path, f"{seconds:.1f} of {declared.seconds:.1f} declared seconds are there")
    for complaint in index.complaints:
        if any(words in complaint.lower() for words in ENDS_EARLY):
            return _truncated(path, f"{there} frames are there, then the file ends")
    if index.complaints:
        return _corrupt(path, f"its reader says: {index.complaints[0]}")
    if met is None:
        return None
    # The decoder's own mark on damaged frames is not asked: with several threads it differs from run to run.
    lost = max(len(index.pts) - met.decoded, 0)
    if met.errors or lost:
        return _corrupt(path, f"{max(lost, 1)} of {max(len(index.pts), met.decoded)} frames are lost or damaged")
    return None


def _corrupt(path: Path, what: str) -> Verdict:
    return Verdict("corrupt", f"{path.name}: has corrupt parts: {what}; what can be decoded is kept and flagged")


def nothing_decoded(path: Path, packets: int, met: Walk) -> UnreadableVideo:
    """Why a walk through a stream showed no frame at all."""
    if met.out_of_order:
        hint = "put it into a container first, e.g. ffmpeg -i IN -c copy OUT.mp4"
        return UnreadableVideo(path, "its frames carry no timestamps", hint=hint)
    return UnreadableVideo(path, "no frame can be decoded" if packets else "has no frames")


def _truncated(path: Path, what: str) -> Verdict:
    return Verdict("truncated", f"{path.name}: is truncated: {what}; they are kept and flagged")
