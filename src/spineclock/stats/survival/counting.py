"""How many earlier rows score lower: the sum every concordance is made of, for all rows at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spineclock.stats.ages import Floats

Ints = npt.NDArray[np.int64]


def sums_below(ranks: Ints, weights: Floats, start: Ints, stop: Ints, below: Ints) -> Floats:
    """For each question q the sum of ``weights[k]`` over start[q] ≤ k < stop[q] with ranks[k] < below[q].

    A wavelet matrix: one pass over all rows and questions for each binary digit of the ranks, O((n + q) log n).

    >>> ranks, weights = np.array([2, 0, 1, 2]), np.array([1.0, 10, 100, 1000])
    >>> sums_below(ranks, weights, np.array([0, 2, 0]), np.array([4, 4, 3]), np.array([2, 2, 3])).tolist()
    [110.0, 100.0, 111.0]

    Parameters
    ----------
    ranks : array of int, shape (n,)
        0 upwards.
    weights : array, shape (n,)
    start, stop, below : arrays of int, shape (q,)
    """
    r, w = np.asarray(ranks), np.asarray(weights, dtype=np.float64)
    low, high = np.asarray(start), np.asarray(stop)
    total = np.zeros(len(high))
    most = max(int(r.max(initial=0)), int(np.max(below, initial=0)))
    for digit in reversed(range(most.bit_length())):
        one = (r >> digit) & 1 == 1
        zeros = np.concatenate([[0], np.cumsum(~one)])
        weight = np.concatenate([[0.0], np.cumsum(np.where(one, 0, w))])
        goes = (below >> digit) & 1 == 1
        total += np.where(goes, weight[high] - weight[low], 0)  # those with a 0 here are below a rank with a 1
        split = zeros[-1]
        low, high = (np.where(goes, split + at - zeros[at], zeros[at]) for at in (low, high))
        r, w = np.concatenate([r[~one], r[one]]), np.concatenate([w[~one], w[one]])
    return total
