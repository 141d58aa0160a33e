"""The stage `raw_video`: is this a video, and what kind. Refuses what cannot be decoded, with the reason.

Reads every packet once and decodes the first frames only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from itertools import islice
from typing import Any, ClassVar

import av
import numpy as np
from av.container import InputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from frame_pipeline.config import RawVideoOptions
from frame_pipeline.media.container import opened
from frame_pipeline.media.damage import Declared, nothing_decoded, verdict
from frame_pipeline.media.decode import Walk, walk
from frame_pipeline.media.packets import PacketIndex, read_packets
from frame_pipeline.media.picture import Shape
from frame_pipeline.media.tonemap import HDR_TRANSFERS
from frame_pipeline.progress import Progress
from frame_pipeline.stage import Inputs, Output, Video

EXAMINED_FRAMES = 5
ROUNDING_TICKS = 1
"""Steps of a constant rate differ from their mean by less: Matroska rounds to milliseconds."""


@dataclass(frozen=True)
class RawVideo:
    """What a file is: streams, times, shape, colour, and whether all of it is there."""

    name: ClassVar[str] = "raw_video"
    code_version: ClassVar[str] = "1"
    table: ClassVar[str] = "videos"
    after: ClassVar[tuple[str, ...]] = ()

    options: RawVideoOptions

    def reads(self) -> tuple[str, ...]:
        """Nothing but the file."""
        return ()

    def models(self) -> Mapping[str, str]:
        """None."""
        return {}

    def compute(self, video: Video, _inputs: Inputs, output: Output, progress: Progress) -> None:
        """Fill the video's row in `videos`. Raises UnreadableVideo."""
        progress.start(f"{video.video_id} raw_video", None, "packet")
        index = read_packets(video.path)
        met = Walk()
        frames = [shown.picture for shown in islice(walk(video.path, index, met), EXAMINED_FRAMES)]
        if not frames:
            raise nothing_decoded(video.path, index.packets, met)
        with opened(video.path) as (container, stream):
            values = _stream_facts(container, stream, frames) | _timing(stream, index, frames[0])
            declared = Declared.by(container, stream)
        found = verdict(video.path, declared, index, values["duration_s"], None)
        output.columns["videos"] = {
            **values,
            "declared_frames": declared.frames,
            "declared_duration_s": declared.seconds,
            "probed_at": datetime.now(UTC).replace(tzinfo=None),
            "status": found.damage if found else "ok",
            "error": found.sentence if found else None,
        }
        if found:
            output.warnings.append(found.sentence)
        output.facts.update(packets=index.packets, declared=declared.frames)


def _stream_facts(container: InputContainer, stream: VideoStream, frames: list[av.VideoFrame]) -> dict[str, Any]:
    codec, frame = stream.codec_context, frames[0]
    shape = Shape.of(frame, stream.sample_aspect_ratio)
    return {
        "container": container.format.name,
        "codec": codec.codec.canonical_name,
        "profile": codec.profile,
        "pix_fmt": frame.format.name,
        "bits": max(component.bits for component in frame.format.components),
        "coded_width": frame.width,
        "coded_height": frame.height,
        "width": shape.shown[0],
        "height": shape.shown[1],
        "rotation": shape.turned.rotation,
        "mirrored": shape.turned.mirrored,
        "sample_aspect_ratio": str(shape.sample_aspect_ratio),
        "color_transfer": _name(ColorTrc, frame.color_trc),
        "color_primaries": _name(ColorPrimaries, frame.color_primaries),
        "color_space": _name(Colorspace, frame.colorspace),
        "color_range": _name(ColorRange, frame.color_range),
        "hdr": frame.color_trc in HDR_TRANSFERS,
        "interlaced": any(frame.interlaced_frame for frame in frames),
        "bit_rate": stream.bit_rate or container.bit_rate or None,
        "video_streams": len(container.streams.video),
        "audio_streams": len(container.streams.audio),
        "title": container.metadata.get("title"),
    }


def _timing(stream: VideoStream, index: PacketIndex, first: av.VideoFrame) -> dict[str, Any]:
    time_base = Fraction(stream.time_base or Fraction(1, 1000))
    steps = np.diff(index.pts)
    rate = stream.average_rate or stream.guessed_rate
    if len(steps):
        seconds = float((int(index.pts[-1]) - int(index.pts[0]) + float(np.median(steps))) * time_base)
    else:
        seconds = float(1 / rate) if rate else 0.0
    return {
        "average_rate": str(rate) if rate else None,
        "fps": float(rate) if rate else None,
        "variable_rate": _is_variable(steps),
        "time_base": str(time_base),
        "start_pts": int(index.pts[0]) if len(index.pts) else first.pts,
        "duration_s": seconds,
        "packets": index.packets,
        "shown_frames": index.packets - index.hidden,
        "keyframes": int(index.keyframe.sum()),
    }


def _is_variable(steps: np.ndarray[Any, np.dtype[np.int64]]) -> bool:
    if len(steps) < 2:
        return False
    return bool(np.abs(steps - steps.mean()).max() > ROUNDING_TICKS)


def _name(kind: Any, value: int) -> str:
    try:
        return str(kind(value).name).lower()
    except ValueError:
        return str(int(value))
