"""Reports of one age bracket as a picture of clusters: UMAP on the Canberra distance, then HDBSCAN."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import TableError
from spineclock.normals.canberra import Vectors, distances, distinct, neighbours

OUTLIER = -1
Labels = npt.NDArray[np.int64]
"""(n,) cluster of each report from 0 on, the largest first; :data:`OUTLIER` for those in none."""
Points = npt.NDArray[np.float32]
"""(n, 2)."""


@dataclass(frozen=True)
class Clustering:
    """How reports are embedded and clustered; the spine-age paper's values where it states them (sections 3.3.1–3.3.2).

    ``min_cluster_share`` is lost in it (our choice: 5%, see :func:`~spineclock.normals.stability.sweep`), and decides
    much.
    """

    n_neighbors: int = 15
    min_dist: float = 0.0
    min_samples: int = 5
    min_cluster_share: float = 0.05
    """Smallest cluster, as a share of the bracket."""
    normal_share: float = 0.15
    """Clusters with a larger share of the bracket are normal."""
    epsilon: tuple[tuple[int, float], ...] = ((30, 1.0), (40, 0.7), (50, 1.0), (60, 0.7), (70, 0.3), (80, 0.3))
    """By bracket, the distance in the picture below which clusters are merged."""

    def epsilon_of(self, bracket: int) -> float:
        """The merging distance of a bracket; a TableError if it has none."""
        known = dict(self.epsilon)
        if bracket not in known:
            raise TableError(f"the bracket {bracket}", wanted=f"one of {', '.join(map(str, known))}")
        return known[bracket]


def embed(vectors: Vectors, how: Clustering, *, seed: int) -> Points:
    """The plane UMAP lays reports out in, (n, 2); the same for the same seed on the same machine.

    The neighbours are exact (umap-learn would approximate them from 4,096 reports on).

    Raises
    ------
    TableError
        If there are too few reports to have neighbours.
    """
    if len(vectors) < 3 * how.n_neighbors:
        raise TableError(
            f"{len(vectors)} reports", wanted=f"at least {3 * how.n_neighbors} in each age bracket",
            remedy="widen the age range, or take abnormal and normal from elsewhere (column normal)",
        )  # fmt: skip
    import umap

    near = neighbours(vectors, how.n_neighbors)
    with warnings.catch_warnings():  # that transform is off with given neighbours, and that seeded runs use one thread
        warnings.simplefilter("ignore", UserWarning)
        plane = umap.UMAP(
            n_neighbors=how.n_neighbors, min_dist=how.min_dist, metric="canberra", random_state=seed,
            precomputed_knn=(near.rows, near.distances),
        ).fit_transform(vectors)  # fmt: skip
    return np.asarray(plane, dtype=np.float32)


def clusters(points: Points, how: Clustering, *, bracket: int) -> Labels:
    """The clusters HDBSCAN finds in the plane, numbered from the largest on."""
    return _ordered(_hdbscan(points, how, size=len(points), epsilon=how.epsilon_of(bracket), metric="euclidean"))


def agreed(labels: Labels, of_row: npt.NDArray[np.int64]) -> Labels:
    """The same clusters with equal reports in one: the one most of them are in.

    UMAP lays equal reports out as a patch, which HDBSCAN may cut where it is most of a bracket; a verdict on one and
    another on its equal would be chance. ``of_row`` says which report each row holds
    (:func:`~spineclock.normals.canberra.distinct`). Where all are equal they are one cluster.

    >>> agreed(np.array([0, 0, 1, -1, 1]), np.array([7, 7, 7, 8, 9]) - 7).tolist()
    [0, 0, 0, -1, 1]
    """
    reports = int(of_row.max(initial=-1)) + 1
    if reports == 1:
        return np.zeros_like(labels)
    votes = np.zeros((reports, int(labels.max(initial=OUTLIER)) + 2), dtype=np.int64)
    np.add.at(votes, (of_row, labels), 1)  # outliers, −1, in the last column
    most = votes.argmax(axis=1)
    return _ordered(np.where(most == votes.shape[1] - 1, OUTLIER, most)[of_row])


def direct_clusters(vectors: Vectors, how: Clustering) -> Labels:
    """The clusters HDBSCAN finds by the Canberra distance itself, without a plane between: the paper's future work.

    On the matrix of distances of all reports, 4 n² bytes of it; no distance merges clusters, as the paper's are of the
    plane.
    """
    found = distinct(vectors)
    apart = distances(found.vectors, found.vectors)[np.ix_(found.of_row, found.of_row)].astype(np.float64)
    return _ordered(_hdbscan(apart, how, size=len(vectors), epsilon=0.0, metric="precomputed"))


def _hdbscan(points: Any, how: Clustering, *, size: int, epsilon: float, metric: str) -> Labels:
    import hdbscan

    fitted = hdbscan.HDBSCAN(
        min_cluster_size=max(2, round(how.min_cluster_share * size)), min_samples=how.min_samples,
        cluster_selection_epsilon=epsilon, metric=metric,
    ).fit(points)  # fmt: skip
    return np.asarray(fitted.labels_, dtype=np.int64)


def _ordered(labels: Labels) -> Labels:
    """The same clusters, the largest as 0."""
    names, counts = np.unique(labels[labels != OUTLIER], return_counts=True)
    order = names[np.argsort(-counts, kind="stable")]
    new = np.full(int(labels.max(initial=OUTLIER)) + 2, OUTLIER, dtype=np.int64)  # the last one for the outliers
    new[order] = np.arange(len(order))
    return new[labels]
