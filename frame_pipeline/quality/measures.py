"""The measures of a picture. Every one is a finite number for every picture, flat and black ones included.

Raw values have the unit that the docstrings state; scores map them to 0..100 on fixed scales, so that weights and
thresholds mean the same in every video.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

SHARPNESS_FULL = 1000.0
"""Variance of the Laplacian that scores 100, in squared grey levels."""
EDGE_FULL = 100.0
"""Mean gradient magnitude that scores 100, in Sobel units (8 x grey levels per pixel)."""
CONTRAST_FULL = 2.0
"""Coefficient of variation that scores 100."""
ENTROPY_FULL_BITS = 8.0
SHADOW_LEVEL = 2
"""Grey levels up to here are clipped shadows."""
HASH_SIDE_PX = 256
"""The perceptual hash looks at a picture of about this shorter side."""
HIGHLIGHT_LEVEL = 253
"""Grey levels from here are clipped highlights."""


@dataclass(frozen=True)
class GrayStatistics:
    """What one pass over a grey picture gives."""

    pixels: int
    laplacian_sum: int
    laplacian_squares: int
    edge_sum: float
    histogram: NDArray[np.int64]
    """[256]"""

    @classmethod
    def of(cls, gray: NDArray[np.uint8]) -> GrayStatistics:
        """gray: uint8 [H, W], at least 1 x 1. Raises ValueError for anything else."""
        from frame_pipeline.quality.kernels import gray_pass

        if gray.dtype != np.uint8 or gray.ndim != 2 or gray.size == 0:
            raise ValueError(f"a grey picture is uint8 [H, W], not {gray.dtype} {gray.shape}")
        return cls(gray.size, *gray_pass(np.ascontiguousarray(gray)))

    @cached_property
    def mean(self) -> float:
        """Mean grey level, 0..255."""
        return float(np.arange(256) @ self.histogram) / self.pixels

    @cached_property
    def deviation(self) -> float:
        """Standard deviation of the grey levels."""
        return float(np.sqrt(((np.arange(256) - self.mean) ** 2 @ self.histogram) / self.pixels))

    @property
    def sharpness(self) -> float:
        """See `sharpness`."""
        mean = self.laplacian_sum / self.pixels
        return max(0.0, self.laplacian_squares / self.pixels - mean * mean)

    @property
    def edge_strength(self) -> float:
        """See `edge_strength`."""
        return self.edge_sum / self.pixels

    @property
    def contrast(self) -> float:
        """See `contrast`."""
        return self.deviation / (self.mean + 1e-7)

    @property
    def brightness(self) -> float:
        """See `brightness`."""
        return self.mean / 255.0

    @property
    def entropy(self) -> float:
        """See `entropy`."""
        share = self.histogram[self.histogram > 0] / self.pixels
        return max(0.0, float(-(share * np.log2(share)).sum()))

    @property
    def shadows_clipped(self) -> float:
        """Share of pixels at or below SHADOW_LEVEL, 0..1."""
        return float(self.histogram[: SHADOW_LEVEL + 1].sum()) / self.pixels

    @property
    def highlights_clipped(self) -> float:
        """Share of pixels at or above HIGHLIGHT_LEVEL, 0..1."""
        return float(self.histogram[HIGHLIGHT_LEVEL:].sum()) / self.pixels


def sharpness(gray: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian (4-neighbour kernel), the usual focus measure.

    gray: uint8 [H, W]. Returns the variance in squared grey levels; 0.0 for a flat image.
    Source: Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000.
    """
    return GrayStatistics.of(gray).sharpness


def edge_strength(gray: NDArray[np.uint8]) -> float:
    """Mean gradient magnitude sqrt(gx^2 + gy^2) of the 3 x 3 Sobel kernels, the Tenengrad family of focus measures.

    gray: uint8 [H, W]. Returns Sobel units, 8 x grey levels per pixel; 0.0 for a flat image.
    Source: Krotkov, "Focusing", IJCV 1(3), 1988.
    """
    return GrayStatistics.of(gray).edge_strength


