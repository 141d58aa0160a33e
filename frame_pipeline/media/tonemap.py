"""HDR to SDR: PQ and HLG pictures brought to what a standard screen shows.

The FFmpeg inside PyAV has no zimg, so its own tonemap filter has nothing to linearise with; the steps are the textbook
ones: transfer function, tone curve, gamut, gamma.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

PQ, HLG = 16, 18
HDR_TRANSFERS = frozenset({PQ, HLG})
BT2020_PRIMARIES = 9
SDR_WHITE_NITS = 203.0
"""Diffuse white of HDR programmes. Source: ITU-R BT.2408-7, section 2.2."""
PEAK_NITS = {PQ: 10_000.0, HLG: 1_000.0}
"""Light of the highest code value, which becomes full white."""

# Linear light, BT.2020 to BT.709 primaries. Source: ITU-R BT.2087-0, table 4 and its inverse.
_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], dtype=np.float32
)


def to_sdr(pixels: NDArray[np.uint16], transfer: int, primaries: int) -> NDArray[np.uint8]:
    """SDR picture of an HDR one.

    pixels: uint16 RGB [H, W, 3], full range, coded with `transfer` (16 PQ, 18 HLG as in ITU-T H.273).
    Returns uint8 RGB [H, W, 3] with BT.709 primaries and a display gamma of 2.4 (BT.1886).
    """
    light: Any = _linear(transfer)[pixels >> 4]
    if primaries == BT2020_PRIMARIES:
        light = np.maximum(light @ _TO_BT709.T, np.float32(0))
    # A curve for each channel: the brightest lights lose colour, as they do on film, instead of turning orange.
    light = _compressed(light, PEAK_NITS[transfer] / SDR_WHITE_NITS)
    gamma = _gamma()
    coded: NDArray[np.uint8] = gamma[np.minimum(light * (len(gamma) - 1) + 0.5, len(gamma) - 1).astype(np.uint16)]
    return coded


def _compressed(light: NDArray[np.float32], peak: float) -> NDArray[np.float32]:
    """Light 0..peak to 0..1. Source: Reinhard et al., "Photographic tone reproduction", SIGGRAPH 2002, equation 4."""
    return (light * (1 + light / np.float32(peak**2)) / (1 + light)).astype(np.float32, copy=False)


@cache
def _linear(transfer: int) -> NDArray[np.float32]:
    """Light relative to SDR white for each of 4096 code values."""
    code = np.linspace(0.0, 1.0, 4096)
    if transfer == PQ:
        # SMPTE ST 2084, equation 4.1.
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = code ** (1 / m2)
        nits = 10_000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    else:
        # ITU-R BT.2100-2, table 5, with the system gamma 1.2 of a 1000-nit display on each channel.
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
        nits = PEAK_NITS[HLG] * scene**1.2
    return (nits / SDR_WHITE_NITS).astype(np.float32)


@cache
def _gamma() -> NDArray[np.uint8]:
    return np.rint(255 * np.linspace(0.0, 1.0, 16_384) ** (1 / 2.4)).astype(np.uint8)
