"""Decoding: one walk through a stream, or only the frames that are wanted.

Memory: FFmpeg's own frame threads hold a few frames, `prefetched` at most `depth` more.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import av
from av.video.stream import VideoStream

from frame_pipeline.media.container import opened
from frame_pipeline.media.packets import PacketIndex

T = TypeVar("T")


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
    errors: int = 0
    out_of_order: int = 0


def walk(
    path: Path, index: PacketIndex, met: Walk, *, start_pts: int | None = None, end_pts: int | None = None
) -> Iterator[Shown]:
    """The frames of a stream in order of presentation with start_pts <= pts < end_pts.

    After a damaged packet decoding resumes at the next keyframe, because what lies between would show the damage.
    Frames without a timestamp, or with one that does not advance, have no identity and are counted, not shown.
    """
    with opened(path) as (container, stream):
        first = index.keyframe_before(start_pts) if start_pts is not None else None
        if first is not None:
            container.seek(first, stream=stream)
        last: int | None = None
        place = 0
        for frame in _frames(container.demux(stream), stream, met):
            if frame.pts is None or (last is not None and frame.pts <= last):
                met.out_of_order += 1
                continue
            if last is None and first is not None:
                place = index.position(frame.pts)
            last = frame.pts
            if end_pts is not None and frame.pts >= end_pts:
                return
            met.decoded += 1
            if start_pts is None or frame.pts >= start_pts:
                yield Shown(place, frame.pts, bool(frame.key_frame), frame)
            place += 1


def keyframes(
    path: Path, index: PacketIndex, met: Walk, *, start_pts: int | None = None, end_pts: int | None = None
) -> Iterator[Shown]:
    """The keyframes of a stream with start_pts <= pts < end_pts; no other packet is decoded."""
    with opened(path) as (container, stream):
        # One picture at a time: threads that work on several would hold each back until the next one is in.
        stream.thread_type = "SLICE"
        first = index.keyframe_before(start_pts) if start_pts is not None else None
        if first is not None:
            container.seek(first, stream=stream)
        for packet in container.demux(stream):
            if not packet.size or not packet.is_keyframe or packet.is_discard:
                continue
            if end_pts is not None and packet.pts is not None and packet.pts >= end_pts:
                return
            for frame in _alone(packet, stream, met):
                met.decoded += 1
                if frame.pts is not None and (start_pts is None or frame.pts >= start_pts):
                    place = index.position(frame.pts) if len(index.pts) else met.decoded - 1
                    yield Shown(place, frame.pts, True, frame)


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
                if keyframe is None:
                    container.seek(int(container.start_time or 0), backward=True)
                else:
                    container.seek(keyframe, stream=stream)
                frames = _frames(container.demux(stream), stream, Walk())
            frame = next((frame for frame in frames if frame.pts is not None and frame.pts >= pts), None)
            if frame is None or frame.pts != pts:
                # The container's seek did not land before the frame (some have no index): walk there instead.
                found = next((shown for shown in walk(path, index, Walk()) if shown.pts >= pts), None)
                reached = None
                if found is not None and found.pts == pts:
                    yield found
                continue
            reached = pts
            yield Shown(index.position(pts), pts, bool(frame.key_frame), frame)


def prefetched(items: Iterable[T], depth: int) -> Iterator[T]:
    """The same items, made by a thread of their own at most `depth` ahead. Closing the iterator stops the thread."""
    ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(entry: tuple[T | None, BaseException | None]) -> None:
        while not stopped.is_set():
            try:
                return ready.put(entry, timeout=0.2)
            except queue.Full:
                continue

    def produce() -> None:
        try:
            for item in items:
                put((item, None))
                if stopped.is_set():
                    return
            put((None, StopIteration()))
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is raised again in the consumer
            put((None, error))

    thread = threading.Thread(target=produce, name="decode", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()


def _alone(packet: av.Packet, stream: VideoStream, met: Walk) -> list[av.VideoFrame]:
    """What one packet gives without those after it: the decoder is emptied and made new."""
    try:
        frames = [*packet.decode(), *stream.codec_context.decode(None)]
    except av.FFmpegError:
        met.errors += 1
        frames = []
    stream.codec_context.flush_buffers()
    return frames  # type: ignore[return-value]


def _frames(packets: Iterator[av.Packet], stream: VideoStream, met: Walk) -> Iterator[av.VideoFrame]:
    resuming = False
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
        yield from frames  # type: ignore[misc]
