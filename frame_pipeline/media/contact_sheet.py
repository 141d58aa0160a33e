"""A contact sheet: proxies side by side with their times, to see at a glance what a video holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from frame_pipeline.media.proxies import read_image

GAP_PX = 6
LABEL_PX = 20
BACKGROUND = (24, 24, 27)
TEXT = (228, 228, 231)


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet."""

    path: Path
    label: str


def contact_sheet(tiles: Sequence[Tile], *, columns: int = 6, tile_width: int = 200) -> NDArray[np.uint8]:
    """The tiles in rows on a dark ground, labels below each. Returns uint8 BGR [H, W, 3].

    Pictures that cannot be read are left out as dark tiles, so the sheet always has its shape.
    """
    pictures = [_fitted(tile.path, tile_width) for tile in tiles]
    columns = max(1, min(columns, len(tiles)))
    height = max((picture.shape[0] for picture in pictures if picture is not None), default=tile_width * 9 // 16)
    rows = max(1, -(-len(tiles) // columns))
    cell_width, cell_height = tile_width + GAP_PX, height + LABEL_PX + GAP_PX
    sheet = np.full((rows * cell_height + GAP_PX, columns * cell_width + GAP_PX, 3), BACKGROUND, np.uint8)
    for place, (tile, picture) in enumerate(zip(tiles, pictures, strict=True)):
        x, y = GAP_PX + place % columns * cell_width, GAP_PX + place // columns * cell_height
        if picture is not None:
            down, right = (height - picture.shape[0]) // 2, (tile_width - picture.shape[1]) // 2
            sheet[y + down : y + down + picture.shape[0], x + right : x + right + picture.shape[1]] = picture
        cv2.putText(sheet, tile.label, (x + 2, y + height + 14), cv2.FONT_HERSHEY_SIMPLEX, 0.38, TEXT, 1, cv2.LINE_AA)
    return sheet


def as_jpeg(sheet: NDArray[np.uint8], quality: int = 80) -> bytes:
    """A sheet as the bytes of a JPEG file."""
    return bytes(cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def time_label(seconds: float) -> str:
    """h:mm:ss.t, without hours below one."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest / 10:04.1f}" if hours else f"{minutes}:{rest / 10:04.1f}"


def _fitted(path: Path, width: int) -> Any:
    try:
        picture = read_image(path)
    except OSError:
        return None
    if picture is None:
        return None
    # Upright pictures may be as high as wide ones are wide, so that a sheet of mixed shapes stays even.
    scale = min(width / picture.shape[1], width / picture.shape[0])
    size = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
