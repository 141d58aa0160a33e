"""Small clips with the truth beside them: what was drawn and written, never what a decoder said about it.

A recipe called with a folder writes its clip there. Every picture carries its number along the top edge, so
that `number` tells which one an exported image is, and that it is the right way up. Three shots, with hard cuts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import inf, log10
from pathlib import Path
from typing import TypeAlias, cast

import av
import cv2
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.stream import VideoStream
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]  # RGB [H, W, 3]

KEYINT = 24
X264 = f"keyint={KEYINT}:min-keyint={KEYINT}:scenecut=0"
X265 = f"{X264}:log-level=none"
TINTS = ((20, 40, 110), (150, 140, 100), (60, 10, 10))  # one a shot, of other brightness too


@dataclass(frozen=True)
class Clip:
    """A written clip. `pts`, in `time_base`, and `numbers` hold one entry a shown frame, in display order."""

    name: str
    path: Path
    pts: tuple[int, ...]
    time_base: Fraction
    keyframes: tuple[int, ...]  # their pts
    cuts: tuple[int, ...]  # index into pts of the first frame of each later shot
    width: int  # as shown: after the sample aspect ratio and the display matrix
    height: int
    numbers: tuple[int, ...]  # what `number` reads; empty where the pictures carry none

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Recipe:
    """How a clip is made; called with a folder, it writes the clip there."""

    name: str
    rate: Fraction = Fraction(25)
    suffix: str = "mp4"
    codec: str = "libx264"
    options: str = f"x264-params={X264}:bframes=0"  # key=value, separated by spaces
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = (320, 180)  # (width, height) as shown
    frames: int = 80
    hidden: int = 0  # frames written before the shown ones
    start: int = 0  # pts of the first shown frame
    steps_ms: tuple[int, int] | None = None  # at random between these, on a 90 kHz clock; None: even
    time_base: Fraction | None = None  # of what is written; None: as the mov muxer chooses
    file_time_base: Fraction | None = None  # where the container rounds the written times to its own
    shift: int = 0  # ticks by which the demuxer is late
    draw: Callable[[float, int, int, int], Image] | None = None  # (number, shot, width, height); None: `_drawn`
    stored: Callable[[Image], Image] = np.ascontiguousarray  # shown picture -> the one in the file
    prepare: Callable[[VideoStream], object] = lambda stream: None

    def __str__(self) -> str:
        return self.name

    def __call__(self, folder: Path) -> Clip:
        path, draw, (width, height) = folder / f"{self.name}.{self.suffix}", self.draw or _drawn, self.size
        written, time_base = self._times()
        cuts = tuple(sorted({int(self.frames * share) for share in (0.37, 0.71)} - {0}))
        container_options = {"movflags": "+faststart"} if self.suffix == "mp4" else {}
        with av.open(str(path), "w", options=container_options) as container:
            options = dict(option.split("=", 1) for option in self.options.split())
            stream = cast(VideoStream, container.add_stream(self.codec, rate=self.rate, options=options))
            stream.height, stream.width = self.stored(np.zeros((height, width, 3), np.uint8)).shape[:2]
            stream.pix_fmt, stream.time_base, stream.codec_context.time_base = self.pix_fmt, time_base, time_base
            self.prepare(stream)
            for number, pts in enumerate(written):
                shot = sum(number - self.hidden >= cut for cut in cuts)
                image = np.ascontiguousarray(self.stored(draw(number, shot, width, height)))
                frame = av.VideoFrame.from_ndarray(image).reformat(
                    format=self.pix_fmt, dst_colorspace=stream.codec_context.colorspace
                )
                frame.pts, frame.time_base = pts, time_base
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        ticks = time_base / (self.file_time_base or time_base)
        shown = tuple(int(pts * ticks + Fraction(1, 2)) + self.shift for pts in written[self.hidden :])
        numbers = range(self.hidden, self.hidden + self.frames)
        keyframes = tuple(pts for pts, number in zip(shown, numbers, strict=True) if number % KEYINT == 0)
        return Clip(
            self.name, path, shown, self.file_time_base or time_base, keyframes, cuts,
            width, height, tuple(numbers) if draw in (_drawn, _woven) and height >= 16 else (),
        )  # fmt: skip

    def _times(self) -> tuple[list[int], Fraction]:
        if self.steps_ms:
            low, high = self.steps_ms
            steps = np.random.default_rng(1).integers(90 * low, 90 * high + 1, self.frames - 1)
            return [0, *np.cumsum(steps).tolist()], Fraction(1, 90_000)
        ticks = self.rate.numerator
        while ticks < 10_000:
            ticks *= 2
        time_base = self.time_base or Fraction(1, ticks)
        times = (number / self.rate / time_base for number in range(-self.hidden, self.frames))
        return [self.start + int(time) for time in times], time_base


def _drawn(number: float, shot: int, width: int, height: int) -> Image:
    image = _texture(shot, width, height).copy()
    for row, speed in enumerate((7, -11, 5)):
        x, y = int(number * speed * width / 320) % width, height * (2 * row + 3) // 9
        cv2.circle(image, (x, y), max(1, height // 9), (250, 240, 90 * row), cv2.FILLED, cv2.LINE_AA)
    # Gray code: one block differs between neighbours, enough to tell them apart and too little to look like a cut.
    bits = np.unpackbits(np.array([int(number) ^ int(number) >> 1], np.uint8))[np.arange(width) * 8 // width]
    image[: max(1, height // 8)] = 255 * bits[:, None]
    return image


def _woven(number: float, shot: int, width: int, height: int) -> Image:
    """Two fields: the bottom one half a frame later."""
    image = _drawn(number, shot, width, height)
    image[1::2] = _drawn(number + 0.5, shot, width, height)[1::2]
    return image


def _flat(number: float, shot: int, width: int, height: int) -> Image:
    return np.full((height, width, 3), (0, 255, 128)[shot], np.uint8)


@lru_cache(maxsize=32)
def _texture(shot: int, width: int, height: int) -> Image:
    coarse = np.random.default_rng(shot).integers(0, 90, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    smooth = cast(Image, cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
    return smooth + np.array(TINTS[shot], np.uint8)


def _turned(degrees: int, *, mirrored: bool = False) -> Callable[[VideoStream], object]:
    """The player turns by `degrees` counter-clockwise, then mirrors left and right."""
    return lambda stream: stream.set_display_rotation(degrees, hflip=mirrored)


def _wide_pixels(stream: VideoStream) -> None:
    stream.codec_context.sample_aspect_ratio = Fraction(4, 3)


def _pq(stream: VideoStream) -> None:
    context = stream.codec_context
    context.color_primaries, context.color_trc, context.colorspace, context.color_range = 9, 16, 9, 1


B_FRAMES = f"x264-params={X264}:bframes=3:b-adapt=0:b-pyramid=normal"
MS = Fraction(1, 1000)

film_23_976 = Recipe("film_23_976", rate=Fraction(24_000, 1001))
ntsc_29_97 = Recipe("ntsc_29_97", rate=Fraction(30_000, 1001), frames=96)
ntsc_59_94 = Recipe("ntsc_59_94", rate=Fraction(60_000, 1001), frames=192)
phone_vfr = Recipe("phone_vfr", rate=Fraction(30), steps_ms=(20, 90), frames=64)
b_frames = Recipe("b_frames", options=B_FRAMES)
open_gop = Recipe("open_gop", options=B_FRAMES + ":open-gop=1")
# Of the 30 hidden frames, 24 lie before the last keyframe: the demuxer drops those and marks the other 6 as discard.
edit_list = Recipe("edit_list", options=B_FRAMES, hidden=30)
non_zero_start = Recipe("non_zero_start", options=B_FRAMES, start=187 * 512)
transport_stream = Recipe(
    "transport_stream", suffix="ts", options=B_FRAMES, start=187 * 512, file_time_base=Fraction(1, 90_000)
)
rotated_90 = Recipe("rotated_90", size=(180, 320), prepare=_turned(-90), stored=np.rot90)
rotated_180 = Recipe("rotated_180", prepare=_turned(180), stored=lambda image: image[::-1, ::-1])
rotated_270 = Recipe("rotated_270", size=(180, 320), prepare=_turned(90), stored=lambda image: np.rot90(image, -1))
mirrored = Recipe("mirrored", prepare=_turned(0, mirrored=True), stored=lambda image: image[:, ::-1])
turned_mirrored = Recipe(
    "turned_mirrored", size=(180, 320), prepare=_turned(90, mirrored=True), stored=lambda i: np.rot90(i[:, ::-1], -1)
)
sar_4_3 = Recipe("sar_4_3", prepare=_wide_pixels, stored=lambda image: cast(Image, cv2.resize(image, (240, 180))))
interlaced = Recipe("interlaced", options=f"flags=+ildct+ilme {B_FRAMES}:tff=1", draw=_woven)
ten_bit = Recipe("ten_bit", pix_fmt="yuv420p10le", options=B_FRAMES)
hdr_pq = Recipe(
    "hdr_pq", codec="libx265", pix_fmt="yuv420p10le", prepare=_pq,
    options=f"preset=ultrafast x265-params={X265}:bframes=2",
)  # fmt: skip
odd_size = Recipe("odd_size", size=(321, 241), pix_fmt="yuv444p", options=B_FRAMES)
vp9_webm = Recipe(
    "vp9_webm", suffix="webm", codec="libvpx-vp9", rate=Fraction(30), frames=96, file_time_base=MS,
    options=f"g={KEYINT} keyint_min={KEYINT} deadline=realtime cpu-used=8",
)  # fmt: skip
mkv_ms = Recipe("mkv_ms", suffix="mkv", rate=Fraction(30_000, 1001), frames=96, options=B_FRAMES, file_time_base=MS)
# AVI stores no presentation times. FFmpeg derives them from the order of the packets, the delay of a B-frame included.
avi_mpeg4_b = Recipe(
    "avi_mpeg4_b", suffix="avi", codec="mpeg4", time_base=Fraction(1, 25), shift=1,
    options=f"bf=2 b_strategy=0 g={KEYINT} sc_threshold=1000000000 qmin=2 qmax=4",
)  # fmt: skip
# H.264 without colour decodes as yuv420p, HEVC as gray.
gray = Recipe("gray", codec="libx265", pix_fmt="gray", options=f"preset=ultrafast x265-params={X265}:bframes=0")
flat = Recipe("flat", draw=_flat)
single_frame = Recipe("single_frame", frames=1)
tiny = Recipe("tiny", size=(16, 16), options=f"crf=10 {B_FRAMES}")
two_pixels = Recipe("two_pixels", size=(2, 2), options=f"crf=10 {B_FRAMES}")

ALL = (
    film_23_976, ntsc_29_97, ntsc_59_94, phone_vfr, b_frames, open_gop, edit_list, non_zero_start, transport_stream,
    rotated_90, rotated_180, rotated_270, mirrored, turned_mirrored, sar_4_3, interlaced, ten_bit, hdr_pq, odd_size,
    vp9_webm, mkv_ms, avi_mpeg4_b, gray, flat, single_frame, tiny, two_pixels,
)  # fmt: skip

# No times in the file: pts is the place in display order. FFmpeg gives None for each frame of the first, and shuffles
# those of the second, whose packets it numbers in decoding order.
raw_h264 = Recipe("raw_h264", suffix="h264", options=B_FRAMES, time_base=Fraction(1, 25))
avi_h264_b = Recipe("avi_h264_b", suffix="avi", options=B_FRAMES, time_base=Fraction(1, 25))
UNTIMED = (raw_h264, avi_h264_b)


def truncated(clip: Clip, folder: Path, keep: float = 0.4) -> Path:
    """The clip without the last part of its media; the header is whole."""
    whole = clip.path.read_bytes()
    end = _media_start(whole) + int(keep * (len(whole) - _media_start(whole)))
    return _written(folder / f"truncated_{clip.path.name}", whole[:end])


def corrupted(clip: Clip, folder: Path, share: float = 0.05) -> Path:
    """The clip with noise over `share` of its media, in the middle; as long as before."""
    whole = bytearray(clip.path.read_bytes())
    middle = (_media_start(whole) + len(whole)) // 2
    noise = np.random.default_rng(2).bytes(max(1, int(share * (len(whole) - _media_start(whole)))))
    whole[middle : middle + len(noise)] = noise
    return _written(folder / f"corrupted_{clip.path.name}", whole)


def _media_start(whole: bytes | bytearray) -> int:
    return whole.find(b"mdat") + 4 if b"mdat" in whole else 0


def _written(path: Path, content: bytes | bytearray) -> Path:
    path.write_bytes(content)
    return path


def walk(path: Path) -> list[tuple[int, bool]]:
    """(pts, is a keyframe) of every frame that a plain single-threaded decode shows, in that order."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        return [(cast(int, frame.pts), frame.key_frame) for frame in container.decode(stream)]


