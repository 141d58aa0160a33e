"""One pass over a grey picture for everything the five measures need. Compiled, without the GIL.

Sums are integers (edge magnitudes apart), so they are exact at any size. Borders are mirrored without repeating the
edge pixel, as OpenCV does by default. Two histograms take turns, because counting into one stalls on runs of equal
pixels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True, boundscheck=False, error_model="numpy")
def gray_pass(gray: NDArray[np.uint8]) -> tuple[int, int, float, NDArray[np.int64]]:
    """Laplacian sum, Laplacian sum of squares, sum of Sobel magnitudes, histogram [256].

    gray: uint8 [H, W], C-contiguous, at least 1 x 1.
    """
    height, width = gray.shape
    laplace: Any = 0
    laplace2: Any = 0
    edges: Any = 0.0
    even, odd = np.zeros(256, np.int64), np.zeros(256, np.int64)
    magnitude = np.empty(width, np.float32)
    response = np.empty(width, np.int32)
    for y in range(height):
        up = gray[y - 1 if y > 0 else min(1, height - 1)]
        row = gray[y]
        down = gray[y + 1 if y + 1 < height else max(height - 2, 0)]
        _responses(up, row, down, response, magnitude)
        row_sum: Any = np.int32(0)
        row_squares: Any = np.int64(0)
        row_edges: Any = np.float32(0.0)
        for x in range(width):
            value = response[x]
            row_sum += value
            row_squares += value * value
        for x in range(width):
            row_edges += magnitude[x]
        laplace += row_sum
        laplace2 += row_squares
        edges += row_edges
        for x in range(0, width - 1, 2):
            even[row[x]] += 1
            odd[row[x + 1]] += 1
        if width % 2:
            even[row[width - 1]] += 1
    return laplace, laplace2, edges, even + odd


@njit(cache=True, nogil=True, inline="always", boundscheck=False)
def _responses(up: Any, row: Any, down: Any, response: Any, magnitude: Any) -> None:
    width = row.shape[0]
    for x in range(1, width - 1):
        # Separate loops over plain arrays: the compiler turns them into vector instructions.
        a, b, c = np.int32(up[x - 1]), np.int32(up[x]), np.int32(up[x + 1])
        d, e, f = np.int32(row[x - 1]), np.int32(row[x]), np.int32(row[x + 1])
        g, h, i = np.int32(down[x - 1]), np.int32(down[x]), np.int32(down[x + 1])
        response[x] = b + d + f + h - 4 * e
        gx = c + 2 * f + i - a - 2 * d - g
        gy = g + 2 * h + i - a - 2 * b - c
        magnitude[x] = math.sqrt(np.float32(gx * gx + gy * gy))
    for x in (0, width - 1):
        inner = min(1, width - 1) if x == 0 else max(width - 2, 0)
        # Mirrored columns cancel in gx and count twice elsewhere.
        response[x] = np.int32(up[x]) + np.int32(down[x]) + 2 * np.int32(row[inner]) - 4 * np.int32(row[x])
        gy = 2 * (np.int32(down[inner]) + np.int32(down[x]) - np.int32(up[inner]) - np.int32(up[x]))
        magnitude[x] = np.float32(abs(gy))


@njit(cache=True, nogil=True, boundscheck=False)
def opponent_pass(bgr: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Sums over R - G and over R + G - 2 B: plain and squared (rg, rg squared, yb2, yb2 squared).

    bgr: uint8 [H, W, 3], C-contiguous.
    """
    rg_sum: Any = 0
    rg_squares: Any = 0
    yb_sum: Any = 0
    yb_squares: Any = 0
    for y in range(bgr.shape[0]):
        row = bgr[y]
        a, aa, b, bb = np.int32(0), np.int64(0), np.int32(0), np.int64(0)
        for x in range(bgr.shape[1]):
            blue, green, red = np.int32(row[x, 0]), np.int32(row[x, 1]), np.int32(row[x, 2])
            rg, yb = red - green, red + green - 2 * blue
            a += rg
            aa += rg * rg
            b += yb
            bb += yb * yb
        rg_sum += a
        rg_squares += aa
        yb_sum += b
        yb_squares += bb
    return rg_sum, rg_squares, yb_sum, yb_squares
