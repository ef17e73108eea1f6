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

    Thousands of reports may be the same, at distance 0 of each other. Which of equally near rows are taken is drawn
    anew for each row (with a seed of its own, so that the result depends on the rows alone): taken in their order, all
    would name the same few, or form a chain, and UMAP would draw that. Distances are taken between different vectors
    only.

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
    rng = np.random.default_rng(0)
    rows = np.empty((len(vectors), k), np.int64)
    away = np.zeros((len(vectors), k), np.float32)
    for u in range(len(found.vectors)):
        own = members[starts[u] : starts[u + 1]]
        rows[own, 0] = own
        for row in own:
            if len(own) >= k:
                others = own[rng.choice(len(own), k, replace=False)]
                rows[row, 1:] = others[others != row][: k - 1]
        if len(own) >= k:
            continue
        for at, row in enumerate(own):
            rows[row, 1 : len(own)] = np.delete(own, at)
        candidates, far = _others(apart[u], u, found.counts, members, starts, k - len(own))
        for row in own:
            near = np.lexsort((rng.random(len(far)), far))[: k - len(own)]
            rows[row, len(own) :], away[row, len(own) :] = candidates[near], far[near]
    return Neighbours(rows, away)


def _others(
    apart: npt.NDArray[np.float32],
    u: int,
    counts: npt.NDArray[np.int64],
    members: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    wanted: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """The rows of the other vectors nearest to u, with all that are as near as the last of those wanted."""
    near = np.argsort(apart, kind="stable")
    near = near[near != u]
    last = near[int(np.searchsorted(np.cumsum(counts[near]), wanted))]
    enough = near[apart[near] <= apart[last]]
    rows = np.concatenate([members[starts[v] : starts[v + 1]] for v in enough])
    return rows, np.repeat(apart[enough], counts[enough])
