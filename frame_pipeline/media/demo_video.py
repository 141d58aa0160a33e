"""A generated clip to try the pipeline on: moving scenes with hard cuts, drawn with OpenCV.

Where the cuts lie is known (`cut_frames`); one shot goes in and out of focus and one is underexposed, so that the
scores have something to tell apart. What does not move is painted once a shot, wider than the frame, and sliced.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from math import cos, sin, tau
from pathlib import Path
from typing import NamedTuple, TypeAlias, cast

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]  # RGB [H, W, 3]
Floats: TypeAlias = NDArray[np.floating]
Points: TypeAlias = NDArray[np.complex128]  # x + iy in pixels, so that a turn is a product [N]
Colour: TypeAlias = Sequence[float]  # red, green, blue
Rng: TypeAlias = np.random.Generator
Times: TypeAlias = Iterable[tuple[float, float]]  # of each frame of a shot: seconds since the cut, the same as 0..1
Scene: TypeAlias = Callable[[int, int, Rng, Times], Iterator[Image]]  # (width, height, ...)

SEED = 20
SHOT_SECONDS = (5.5, 4.0, 8.0, 5.0, 7.0, 3.0, 9.0, 5.0, 6.5, 7.0)  # of the 60 s clip, in the order of SCENES
GRAIN_SPAN_PX, GRAIN_GAIN = 256, 0.125
SUBPIXEL_BITS = 4  # OpenCV draws at 1/16 pixel: slow motion does not jerk


class Look(NamedTuple):
    """Tones of a scene as RRGGBB."""

    back: str  # from top to bottom
    front: str  # hills from far to near, or leaves
    coat: str
    glow: str = "fff8dc"
    light: float = 1.0  # on the walker


def cut_frames(seconds: float, fps: int) -> tuple[int, ...]:
    """Index of the first frame of every shot but the first: ten shots in 20 s to 60 s, two or more from 2 s."""
    shots = max(2 if seconds >= 2 else 1, min(len(SHOT_SECONDS), round(seconds / 2)), round(seconds / 6))
    edges = np.cumsum([SHOT_SECONDS[number % len(SHOT_SECONDS)] for number in range(shots)])
    return tuple(int(edge) for edge in np.round(edges[:-1] / edges[-1] * max(1, round(seconds * fps))))


def write_demo_video(
    path: Path,
    *,
    seconds: float = 60.0,
    fps: int = 24,
    size: tuple[int, int] = (1280, 720),
    keyframe_s: float = 2.0,
    b_frames: int = 2,
    crf: int = 23,
    texture: float = 0.0,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Draw and encode the clip as H.264 in mp4; the same arguments draw the same pictures.

    size: (width, height), even. keyframe_s: exact distance of the keyframes. texture: 0..1, noise that is new in every
    frame like a sensor's; 1 brings 1080p to the bit rate of a phone. progress: called with (frames done, total).
    Returns `path`, which appears only when the clip is whole.
    """
    (width, height), total, keyint = size, max(1, round(seconds * fps)), max(1, round(keyframe_s * fps))
    noise = np.random.default_rng(SEED)
    # Slightly blurred, as a sensor's noise is by the reconstruction of its colours.
    grain = noise.integers(0, 256, (height + GRAIN_SPAN_PX, width + GRAIN_SPAN_PX), np.uint8)
    grain = cast(NDArray[np.uint8], cv2.GaussianBlur(grain, (0, 0), 0.6))
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with av.open(str(part), "w", format="mp4", options={"movflags": "+faststart"}) as container:
            x264 = f"keyint={keyint}:min-keyint={keyint}:scenecut=0:bframes={b_frames}"
            options = {"preset": "veryfast", "crf": str(crf), "x264-params": x264}
            stream = container.add_stream("libx264", rate=fps, options=options)
            stream.width, stream.height, stream.pix_fmt, stream.thread_count = width, height, "yuv420p", 0
            # OpenCV converts by BT.601 (6); untagged, players would assume BT.709 from 720 lines up.
            stream.color_range, stream.colorspace, stream.color_primaries, stream.color_trc = 1, 6, 6, 6
            for index, image in enumerate(_pictures(width, height, (0, *cut_frames(seconds, fps), total), fps)):
                yuv = cast(Image, cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420))
                if texture > 0:
                    x, y = noise.integers(0, GRAIN_SPAN_PX, 2).tolist()
                    moved, gain = grain[y : y + height, x : x + width], GRAIN_GAIN * texture
                    cv2.addWeighted(yuv[:height], 1.0, moved, gain, -127.5 * gain, dst=yuv[:height])
                frame = av.VideoFrame.from_ndarray(yuv, format="yuv420p")
                frame.pts = index
                container.mux(stream.encode(frame))
                if progress:
                    progress(index + 1, total)
            container.mux(stream.encode())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _pictures(width: int, height: int, edges: Sequence[int], fps: int) -> Iterator[Image]:
    for number, (start, end) in enumerate(pairwise(edges)):
        times = [(index / fps, index / (end - start)) for index in range(end - start)]
        yield from SCENES[number % len(SCENES)](width, height, np.random.default_rng((SEED, number)), times)


