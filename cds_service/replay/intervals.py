"""Shares with their 95 % interval (Wilson 1927), which is valid for small numbers and for shares near 0."""

from __future__ import annotations

from math import sqrt
from typing import Any

_Z = 1.959964
"""Two-sided 95 % of the normal distribution."""


def wilson(some: int, of: int) -> tuple[float, float]:
    """Return lower and upper bound of the share ``some`` / ``of``; 0 and 1 if ``of`` is 0."""
    if of <= 0:
        return 0.0, 1.0
    share = some / of
    scale = 1 + _Z * _Z / of
    middle = (share + _Z * _Z / (2 * of)) / scale
    half = _Z * sqrt(share * (1 - share) / of + _Z * _Z / (4 * of * of)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def rate(some: int, of: int) -> dict[str, Any]:
    """Return a share for the report; its values are None if ``of`` is 0."""
    low, high = wilson(some, of)
    return {
        "value": round(some / of, 6) if of else None,
        "low": round(low, 6) if of else None,
        "high": round(high, 6) if of else None,
        "count": some,
        "of": of,
    }


def per_1000(some: int, of: int) -> dict[str, Any]:
    """Return a share as ``rate`` does, but per 1,000."""
    share = rate(some, of)
    return {
        key: round(value * 1000, 3) if value is not None and key in ("value", "low", "high") else value
        for key, value in share.items()
    }
