"""Grey values of scanners that share no scale, brought to one."""

from __future__ import annotations

import numpy as np

from spineclock.core.errors import RefusedError
from spineclock.core.volume import Array


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
    values = array[inside].astype(np.float64)
    if values.size == 0:
        raise RefusedError("none of the spine lies in the prepared volume", wanted="a scan centred on the spine")
    low, high = np.percentile(values, percentiles, method="inverted_cdf")
    values = values.clip(low, high)
    spread = float(values.std())
    # below a millionth of the values themselves a spread is rounding, not contrast
    if not spread > 1e-6 * float(np.abs(values).max()):
        raise RefusedError(f"the spine has one grey value throughout ({low:g})", wanted="an image with contrast")
    out = np.zeros(array.shape, dtype=np.float32)
    out[inside] = (values - values.mean()) / spread
    return out