def contrast(gray: NDArray[np.uint8]) -> float:
    """Standard deviation over mean of the grey levels (coefficient of variation); 0.0 for a flat image, black included.

    gray: uint8 [H, W]. Relative to the mean, so a dim scene with deep shadows counts as contrasty.
    Source: Peli, "Contrast in complex images", JOSA A 7(10), 1990 (RMS contrast), divided by the mean.
    """
    return GrayStatistics.of(gray).contrast


def brightness(gray: NDArray[np.uint8]) -> float:
    """Mean grey level as a share of white, 0..1. gray: uint8 [H, W]."""
    return GrayStatistics.of(gray).brightness


def entropy(gray: NDArray[np.uint8]) -> float:
    """Shannon entropy of the 256-bin histogram in bits, 0..8; 0.0 for a flat image. gray: uint8 [H, W].

    Source: Shannon, "A mathematical theory of communication", 1948.
    """
    return GrayStatistics.of(gray).entropy


def colorfulness(bgr: NDArray[np.uint8]) -> float:
    """Spread and offset of the opponent channels; 0.0 for grey pictures, about 80 for very colourful ones.

    bgr: uint8 [H, W, 3].
    Source: Hasler and Suesstrunk, "Measuring colourfulness in natural images", SPIE 5007, 2003, equation for M3.
    """
    from frame_pipeline.quality.kernels import opponent_pass

    pixels = bgr.shape[0] * bgr.shape[1]
    rg_sum, rg_squares, yb_sum, yb_squares = opponent_pass(np.ascontiguousarray(bgr))
    rg_mean, yb_mean = rg_sum / pixels, yb_sum / pixels / 2
    variance = (rg_squares / pixels - rg_mean**2) + (yb_squares / pixels / 4 - yb_mean**2)
    return float(np.sqrt(max(0.0, variance)) + 0.3 * np.hypot(rg_mean, yb_mean))


def perceptual_hash(gray: NDArray[np.uint8]) -> int:
    """64 bits of which few change when a picture is scaled, recompressed or slightly altered.

    gray: uint8 [H, W]. The 8 x 8 lowest frequencies of a 32 x 32 cosine transform, without the first, against their
    median; bit 63 is the first coefficient, in row order. Compare by Hamming distance.
    Source: Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010, section 3.2.1.
    """
    # Each of the 32 x 32 areas is the mean of hundreds of pixels; every nth of them gives the same mean in less time.
    step = max(1, min(gray.shape) // HASH_SIDE_PX)
    small = cv2.resize(gray[::step, ::step], (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:8, :8].ravel()
    # Rounded: on a flat picture the transform is zero but for noise in the last digit, which must not become bits.
    low = np.round(low, 2)
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def scores(statistics: GrayStatistics) -> dict[str, float]:
    """The five measures on their 0..100 scales."""
    return {
        "sharpness": 100.0 * min(statistics.sharpness / SHARPNESS_FULL, 1.0),
        "edge_strength": 100.0 * min(statistics.edge_strength / EDGE_FULL, 1.0),
        "contrast": 100.0 * min(statistics.contrast / CONTRAST_FULL, 1.0),
        "brightness": 100.0 * statistics.brightness,
        "entropy": 100.0 * min(statistics.entropy / ENTROPY_FULL_BITS, 1.0),
    }


def measure(bgr: NDArray[np.uint8]) -> dict[str, float | int]:
    """Every measure of a picture, by the names of the columns of `metrics`. bgr: uint8 [H, W, 3]."""
    gray: NDArray[np.uint8] = cv2.cvtColor(bgr, cv2.COLOR_BGR2GRAY)  # type: ignore[assignment]
    statistics = GrayStatistics.of(gray)
    return {
        **scores(statistics),
        "sharpness_raw": statistics.sharpness,
        "edge_strength_raw": statistics.edge_strength,
        "contrast_raw": statistics.contrast,
        "brightness_raw": statistics.brightness,
        "entropy_raw": statistics.entropy,
        "shadows_clipped": statistics.shadows_clipped,
        "highlights_clipped": statistics.highlights_clipped,
        "colorfulness": colorfulness(bgr),
        "phash": perceptual_hash(gray),
    }
