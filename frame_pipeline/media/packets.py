"""The frames of a file as its packets announce them: timestamps and keyframes without decoding anything.

Reading the packets is some hundred times faster than decoding them. It tells where keyframes are, so that sparse frames
can be reached by seeking, and how many frames a full decode must give. 9 bytes a frame stay in memory.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import av
import av.logging
import numpy as np
from numpy.typing import NDArray

from frame_pipeline.media.container import opened, reason

TRANSPORT_PACKET_BYTES = (188, 192)
"""MPEG-TS is made of packets of one size and declares no length: what stops inside one was cut off."""


@dataclass(frozen=True)
class PacketIndex:
    """Frames in order of presentation."""

    pts: NDArray[np.int64]
    """[N] presentation timestamps of the frames that are shown, ascending; empty when the file does not say"""
    keyframe: NDArray[np.bool_]
    """[N] whether decoding can start there"""
    packets: int
    """all packets with data, those hidden by an edit list included"""
    hidden: int
    """packets hidden by an edit list"""
    complaints: tuple[str, ...]
    """what the container's reader found wrong, in FFmpeg's words; it steps over most damage without failing"""

    @property
    def keyframe_pts(self) -> NDArray[np.int64]:
        """[K] timestamps of the keyframes that are shown, ascending."""
        return self.pts[self.keyframe]

    def position(self, pts: int) -> int:
        """The place of `pts` in order of presentation, from 0."""
        return int(np.searchsorted(self.pts, pts))

    def keyframe_before(self, pts: int) -> int | None:
        """The last keyframe at or before `pts`; None when decoding has to start at the beginning."""
        place = int(np.searchsorted(self.keyframe_pts, pts, side="right"))
        return int(self.keyframe_pts[place - 1]) if place else None


def read_packets(path: Path) -> PacketIndex:
    """Read every packet of the video stream once. Raises UnreadableVideo when the file cannot be opened.

    The last answer is kept, because one stage after the other asks for the same file.
    """
    try:
        state = path.stat()
    except OSError:
        return _read_packets(path, 0, 0)
    return _read_packets(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=1)
def _read_packets(path: Path, _size: int, _changed_ns: int) -> PacketIndex:
    pts, keyframes = array("q"), bytearray()
    packets = hidden = 0
    stamped = True
    complaints: list[str] = []
    with _logged() as lines, opened(path) as (container, stream):
        # What was said of the header is no damage of the frames.
        lines.clear()
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                packets += 1
                if packet.is_discard:
                    hidden += 1
                elif packet.pts is None:
                    stamped = False
                else:
                    pts.append(packet.pts)
                    keyframes.append(packet.is_keyframe)
        except av.FFmpegError as error:
            complaints.append(reason(error))
        reader = container.format.name
        if reader == "mpegts" and all(path.stat().st_size % size for size in TRANSPORT_PACKET_BYTES):
            complaints.append("partial file")
        complaints += [text.strip() for level, who, text in lines if who == reader and _is_damage(level, text)]
    if not stamped:
        # Some AVI files carry only decoding times: what is shown when is known after decoding alone.
        pts, keyframes = array("q"), bytearray()
    order = np.argsort(np.array(pts, dtype=np.int64), kind="stable")
    return PacketIndex(
        np.array(pts, dtype=np.int64)[order],
        np.frombuffer(bytes(keyframes), dtype=np.uint8).astype(np.bool_)[order],
        packets,
        hidden,
        tuple(complaints),
    )


@contextmanager
def _logged() -> Iterator[list[tuple[int, str, str]]]:
    """Collects (level, who, text) of what FFmpeg logs as an error or a warning on this thread."""
    level, skipping = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_level(av.logging.WARNING)
    # A second reading of the same file says the same again, which must be heard again.
    av.logging.set_skip_repeated(False)
    try:
        with av.logging.Capture() as lines:
            yield lines
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(skipping)


def _is_damage(level: int, text: str) -> bool:
    return level <= av.logging.ERROR or text.startswith("Packet corrupt")
