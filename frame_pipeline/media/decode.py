"""Decoding: one walk through a stream, or only the frames that are wanted.

Memory: FFmpeg's own frame threads hold a few frames, `prefetched` at most `depth` more.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import chain, cycle
from pathlib import Path
from typing import Any, TypeVar

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from frame_pipeline.media.container import opened
from frame_pipeline.media.packets import PacketIndex

T = TypeVar("T")

INDEXED = frozenset({"mp4", "matroska", "avi"})
"""Containers that find a keyframe without reading what lies before it."""
KEYFRAME_DECODERS = min(4, os.cpu_count() or 1)
KEYFRAMES_AHEAD = 2
BEFORE_EVERYTHING_US = 10**9
STOP_SECONDS = 0.2
"""How often a waiting producer looks whether its consumer has gone."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A decoded frame: its place in order of presentation from 0, its stream timestamp, and the picture."""

    index: int
    pts: int
    keyframe: bool
    picture: av.VideoFrame


@dataclass
class Walk:
    """What a walk through the stream met; complete when its iterator has ended."""

    decoded: int = 0
    """frames that were shown"""
    errors: int = 0
    """packets that could not be decoded"""
    out_of_order: int = 0
    """frames left out because they had no timestamp of their own"""


def walk(
    path: Path, index: PacketIndex, met: Walk, *, start_pts: int | None = None, end_pts: int | None = None
) -> Iterator[Shown]:
    """The frames of a stream in order of presentation with start_pts <= pts < end_pts.

    After a damaged packet decoding resumes at the next keyframe, because what lies between would show the damage.
    Frames without a timestamp, or with one that does not advance, have no identity and are counted, not shown.
    """
    with opened(path) as (container, stream):
        ranked = is_ranked(container, stream)
        sought = start_pts is not None and len(index.pts) > 0 and not ranked
        frames = _from(container, stream, index, start_pts or 0, met) if sought else _frames(container, stream, met)
        last: int | None = None
        place = 0
        for frame in frames:
            if ranked and place < len(index.pts):
                frame.pts = int(index.pts[place])
            if frame.pts is None or (last is not None and frame.pts <= last):
                met.out_of_order += 1
                continue
            if last is None and sought:
                place = index.position(frame.pts)
            last = frame.pts
            if end_pts is not None and frame.pts >= end_pts:
                return
            met.decoded += 1
            if start_pts is None or frame.pts >= start_pts:
                yield Shown(place, frame.pts, bool(frame.key_frame), frame)
            place += 1


def is_ranked(container: InputContainer, stream: VideoStream) -> bool:
    """Whether frames get their timestamps by rank, which rules out seeking.

    AVI has no presentation times. With B-frames of H.264 those that come out are shuffled, but their set is right.
    """
    shuffled = stream.codec_context.name in ("h264", "hevc") and bool(stream.codec_context.has_b_frames)
    return container.format.name == "avi" and shuffled


def keyframes(
    path: Path, index: PacketIndex, met: Walk, *, start_pts: int | None = None, end_pts: int | None = None
) -> Iterator[Shown]:
    """The keyframes of a stream with start_pts <= pts < end_pts; no other packet is decoded.

    Keyframes need nothing but themselves, so KEYFRAME_DECODERS work on them in turns.
    """
    first = 0 if start_pts is None else int((index.keyframe_pts < start_pts).sum())
    last = None if end_pts is None else int((index.keyframe_pts < end_pts).sum())
    wanted: list[int] = index.keyframe_pts[first:last].tolist()
    if not len(index.pts):
        met.out_of_order += index.packets
    with ExitStack() as stack:
        shares = [_each_alone(path, wanted[number::KEYFRAME_DECODERS]) for number in range(KEYFRAME_DECODERS)]
        turns = [stack.enter_context(closing(prefetched(share, KEYFRAMES_AHEAD))) for share in shares]
        for pts, turn in zip(wanted, cycle(turns), strict=False):
            frame = next(turn)
            if frame is None:
                met.errors += 1
                continue
            met.decoded += 1
            yield Shown(index.position(pts), pts, True, frame)


def pick(path: Path, index: PacketIndex, wanted: Iterable[int]) -> Iterator[Shown]:
    """The frames with exactly the `wanted` timestamps (ascending), reached from the keyframe before each.

    A timestamp at which nothing can be decoded is left out.
    """
    with opened(path) as (container, stream):
        frames: Iterator[av.VideoFrame] = iter(())
        reached: int | None = None
        for pts in wanted:
            keyframe = index.keyframe_before(pts)
            if reached is None or (keyframe is not None and keyframe > reached):
                frames = _from(container, stream, index, pts, Walk())
            frame = next((frame for frame in frames if frame.pts is not None and frame.pts >= pts), None)
            # After a gap the frame in hand may be a later one, which a next timestamp could want: start over there.
            reached = pts if frame is not None and frame.pts == pts else None
            if frame is not None and reached is not None:
                yield Shown(index.position(pts), pts, bool(frame.key_frame), frame)


