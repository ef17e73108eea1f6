"""Nearest neighbours by the Canberra distance, exact, also where thousands of reports are the same."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
"""(n, features), none below 0."""


class Neighbours(NamedTuple):
    """The k nearest of each row, itself first: row numbers and distances, both (n, k)."""

    rows: npt.NDArray[np.int64]
    distances: Vectors


@numba.njit(cache=True, fastmath=False)
def canberra(a: Any, b: Any) -> float:
    """Σ |aᵢ − bᵢ| / (|aᵢ| + |bᵢ|), with 0/0 = 0.

    Source: the spine-age paper, equation 1. Three mild bulges are 1/7 from four, and 1 from three and a fracture.

    >>> bulges, fracture = np.array([3.0, 0]), np.array([3.0, 1])
    >>> round(canberra(bulges, np.array([4.0, 0])) * 7, 12), canberra(bulges, fracture)
    (1.0, 1.0)
    """
    total = 0.0
    for i in range(a.shape[0]):
        both = abs(a[i]) + abs(b[i])
        if both > 0:
            total += abs(a[i] - b[i]) / both
    return total


@numba.njit(cache=True, parallel=True)
def distances(a: Any, b: Any) -> Any:
    """The Canberra distance of each row of a from each row of b, (len(a), len(b)), float32."""
    found = np.empty((a.shape[0], b.shape[0]), np.float32)
    for i in numba.prange(a.shape[0]):
        for j in range(b.shape[0]):
            found[i, j] = canberra(a[i], b[j])
    return found


class Distinct(NamedTuple):
    """The different rows of some vectors, and which of them each row is."""

    vectors: Vectors
    """(u, features), in the order of their values."""
    of_row: npt.NDArray[np.int64]
    """(n,)."""
    counts: npt.NDArray[np.int64]
    """(u,)."""


def distinct(vectors: Vectors) -> Distinct:
    """The different rows, each once."""
    values, of_row, counts = np.unique(vectors, axis=0, return_inverse=True, return_counts=True)
    return Distinct(values.astype(np.float32), of_row.ravel(), counts)


def neighbours(vectors: Vectors, k: int) -> Neighbours:
    """The k nearest rows of each row, itself first.

    Rows of the same values are at distance 0 of each other. Where there are more of them than k, each takes those after
    it in a ring, so that they hang together however many they are, and the result depends on their order alone. Other
    ties go to the rows of the smaller vector, then in order. Distances are taken between different vectors only.

    Parameters
    ----------
    vectors : array, shape (n, features)
    k : int
        At most n.
    """
    found = distinct(vectors)
    apart = distances(found.vectors, found.vectors)
    members = np.argsort(found.of_row, kind="stable")
    starts = np.concatenate([[0], np.cumsum(found.counts)])
    rows = np.empty((len(vectors), k), np.int64)
    away = np.zeros((len(vectors), k), np.float32)
    for u in range(len(found.vectors)):
        own = members[starts[u] : starts[u + 1]]
        ring = own[(np.arange(len(own))[:, None] + np.arange(min(k, len(own)))) % len(own)]
        rows[own, : ring.shape[1]] = ring
        if ring.shape[1] == k:
            continue
        others, far = _others(apart[u], u, found.counts, members, starts, k - ring.shape[1])
        rows[own, ring.shape[1] :], away[own, ring.shape[1] :] = others, far
    return Neighbours(rows, away)


def _others(
    apart: npt.NDArray[np.float32],
    u: int,
    counts: npt.NDArray[np.int64],
    members: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    wanted: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The nearest rows of other vectors than u."""
    near = np.argsort(apart, kind="stable")
    near = near[near != u]
    enough = near[: int(np.searchsorted(np.cumsum(counts[near]), wanted)) + 1]
    rows = np.concatenate([members[starts[v] : starts[v + 1]] for v in enough])
    far = np.repeat(apart[enough], counts[enough])
    return rows[:wanted], far[:wanted]
