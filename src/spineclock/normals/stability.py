"""How much of the normal cohort is chance: other seeds, the lost minimum cluster size, and no plane at all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.brackets import BRACKETS, bracket
from spineclock.core.findings import Findings
from spineclock.normals.cluster import OUTLIER, Clustering, Labels, Points, clusters, direct_clusters

SWEEP = (0.01, 0.02, 0.03, 0.05, 0.07, 0.10, 0.15)
"""Minimum cluster sizes to try, as shares of the bracket."""


@dataclass(frozen=True, eq=False)
class Stability:
    """What the same people come out as under other seeds."""

    brackets: pd.DataFrame
    """One row a bracket (0: all): ``seeds``, ``adjusted_rand`` (mean over pairs of seeds, of the clusters),
    ``adjusted_rand_low`` (the least), ``flips`` (share of scans that are normal under some seeds and not under
    others), ``abnormal_low`` and ``abnormal_high`` (shares)."""
    normal_probability: npt.NDArray[np.float64]
    """(n,) share of the seeds under which each scan is normal; NaN outside the brackets."""


def stability(runs: Sequence[pd.DataFrame]) -> Stability:
    """How alike the labels of the same scans are, fitted with several seeds.

    Parameters
    ----------
    runs : sequence of DataFrame
        :attr:`spineclock.normals.cohort.Fitted.labels` of each seed, two or more.
    """
    from sklearn.metrics import adjusted_rand_score

    of = runs[0]["bracket"].to_numpy()
    normal = np.stack([run["normal"].to_numpy(dtype=float, na_value=np.nan) for run in runs])
    cluster = np.stack([run["cluster"].to_numpy() for run in runs])
    rows = []
    for name in [*(b for b in BRACKETS if (of == b).any()), 0]:
        own = (of == name) if name else np.isfinite(normal[0])
        scores = [np.nan] if not name else [
            adjusted_rand_score(cluster[a, own], cluster[b, own]) for a in range(len(runs)) for b in range(a)
        ]  # fmt: skip
        mean = normal[:, own].mean(axis=0)
        abnormal = 1 - normal[:, own].mean(axis=1)
        rows.append({
            "bracket": name, "n": int(own.sum()), "seeds": len(runs), "adjusted_rand": float(np.mean(scores)),
            "adjusted_rand_low": float(np.min(scores)), "flips": float(((mean > 0) & (mean < 1)).mean()),
            "abnormal_low": float(abnormal.min()), "abnormal_high": float(abnormal.max()),
        })  # fmt: skip
    return Stability(pd.DataFrame(rows), normal.mean(axis=0))


def sweep(planes: Mapping[int, Points], how: Clustering, *, shares: Iterable[float] = SWEEP) -> pd.DataFrame:
    """What the minimum cluster size, which the paper lost, does to each bracket.

    One row a bracket and size: ``min_cluster_share``, ``clusters``, ``normal_clusters``, ``outliers`` and ``abnormal``
    (shares).
    """
    rows = []
    for share in shares:
        for name, points in planes.items():
            label = clusters(points, replace(how, min_cluster_share=share), bracket=name)
            rows.append({"bracket": name, "min_cluster_share": share, **_summary(label, how)})
    return pd.DataFrame(rows).sort_values(["bracket", "min_cluster_share"], ignore_index=True)


def direct(
    findings: Findings,
    age_years: npt.ArrayLike,
    how: Clustering,
    *,
    labels: pd.DataFrame,
    report: Callable[[int], None] = lambda bracket: None,
) -> pd.DataFrame:
    """Clusters of the Canberra distances themselves beside those of the plane, as the paper's future work asks.

    One row a bracket: as :func:`sweep`, and ``adjusted_rand`` with the plane's clusters and ``same_verdict``, the
    share of scans that are normal, or not, either way. Takes 12 n² bytes of a bracket.
    """
    from sklearn.metrics import adjusted_rand_score

    of, dense, rows = bracket(np.asarray(age_years, dtype=np.float64)), findings.dense(), []
    for name in BRACKETS:
        own = of == name
        if own.sum() < 3 * how.n_neighbors:
            continue
        label = direct_clusters(dense[own], how)
        plane = labels.loc[own]
        verdict = _normal(label, how)
        rows.append({
            "bracket": name, **_summary(label, how),
            "adjusted_rand": adjusted_rand_score(plane["cluster"], label),
            "same_verdict": float((plane["normal"].to_numpy(dtype=bool) == verdict).mean()),
        })  # fmt: skip
        report(name)
    return pd.DataFrame(rows)


def _normal(label: Labels, how: Clustering) -> npt.NDArray[np.bool_]:
    size = np.bincount(label + 1, minlength=1)
    return np.asarray((label != OUTLIER) & (size[label + 1] > how.normal_share * len(label)))


def _summary(label: Labels, how: Clustering) -> dict[str, float]:
    normal = _normal(label, how)
    return {
        "clusters": int(label.max(initial=OUTLIER)) + 1,
        "normal_clusters": len(np.unique(label[normal])),
        "outliers": float((label == OUTLIER).mean()),
        "abnormal": float(1 - normal.mean()),
    }