def _hills(width: int, height: int, rng: Rng, times: Times, look: Look) -> Iterator[Image]:
    s, tall, xs, sun = height / 720, int(height * 1.25), np.arange(0, width + 8, 8.0), _tones(look.glow)[0]
    y, x = np.mgrid[0:tall, 0:width]
    far = np.hypot(x - 0.62 * width, y - 0.5 * tall) / s
    back = _mix(_gradient(width, tall, look.back), sun, 0.6 * _noise(rng, width, tall, 2, 5, 11) ** 3)
    back = _mix(_mix(back, sun, 0.7 * np.exp(-far / 110)), sun, np.clip(58 - far, 0, 1))
    hills = list(zip(_tones(look.front), (0.58, 0.68, 0.79, 0.87), (0.05, 0.045, 0.04, 0.008), strict=True))
    for t, u in times:
        top = int((tall - height) * (1 - u))
        image = back[top : top + height].copy()
        for near, (tone, middle, rise) in enumerate(hills):
            at = (xs / s + 6 * t * 2.4**near) * (near + 2) / 200
            line = np.sin(at + near) + np.sin(2.3 * at) / 2 + np.sin(5.1 * at + near) / 4 + np.sin(11.7 * at) / 8
            _fill(image, _down_to(height, xs, height * (middle - rise * line)), tone)
        _walker(image, complex((0.14 * t - 0.05) * width, 0.93 * height), 1.7 * s, t, look.coat, light=look.light)
        yield image