def picture(clip: Clip, pts: int) -> Image:
    """The frame at `pts` as shown, found by decoding the clip from its start. uint8 [height, width, 3]."""
    with av.open(str(clip.path)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        frame = next(frame for frame in container.decode(stream) if frame.pts == pts)
        image = cast(Image, frame.to_ndarray(format="rgb24"))
        if stream.sample_aspect_ratio:
            image = cast(Image, cv2.resize(image, (round(frame.width * stream.sample_aspect_ratio), frame.height)))
        matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return image
    # Column x of the stored picture goes to (a x + c y, b x + d y); frame.rotation takes a mirrored one for turned.
    a, b, _, c, d, *_ = np.frombuffer(bytes(cast(SideData, matrix)), np.int32).tolist()
    if a == d == 0:
        image, a, d = np.rot90(image[:, ::-1]), c, b  # transposed
    return np.ascontiguousarray(image[:: 1 if d > 0 else -1, :: 1 if a > 0 else -1])


def number(image: Image) -> int:
    """The number that is burned into the picture."""
    height, width = image.shape[:2]
    strip, block = image[: max(1, height // 8)].mean(axis=(0, 2)), np.arange(width) * 8 // width
    bits = [strip[block == bit].mean() > 127 for bit in range(8)]
    return sum((sum(bits[: bit + 1]) % 2) << (7 - bit) for bit in range(8))


def psnr(a: Image, b: Image) -> float:
    """In dB, infinite for equal pictures."""
    error = float(np.mean(np.square(a.astype(np.float64) - b)))
    return 10 * log10(255**2 / error) if error else inf
