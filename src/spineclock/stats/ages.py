"""What every statistic of ages asks of its numbers before it calculates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import TableError, UsageError

Floats = npt.NDArray[np.float64]


class Pairs(NamedTuple):
    """Predicted and chronological ages of the same scans, in years, float64."""

    predicted: Floats
    age: Floats


def paired(predicted: npt.ArrayLike, age: npt.ArrayLike, *, at_least: int = 1) -> Pairs:
    """The two columns as float64, checked: same shape (scans along the last axis), finite, enough of them.

    >>> paired([50], [60]).age
    array([60.])

    Raises
    ------
    UsageError
        If the shapes differ.
    TableError
        If there are fewer than ``at_least`` scans, or a value is missing.
    """
    p, y = np.asarray(predicted, dtype=np.float64), np.asarray(age, dtype=np.float64)
    if p.shape != y.shape or p.ndim == 0:
        raise UsageError(
            f"predicted ages of shape {p.shape} and ages of shape {y.shape}", wanted="one age a prediction"
        )
    if p.shape[-1] < at_least:
        raise TableError(f"{p.shape[-1]} scan(s) with an age", wanted=f"at least {at_least}")
    missing = int((~np.isfinite(p) | ~np.isfinite(y)).sum())
    if missing:
        raise TableError(
            f"{missing} of {p.size} scans without a finite age or prediction",
            wanted="a number in each row",
            remedy="drop those rows, and say how many there were",
        )
    return Pairs(p, y)
