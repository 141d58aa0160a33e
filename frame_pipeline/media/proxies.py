"""Proxy pictures: rendered, compressed and written by a few threads while decoding goes on.

Memory: at most IN_FLIGHT decoded frames wait for a thread.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from frame_pipeline.config import FramesOptions
from frame_pipeline.media.decode import Shown
from frame_pipeline.media.picture import Image, Renderer, Shape

WRITERS = min(4, os.cpu_count() or 1)
IN_FLIGHT = 2 * WRITERS


@dataclass(frozen=True, slots=True)
class Proxy:
    """A frame's picture and what its row needs. `data` is the compressed file."""

    index: int
    pts: int
    keyframe: bool
    data: bytes
    width: int
    height: int
    source_width: int
    source_height: int
    tonemapped: bool
    deinterlaced: bool


def encode(image: Image, file_format: str, quality: int) -> bytes:
    """RGB [H, W, 3] as the bytes of a jpg or png file; quality 1..100 is for jpg."""
    parameters = [cv2.IMWRITE_JPEG_QUALITY, quality] if file_format == "jpg" else []
    written, data = cv2.imencode(f".{file_format}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), parameters)
    if not written:
        raise ValueError(f"OpenCV cannot write a {image.shape[1]} x {image.shape[0]} picture as {file_format}")
    return bytes(data)


def read_image(path: Path) -> NDArray[np.uint8] | None:
    """The file as uint8 BGR [H, W, 3], or None when it is no readable picture.

    Not cv2.imread, which fails on non-ASCII names on Windows. Raises OSError.
    """
    data = np.fromfile(path, dtype=np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None  # type: ignore[return-value]


class ProxyMaker:
    """Makes proxies of one stream. `make` may be called from several threads."""

    def __init__(self, options: FramesOptions, stream_ratio: Fraction | None) -> None:
        self._options = options
        self._ratio = stream_ratio
        self._mine = threading.local()

    def make(self, frame: Shown) -> Proxy:
        """The proxy of a frame, in memory."""
        shape = self.shape(frame)
        rendered = self.renderer.render(frame.picture, shape)
        height, width = rendered.image.shape[:2]
        data = encode(rendered.image, self._options.format, self._options.quality)
        return Proxy(
            frame.index, frame.pts, frame.keyframe, data, width, height, *shape.shown,
            rendered.tonemapped, rendered.deinterlaced,
        )  # fmt: skip

    def shape(self, frame: Shown) -> Shape:
        """The frame's geometry."""
        return Shape.of(frame.picture, self._ratio)

    @property
    def renderer(self) -> Renderer:
        """This thread's renderer."""
        if not hasattr(self._mine, "renderer"):
            self._mine.renderer = Renderer(self._options.long_side)
        renderer: Renderer = self._mine.renderer
        return renderer


class ProxyWriter:
    """Writes proxies as `<pts>.<format>` in the background and hands them back in order.

    The folder belongs to one result that nobody sees before it is committed, so files are written in place.
    """

    def __init__(self, maker: ProxyMaker, folder: Path, file_format: str) -> None:
        self._maker, self._folder, self._format = maker, folder, file_format
        self._pool = ThreadPoolExecutor(WRITERS, thread_name_prefix="proxy")
        self._pending: deque[Future[Proxy]] = deque()

    def __enter__(self) -> ProxyWriter:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def submit(self, frame: Shown) -> Iterator[Proxy]:
        """Queue a frame. Yields proxies that are finished; waits when too many are under way."""
        self._pending.append(self._pool.submit(self._write_frame, frame))
        while len(self._pending) > IN_FLIGHT or (self._pending and self._pending[0].done()):
            yield self._pending.popleft().result()

    def drain(self) -> Iterator[Proxy]:
        """The proxies that are still under way."""
        while self._pending:
            yield self._pending.popleft().result()

    def write(self, proxy: Proxy) -> Proxy:
        """Write one that was made before."""
        (self._folder / self.name(proxy.pts)).write_bytes(proxy.data)
        return proxy

    def name(self, pts: int) -> str:
        """The file name of a frame's proxy."""
        return f"{pts}.{self._format}"

    def _write_frame(self, frame: Shown) -> Proxy:
        return self.write(self._maker.make(frame))
