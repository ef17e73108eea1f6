"""Rows of result frames as cells of a table to be read."""

from __future__ import annotations

import math
from typing import Any

from spineclock.stats.result import number


def interval(row: Any, prefix: str = "", *, digits: int = 2) -> str:
    """An estimate with its interval; the estimate alone where there is no interval, nothing where there is neither.

    >>> from types import SimpleNamespace
    >>> interval(SimpleNamespace(estimate=1.234, low=-0.1, high=2.5))
    '1.23 (−0.10 to 2.50)'
    """
    value, low, high = (float(getattr(row, f"{prefix}{name}")) for name in ("estimate", "low", "high"))
    if math.isnan(value):
        return ""
    if math.isnan(low):
        return number(value, digits)
    return f"{number(value, digits)} ({number(low, digits)} to {number(high, digits)})"


def share(q: float) -> str:
    """A false-discovery rate, nothing where there is none.

    >>> share(0.0002), share(0.0312), share(float("nan"))
    ('< 0.001', '0.031', '')
    """
    return "" if math.isnan(q) else "< 0.001" if q < 0.001 else f"{q:.3f}"