def _ripples(width: int, height: int, rng: Rng, times: Times) -> Iterator[Image]:
    s, (y, x) = height / 720, np.mgrid[0:720:2, 0 : 720 * width // height : 2]
    drops = ((240, 180, 1.9), (980, 300, 1.5), (560, 760, 1.1), (1500, -200, 0.8))
    phases = [(np.hypot(x - cx, y - cy) * rate % 256).astype(np.uint8) for cx, cy, rate in drops]
    wave = (31.5 + 31.5 * np.sin(np.arange(256) * tau / 256)).astype(np.uint8)
    water = _palette("062c54 0a4e74 227c90 46b2b4 ecfff0").astype(np.uint8)
    outline = np.append(np.exp(1j * np.linspace(0.25, tau - 0.25, 28)), 0)
    pads = rng.random((9, 4)) * (0.9 * width, 0.8 * height, 44 * s, tau) + (0.05 * width, 0.1 * height, 40 * s, 0)
    for t, _ in times:
        level = sum((wave[phase - np.uint8(t * 90 % 256)] for phase in phases), np.zeros_like(phases[0]))
        image = cast(Image, cv2.resize(water[level], (width, height)))
        for px, py, radius, turn in pads:
            pad = outline * radius * np.exp(1j * (turn + 0.15 * sin(t + turn)))
            at = complex(px + 9 * s * sin(t + turn * 3), py + 7 * s * cos(1.3 * t + turn))
            for size, down, tone in zip((1.0, 1.0, 0.8), (6j * s, 0, 0), _tones("083848 348048 4a9c54"), strict=True):
                _fill(image, pad.real * size + 0.72j * pad.imag * size + at + down, tone)
        yield image


def _city(width: int, height: int, rng: Rng, times: Times) -> Iterator[Image]:
    s, tones, layers = height / 720, _tones("463870 2c2654 181832 ffd682 96bee6"), []
    sky = _gradient(width, height, "12163a 342e68 965280 f09678")
    for near, (pane, wide, low, high) in enumerate(((5, 1.06, 0.2, 0.5), (8, 1.2, 0.3, 0.65), (12, 1.6, 0.45, 0.8))):
        cell = max(4, round(2.2 * pane * s))
        rows, columns = height // cell + 1, int(wide * width) // cell + 1
        roofs = np.repeat(rng.uniform(low, high, columns) * rows, rng.integers(4, 9, columns))[:columns]
        lit = rng.choice(3, (rows, columns), p=(0.6, 0.32, 0.08)) * (np.arange(rows)[:, None] > roofs + 1)
        walls = np.kron(np.arange(rows)[:, None] > roofs, np.ones((cell, cell), np.uint8)).astype(np.uint8)
        panes = np.kron(lit, np.pad(np.ones((cell - cell // 2,) * 2, int), ((cell // 2, 0), (cell // 2, 0))))
        layers.append((np.array([tones[near], *tones[3:]], np.uint8)[panes][:height], walls[:height]))
    for t, u in times:
        image = sky.copy()
        for layer, mask in layers:
            x = int(u * (layer.shape[1] - width))
            cv2.copyTo(layer[:, x : x + width], mask[:, x : x + width], image)
        image[int(0.88 * height) :], image[int(0.88 * height) : int(0.89 * height)] = _tones("3e3852 7a6c88")
        _walker(image, complex((0.95 - 0.11 * t) * width, 0.96 * height), 2 * s, t, "d44854", facing=-1)
        yield image


def _wood(width: int, height: int, rng: Rng, times: Times, look: Look) -> Iterator[Image]:
    s, xs, angles = height / 720, np.arange(0, width + 8, 8.0), np.linspace(0, tau, 24)
    shine = np.clip(_noise(rng, width, height, 4, 9) * 1.8 - 0.8, 0, 0.8)
    back = _mix(_gradient(width, height, look.back), _tones(look.glow)[0], shine)
    ground = _tones(look.back)[-1]
    for x in np.cumsum(rng.uniform(70, 240, 9)) * s:
        _line(back, x, complex(x, 0.9 * height), _lit(ground, 1.2), 40 * s)
    back = cast(Image, cv2.GaussianBlur(back, (0, 0), 5 * s))
    _fill(back, _down_to(height, xs, height * (0.86 + 0.02 * np.sin(xs / width * 7))), ground)
    leaf, tones = (np.cos(angles) + 0.6j * np.sin(angles)) * (1 + 0.24 * np.cos(6 * angles)), _tones(look.front)
    leaves = rng.random((36, 4)) * (1, 1.1, tau, 1)
    for t, _ in times:
        image = back.copy()
        _walker(image, complex((0.15 * t - 0.05) * width, 0.93 * height), 2.5 * s, t, look.coat)
        for number, (px, py, turn, rate) in enumerate(leaves):
            x, y = px * width + 60 * s * sin(1.6 * t + turn), ((py + t * (0.12 + 0.12 * rate)) % 1.1 - 0.05) * height
            flat = leaf.real + 1j * leaf.imag * (0.35 + 0.65 * abs(cos(t * (1 + rate) + turn)))
            turned = flat * (12 + 20 * rate) * s * np.exp(1j * (turn + t * (rate - 0.5) * 4))
            _fill(image, turned + complex(x, y), tones[number % len(tones)])
        yield image


def _focus(width: int, height: int, rng: Rng, times: Times) -> Iterator[Image]:
    s, wide = height / 720, int(width * 1.2)
    back = _mix(_gradient(wide, height, "96c478 468448 225434"), (24, 66, 48), _noise(rng, wide, height, 9, 40) * 0.7)
    for x, y, lean, light in rng.random((150, 4)):
        foot = complex(x * wide, (0.5 + 0.8 * y) * height)
        _line(back, foot, foot + complex(60 * lean - 30, -240) * s, _lit((70, 140, 70), 0.6 + 0.6 * light), 4 * s)
    petals = _tones("fcfaf4 fabed2 f4d65c ce78be ec6054")
    for number, (x, y) in enumerate(rng.random((64, 2))):
        centre, radius = complex(x * wide, (0.1 + 0.9 * y) * height), (18 + 0.55 * number) * s
        for turn in range(number, number + 360, 30):
            at = centre + 0.62 * radius * np.exp(1j * np.radians(turn))
            for size, light in ((1.0, 0.8), (0.8, 1.0)):
                _ellipse(back, at, 0.46 * radius * size, 0.17 * radius * size, _lit(petals[number % 5], light), turn)
        _ellipse(back, centre, 0.28 * radius, 0.28 * radius, (214, 150, 40))
    levels = [back, *(cast(Image, cv2.GaussianBlur(back, (0, 0), sigma * s)) for sigma in (1.5, 3.5, 7, 12, 12))]
    for _, u in times:
        x, blur = int((wide - width) * u), 2 - 2 * cos(2 * u * tau)
        sharper, softer = (level[:, x : x + width] for level in levels[int(blur) : int(blur) + 2])
        yield cast(Image, cv2.addWeighted(sharper, 1 - blur % 1, softer, blur % 1, 0))


def _paint(width: int, height: int, rng: Rng, times: Times, tones: str) -> Iterator[Image]:
    wide, tall = int(width * 1.3), int(height * 1.2)
    y, x = np.mgrid[0:tall, 0:wide].astype(np.float32)
    y, x = (axis + (_noise(rng, wide, tall, 4, 9) - 0.5) * 0.9 * height for axis in (y, x))
    paint = cv2.remap(_noise(rng, wide, tall, 5, 11, 60), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    level = np.clip(0.5 + (paint - 0.5) * 1.5 + 0.04 * np.sin(paint * 90), 0, 1) * 255
    canvas = _palette(tones).astype(np.uint8)[level.astype(np.uint8)]
    for _, u in times:
        move = np.array([(1, 0, -(wide - width) * u), (0, 1, -(tall - height) * sin(u * tau / 4))])
        yield cast(Image, cv2.warpAffine(canvas, move, (width, height)))


SUNSET = Look("241a54 803870 ee7054 ffbe6e ffe2a0", "b05468 7a385c 4a2648 221630", "c45854", "fff0c4")
MORNING = Look("60a0ce a0cee2 e2ece2 faf0d6 faf0d6", "a0c4c8 70a4a0 427c70 2c5c48", "ecb23c", "fffff4")
NIGHT = Look("010207 040610 080a16 0a0c18 0a0c18", "06080e 04060b 030408 010204", "140e16", "282824", light=0.16)
AUTUMN = Look("fad68c f2b05c ce743a 703c26", "c83420 e8681c f6a824 a02824 d68a2c", "3c6282")
SPRING = Look("cee8f4 c4e2c8 96c482 5c7a54", "ffbed2 faa0be ffe0e8 fff4f8", "7854a0")
MARBLE, OPAL = "102a4c 186280 ecdebc e29254 b03c3e 3c1e42", "140e2c 3c2478 b03c96 ff785a ffd282 fff6dc"
SCENES: tuple[Scene, ...] = (
    partial(_hills, look=SUNSET), _ripples, _city, partial(_wood, look=SPRING), partial(_paint, tones=MARBLE),
    partial(_hills, look=MORNING), _focus, partial(_paint, tones=OPAL), partial(_wood, look=AUTUMN),
    partial(_hills, look=NIGHT),
)  # fmt: skip


def _walker(image: Image, foot: complex, unit: float, t: float, coat: str, facing: int = 1, light: float = 1) -> None:
    """A round-faced figure in mid-stride, 100 units high; facing 1 is right, -1 left."""
    stride, at = sin(7 * t), foot - 2j * unit * abs(cos(7 * t))
    dark, skin, hair = (_lit(tone, light) for tone in _tones("342e42 f4c8a4 5c3828"))
    body = _tones(coat)[0]
    for step in (stride, -stride):
        _line(image, at - 36j * unit, at + (17 * step - 4j * max(0.0, step)) * unit, dark, 9 * unit)
    _ellipse(image, at - 50j * unit, 15 * unit, 22 * unit, body)
    _line(image, at - 60j * unit, at + (18 * stride * facing - 40j) * unit, _lit(body, 0.75), 8 * unit)
    for x, y, across, down, tone in (
        (18 * stride, -40, 5, 5, skin), (0, -87, 18, 17.5, hair), (4, -82, 15.5, 14, skin),
        (-1, -84, 1.8, 2.6, dark), (10, -84, 1.8, 2.6, dark), (5, -76, 5, 3.6, hair), (5, -78, 6, 3.6, skin),
    ):  # fmt: skip
        _ellipse(image, at + complex(x * facing, y) * unit, across * unit, down * unit, tone)


def _tones(text: str) -> list[tuple[int, ...]]:
    return [tuple(bytes.fromhex(tone)) for tone in text.split()]


def _palette(tones: str, size: int = 256) -> Floats:
    stops = np.array(_tones(tones))
    at = np.linspace(0, len(stops) - 1, size)
    return np.column_stack([np.interp(at, np.arange(len(stops)), part) for part in stops.T])


def _gradient(width: int, height: int, tones: str) -> Image:
    """Top to bottom, dithered: 8 bits alone would show as bands."""
    noise = np.random.default_rng(SEED).random((height, width, 1), np.float32)
    return (_palette(tones, height)[:, None] + noise).clip(0, 255).astype(np.uint8)


def _noise(rng: Rng, width: int, height: int, *cells: int) -> NDArray[np.float32]:
    """Smooth, 0..1: one octave for each number of cells across the height, each half as strong as the one before."""
    total = np.zeros((height, width), np.float32)
    for octave, count in enumerate(cells):
        grid = rng.random((count, max(2, count * width // height)), np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) / np.float32(2**octave)
    return cast(NDArray[np.float32], (total - total.min()) / np.ptp(total))


def _lit(tone: Colour, light: float) -> Colour:
    return [part * light for part in tone]


def _mix(image: Image, tone: Colour, share: Floats) -> Image:
    return (image + (np.array(tone) - image) * share[..., None]).clip(0, 255).astype(np.uint8)


def _down_to(bottom: float, xs: Floats, ys: Floats) -> Points:
    return np.append(xs + 1j * ys, (xs[-1] + 1j * bottom, xs[0] + 1j * bottom))


def _fixed(points: Points) -> NDArray[np.int32]:
    return np.array(np.stack([points.real, points.imag], axis=-1) * 2**SUBPIXEL_BITS + 0.5, np.int32)


def _fill(image: Image, points: Points, tone: Colour) -> None:
    cv2.fillPoly(image, [_fixed(points)], tone, cv2.LINE_AA, SUBPIXEL_BITS)


def _line(image: Image, start: complex, end: complex, tone: Colour, thick: float) -> None:
    ends = _fixed(np.array([start, end])).tolist()
    cv2.line(image, ends[0], ends[1], tone, max(1, round(thick)), cv2.LINE_AA, SUBPIXEL_BITS)


def _ellipse(image: Image, at: complex, across: float, down: float, tone: Colour, angle: float = 0.0) -> None:
    centre, axes = _fixed(np.array([at, complex(across, down)])).tolist()
    cv2.ellipse(image, centre, axes, angle, 0, 360, tone, cv2.FILLED, cv2.LINE_AA, SUBPIXEL_BITS)
