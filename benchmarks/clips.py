"""The clips that are measured on, made once into a folder."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from frame_pipeline.media.demo_video import write_demo_video


def full_hd(folder: Path, seconds: float = 60.0) -> Path:
    """1080p30 H.264 with B-frames, a keyframe every 2 s and sensor noise: 18 Mbit/s, as a phone records."""
    path = folder / f"full_hd_{seconds:.0f}s.mp4"
    if not path.exists():
        write_demo_video(path, seconds=seconds, fps=30, size=(1920, 1080), keyframe_s=2.0, b_frames=2, texture=1.0)
    return path


def small(folder: Path, seconds: float) -> Path:
    """640 x 360 at 24 fps."""
    path = folder / f"small_{seconds:.0f}s.mp4"
    if not path.exists():
        write_demo_video(path, seconds=seconds, fps=24, size=(640, 360), texture=0.5)
    return path


def repeated(source: Path, times: int, path: Path) -> Path:
    """`source` after itself `times` times, without decoding: the same content, longer."""
    if path.exists():
        return path
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = given.streams.video[0]
        copy = made.add_stream_from_template(stream)
        packets = [packet for packet in given.demux(stream) if packet.size]
        length = int(Fraction(stream.duration or 0))
        for round_ in range(times):
            for packet in packets:
                clone = av.Packet(bytes(packet))
                clone.pts, clone.dts = packet.pts + round_ * length, packet.dts + round_ * length
                clone.duration, clone.time_base = packet.duration, packet.time_base
                clone.is_keyframe, clone.stream = packet.is_keyframe, copy
                made.mux(clone)
    return path


def many(source: Path, count: int, folder: Path) -> Path:
    """A folder of `count` videos with the same pictures and different bytes."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        path = folder / f"clip_{number:03d}.mp4"
        if path.exists():
            continue
        with av.open(str(source)) as given, av.open(str(path), "w") as made:
            made.metadata["title"] = f"clip {number}"
            copy = made.add_stream_from_template(given.streams.video[0])
            for packet in given.demux(given.streams.video[0]):
                if packet.size:
                    packet.stream = copy
                    made.mux(packet)
    return folder
