"""Grey values of scanners that share no scale, brought to one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineclock.core.errors import RefusedError
from spineclock.core.volume import Array


@dataclass(frozen=True)
class Scale:
    """Two limits to which grey values are clipped, and what is then their mean and standard deviation.

    >>> Scale.of(np.array([1.0, 2.0, 3.0, 100.0]), (0, 75))
    Scale(low=1.0, high=3.0, mean=2.25, sd=0.82915619758885)
    """

    low: float
    high: float
    mean: float
    sd: float

    @classmethod
    def of(cls, values: Array, percentiles: tuple[float, float] = (0.5, 99.5)) -> Scale:
        """That of some samples; the limits are samples themselves (no interpolation).

        Raises
        ------
        RefusedError
            If there are no samples, or all are alike.
        """
        if values.size == 0:
            raise RefusedError("none of the spine lies in the prepared volume", wanted="a scan centred on the spine")
        values = values.astype(np.float64)
        low, high = (float(limit) for limit in np.percentile(values, percentiles, method="inverted_cdf"))
        values = values.clip(low, high)
        spread = float(values.std())
        # below a millionth of the values themselves a spread is rounding, not contrast
        if not spread > 1e-6 * float(np.abs(values).max()):
            raise RefusedError(f"the spine has one grey value throughout ({low:g})", wanted="an image with contrast")
        return cls(low, high, float(values.mean()), spread)

    def standard(self, values: Array) -> Array:
        """Values clipped to the limits, in standard deviations from the mean; float64."""
        found: Array = (values.astype(np.float64).clip(self.low, self.high) - self.mean) / self.sd
        return found

    def seen_from(self, other: Scale) -> Scale:
        """The same scale for values that are already in the other one's standard deviations from its mean.

        >>> Scale(0, 8, 5, 2).seen_from(Scale(0, 10, 4, 4))
        Scale(low=-1.0, high=1.0, mean=0.25, sd=0.5)
        """
        low, high, mean = ((value - other.mean) / other.sd for value in (self.low, self.high, self.mean))
        return Scale(low, high, mean, self.sd / other.sd)


def standardised(array: Array, inside: Array, *, percentiles: tuple[float, float] = (0.5, 99.5)) -> Array:
    """Values clipped to two percentiles and expressed in standard deviations from the mean, both over ``inside``.

    float32, 0 outside. The limits are samples themselves (no interpolation), so that doing it twice changes nothing.

    Parameters
    ----------
    array : ndarray
        Grey values; any positive factor and any offset give the same answer.
    inside : ndarray of bool, same shape
        Where to look and what to keep.

    Raises
    ------
    RefusedError
        If there is nothing inside, or only one value.

    Examples
    --------
    >>> standardised(np.array([9.0, 1.0, 3.0]), np.array([False, True, True]), percentiles=(0, 100)).tolist()
    [0.0, -1.0, 1.0]
    """
    values = array[inside]
    out = np.zeros(array.shape, dtype=np.float32)
    out[inside] = Scale.of(values, percentiles).standard(values)
    return out
