"""From a decoded frame to the picture that people see: deinterlaced, tone-mapped, in shape and upright.

`render` is a pure function of one decoded frame. That is why deinterlacing uses a spatial filter (estdif): the picture
of a frame is the same whether the decoder walked there from the start or jumped to the keyframe before it, so the
exported picture is the measured one.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, cast

import av
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

from frame_pipeline.media.tonemap import HDR_TRANSFERS, to_sdr

Image = NDArray[np.uint8]
"""uint8 RGB [H, W, 3]"""


@dataclass(frozen=True)
class Orientation:
    """How a coded picture is turned to be upright: axes swapped first, then mirrored along x and y."""

    swap: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def mirrored(self) -> bool:
        """Whether a reflection is part of it, so that no rotation alone can do it."""
        return self.swap ^ self.flip_x ^ self.flip_y

    @property
    def rotation(self) -> int:
        """Degrees counter-clockwise, after the mirror image along x was taken when `mirrored`."""
        if self.swap:
            return 90 if self.flip_y else 270
        return 180 if self.flip_y else 0

    def apply(self, picture: NDArray[Any]) -> NDArray[Any]:
        """Turn [H, W, ...]; the result is contiguous."""
        if self.swap:
            picture = picture.swapaxes(0, 1)
        if self.flip_x:
            picture = picture[:, ::-1]
        if self.flip_y:
            picture = picture[::-1]
        return np.ascontiguousarray(picture)


UPRIGHT = Orientation()


def orientation(frame: av.VideoFrame) -> Orientation:
    """The frame's display matrix as an orientation; upright when there is none or when it is no quarter turn."""
    data = cast("SideData | None", frame.side_data.get("DISPLAYMATRIX"))
    if data is None:
        return UPRIGHT
    # Row-major 3x3; a source point (x, y) is shown at (a x + c y, b x + d y).
    a, b, _, c, d = np.frombuffer(bytes(data), dtype=np.int32)[:5].tolist()
    if abs(a) > abs(b):
        return Orientation(False, a < 0, d < 0)
    return Orientation(True, c < 0, b < 0)


@dataclass(frozen=True)
class Shape:
    """The geometry of a stream: coded size, pixel shape and orientation."""

    coded_width: int
    coded_height: int
    sample_aspect_ratio: Fraction
    turned: Orientation

    @classmethod
    def of(cls, frame: av.VideoFrame, stream_ratio: Fraction | None) -> Shape:
        """The shape in which `frame` is shown. A missing or zero pixel ratio means square pixels."""
        return cls(frame.width, frame.height, Fraction(stream_ratio or 1) or Fraction(1), orientation(frame))

    @cached_property
    def upright_before_turn(self) -> tuple[int, int]:
        """(width, height) with square pixels: the height is kept and the width stretched."""
        return max(1, round(self.coded_width * self.sample_aspect_ratio)), self.coded_height

    @cached_property
    def shown(self) -> tuple[int, int]:
        """(width, height) as people see it."""
        width, height = self.upright_before_turn
        return (height, width) if self.turned.swap else (width, height)

    def reduced(self, long_side: int) -> tuple[int, int]:
        """(width, height) before turning, with the longer side at most `long_side` pixels; 0 keeps the size."""
        width, height = self.upright_before_turn
        longest = max(width, height)
        if not long_side or longest <= long_side:
            return width, height
        return max(1, round(width * long_side / longest)), max(1, round(height * long_side / longest))


@dataclass(frozen=True)
class Rendered:
    """A picture and what was done to get it."""

    image: Image
    tonemapped: bool
    deinterlaced: bool


class Renderer:
    """Renders frames of one stream. Not thread-safe: the scaler keeps its tables between frames."""

    def __init__(self, long_side: int) -> None:
        """long_side: longer side of the pictures in pixels, never enlarged; 0 keeps the source size."""
        self._long_side = long_side
        self._scaler = VideoReformatter()

    def render(self, frame: av.VideoFrame, shape: Shape) -> Rendered:
        """The picture of `frame`."""
        interlaced = bool(frame.interlaced_frame)
        hdr = frame.color_trc in HDR_TRANSFERS
        if interlaced:
            frame = deinterlaced(frame)
        pixels = self._scaled(frame, shape.reduced(self._long_side), "rgb48le" if hdr else "rgb24")
        image = to_sdr(pixels, frame.color_trc, frame.color_primaries) if hdr else pixels
        return Rendered(shape.turned.apply(image), hdr, interlaced)

    def gray(self, frame: av.VideoFrame, shape: Shape) -> NDArray[np.uint8]:
        """The luma of `frame` at proxy size, uint8 [H, W] as coded (not turned): enough to rank by sharpness."""
        return self._scaled(frame, shape.reduced(self._long_side), "gray")

    def _scaled(self, frame: av.VideoFrame, size: tuple[int, int], pixel_format: str) -> NDArray[Any]:
        # Area averages when reducing; at full size bilinear, which only decides how chroma is enlarged.
        how = Interpolation.BILINEAR if size == (frame.width, frame.height) else Interpolation.AREA
        return self._scaler.reformat(frame, *size, pixel_format, interpolation=how).to_ndarray()


def deinterlaced(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame with its two fields made one picture, from this frame alone."""
    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 1000)
    )
    source.link_to(deinterlacer := graph.add("estdif", "mode=frame:deint=all"))
    deinterlacer.link_to(graph.add("buffersink"))
    graph.configure()
    graph.push(frame)
    graph.push(None)
    result = graph.pull()
    assert isinstance(result, av.VideoFrame)
    return result
