"""The ten-year age brackets of the spine-age paper."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BRACKETS = (30, 40, 50, 60, 70, 80)
"""Ten-year brackets of the spine-age paper by name: 30 is 25–34 years, … 80 is 75–84."""


def bracket(age: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """The ten-year bracket of each age, 0 outside 25–84; a person is 34 until the 35th birthday.

    >>> bracket([24.9, 25, 34.99, 35, 84.5, 85]).tolist()
    [0, 30, 30, 40, 80, 0]
    """
    name = np.floor((np.asarray(age, dtype=np.float64) - 25) / 10) * 10 + 30
    return np.where((name >= BRACKETS[0]) & (name <= BRACKETS[-1]), name, 0).astype(np.int64)