def prefetched(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """The same items, made by a thread of their own at most `depth` ahead. Closing the iterator stops the thread."""
    ready: queue.Queue[tuple[str, Any]] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def produce() -> None:
        try:
            for item in items:
                if not _offer(ready, ("item", item), stopped):
                    return
            _offer(ready, ("end", None), stopped)
        except BaseException as error:  # noqa: BLE001 - raised again in the consumer
            _offer(ready, ("error", error), stopped)

    thread = threading.Thread(target=produce, name="decode", daemon=True)
    thread.start()
    try:
        while (entry := ready.get())[0] == "item":
            yield entry[1]
        if entry[0] == "error":
            raise entry[1]
    finally:
        stopped.set()
        thread.join()


def _offer(ready: queue.Queue[tuple[str, Any]], entry: tuple[str, Any], stopped: threading.Event) -> bool:
    """Put an entry; False when the consumer has gone."""
    while not stopped.is_set():
        try:
            ready.put(entry, timeout=STOP_SECONDS)
            return True
        except queue.Full:
            continue
    return False


def _each_alone(path: Path, wanted: Iterable[int]) -> Iterator[av.VideoFrame | None]:
    """For each timestamp (ascending) the keyframe there, or None where it is damaged."""
    with opened(path) as (container, stream):
        # One picture at a time: threads that work on several would hold each back until the next one is in.
        stream.thread_type = "SLICE"
        # Not `stream.discard = nonkey`: with packets missing, libavformat makes up other timestamps.
        packets = container.demux(stream)
        seeks = not INDEXED.isdisjoint(container.format.name.split(","))
        for pts in wanted:
            if seeks:
                container.seek(pts, stream=stream)
                packets = container.demux(stream)
            packet = _keyframe_at(packets, pts)
            if seeks and packet is None:
                _rewind(container)
                packet = _keyframe_at(container.demux(stream), pts)
            yield _alone(packet, stream) if packet is not None else None


def _keyframe_at(packets: Iterator[av.Packet[VideoStream]], pts: int) -> av.Packet[VideoStream] | None:
    """Read on to the keyframe of that timestamp; None when the packets end or are already behind it."""
    try:
        found = next((packet for packet in packets if packet.is_keyframe and (packet.pts or 0) >= pts), None)
    except av.FFmpegError:
        return None
    return found if found is not None and found.pts == pts else None


def _alone(packet: av.Packet[VideoStream], stream: VideoStream) -> av.VideoFrame | None:
    """What one packet gives without those after it: the decoder is emptied and made new."""
    try:
        frames = [*packet.decode(), *stream.codec_context.decode(None)]
    except av.FFmpegError:
        frames = []
    stream.codec_context.flush_buffers()
    return next((frame for frame in frames if frame.pts == packet.pts), None)


def _from(
    container: InputContainer, stream: VideoStream, index: PacketIndex, pts: int, met: Walk
) -> Iterator[av.VideoFrame]:
    """Frames from at or before `pts` on.

    Containers without an index (MPEG-TS) may land behind the keyframe that was asked for. Then an earlier one is asked
    for, twice as far back each time, and at last the beginning.
    """
    place = int((index.keyframe_pts <= pts).sum())
    back = 1
    while True:
        beginning = place - back < 0
        if beginning:
            _rewind(container)
        else:
            container.seek(int(index.keyframe_pts[place - back]), stream=stream)
        frames = _frames(container, stream, met, resuming=not beginning)
        first = next(frames, None)
        if first is not None and (beginning or (first.pts is not None and first.pts <= pts)):
            return chain([first], frames)
        if beginning:
            return frames
        back *= 2


def _rewind(container: InputContainer) -> None:
    try:
        # Far before everything: asked for its start time, MPEG-TS goes to the second keyframe.
        container.seek(-BEFORE_EVERYTHING_US)
    except av.FFmpegError:
        # AVI refuses what is not in its index.
        container.seek(int(container.start_time or 0))


def _frames(
    container: InputContainer, stream: VideoStream, met: Walk, *, resuming: bool = False
) -> Iterator[av.VideoFrame]:
    """Decoded frames from where the container is; `resuming` waits for a keyframe first."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            met.errors += 1
            packet = None
        if packet is None:
            return
        if resuming and packet.size and not packet.is_keyframe:
            continue
        try:
            frames = packet.decode()
        except av.FFmpegError:
            met.errors += 1
            resuming = True
            stream.codec_context.flush_buffers()
            continue
        resuming = False
        yield from frames
