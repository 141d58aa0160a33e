"""One number for a picture: the weighted mean of its five scores. Weights are taste, applied when asked."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

MEASURES = ("sharpness", "edge_strength", "contrast", "brightness", "entropy")
DEFAULT_WEIGHTS: Mapping[str, float] = {
    "sharpness": 30.0,
    "edge_strength": 20.0,
    "contrast": 20.0,
    "brightness": 10.0,
    "entropy": 20.0,
}


def quality_sql(weights: Mapping[str, float] = DEFAULT_WEIGHTS) -> tuple[str, list[float]]:
    """SQL over the columns of `metrics` that gives the overall score 0..100, and its parameters.

    Weights need not add up to 100; they are divided by their sum. Raises ValueError for an unknown measure, a negative
    weight, or when all are zero.
    """
    unknown = set(weights) - set(MEASURES)
    usable = all(isfinite(weight) and weight >= 0 for weight in weights.values())
    if unknown or not usable or sum(weights.values()) <= 0:
        raise ValueError(
            f"weights are finite, not negative, not all zero, and belong to {', '.join(MEASURES)}: {dict(weights)}"
        )
    used = [(name, weights[name]) for name in MEASURES if weights.get(name)]
    total = sum(weight for _, weight in used)
    return "(" + " + ".join(f"{name} * ?" for name, _ in used) + ")", [weight / total for _, weight in used]
