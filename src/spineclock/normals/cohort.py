"""The age-typical cohort: which findings are normal at which age, fitted on some people and told of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.brackets import BRACKETS, bracket
from spineclock.core.errors import TableError, UsageError
from spineclock.core.findings import Findings, dense_names
from spineclock.normals.canberra import Vectors, distances, distinct
from spineclock.normals.cluster import OUTLIER, Clustering, Labels, Points, agreed, clusters, embed
from spineclock.normals.naming import cluster_name

SCHEMA = "spineclock.normals/1"
VOTERS = 5
"""Fitted reports nearest to a new one that decide its cluster, where no fitted report is the same."""


@dataclass(frozen=True, eq=False)
class BracketFit:
    """The clusters of one age bracket, by the different reports in it."""

    bracket: int
    vectors: Vectors
    """(u, 67) different dense vectors."""
    label: Labels
    """(u,) the cluster most of those with that report are in."""
    counts: npt.NDArray[np.int64]
    """(u,) how many have it."""
    names: tuple[str, ...]
    """Of each cluster."""
    sizes: tuple[int, ...]
    n: int

    @property
    def shares(self) -> tuple[float, ...]:
        """Of each cluster in the bracket."""
        return tuple(size / self.n for size in self.sizes)


@dataclass(frozen=True, eq=False)
class Fitted:
    """A normal cohort with what was seen of the people it was fitted on."""

    cohort: NormalCohort
    labels: pd.DataFrame
    """As :meth:`NormalCohort.label`, of the very people, by their own cluster; with ``x`` and ``y`` in the plane."""


@dataclass(frozen=True, eq=False)
class NormalCohort:
    """Which clusters of findings more than 15% of an age bracket have: those are normal for that age.

    Source: the spine-age paper, sections 2.3 and 4.1.
    """

    how: Clustering
    seed: int
    brackets: tuple[BracketFit, ...]

    def label(self, findings: Findings, age_years: npt.ArrayLike) -> pd.DataFrame:
        """Each scan's cluster, and whether it is normal for the age; none of them takes part in the fit.

        A report that was among the fitted ones gets the cluster most of these are in; another one that of most of the
        five nearest different ones by the Canberra distance.

        Returns
        -------
        DataFrame
            scan_id, bracket (0 outside 25–84), cluster (−1: outlier), cluster_name, share (of the bracket), normal
            (missing outside the fitted brackets), reason.
        """
        age = np.asarray(age_years, dtype=np.float64)
        if age.shape != (len(findings),):
            raise UsageError(f"{age.shape} ages for {len(findings)} scans", wanted="one age a scan")
        of, dense = bracket(age), findings.dense()
        cluster = np.full(len(of), OUTLIER, dtype=np.int64)
        for fit in self.brackets:
            own = of == fit.bracket
            if own.any():
                cluster[own] = _nearest(fit, dense[own])
        return self.told(findings.scan_ids, of, cluster)

    def told(self, scan_ids: pd.Index, of: npt.NDArray[np.int64], cluster: Labels) -> pd.DataFrame:
        """Clusters in words, and what follows from them."""
        names, shares = np.full(len(of), "", dtype=object), np.full(len(of), np.nan)
        fitted = np.isin(of, [fit.bracket for fit in self.brackets])
        for fit in self.brackets:
            for k, (name, share) in enumerate(zip(fit.names, fit.shares, strict=True)):
                mine = (of == fit.bracket) & (cluster == k)
                names[mine], shares[mine] = name, share
        outlier, large = cluster == OUTLIER, shares > self.how.normal_share
        limit = f"{100 * self.how.normal_share:g}%"
        reason = np.select(
            [~fitted, outlier, large],
            ["age outside the fitted brackets", "like no cluster", f"a cluster of more than {limit} of the bracket"],
            f"a cluster of at most {limit} of the bracket",
        )
        return pd.DataFrame(
            {
                "scan_id": scan_ids, "bracket": of, "cluster": cluster, "cluster_name": np.where(outlier, "", names),
                "share": shares, "normal": pd.array(large, dtype="boolean"), "reason": reason,
            }
        ).assign(normal=lambda t: t["normal"].mask(~fitted))  # fmt: skip

    def clusters(self) -> pd.DataFrame:
        """One row a cluster: bracket, cluster, name, n, share, normal; and one a bracket for the outliers."""
        rows = []
        for fit in self.brackets:
            rest = fit.n - sum(fit.sizes)
            told = [*zip(fit.names, fit.sizes, strict=True), ("like no cluster", rest)]
            for k, (name, n) in enumerate(told):
                number = k if k < len(fit.sizes) else OUTLIER
                normal = number != OUTLIER and n / fit.n > self.how.normal_share
                rows.append({"bracket": fit.bracket, "cluster": number, "name": name, "n": n, "share": n / fit.n,
                             "normal": normal})  # fmt: skip
        return pd.DataFrame(rows)

    def as_dict(self) -> dict[str, Any]:
        """The cohort as data for JSON; reports as lists of (entry, count)."""
        fits = [
            {
                "bracket": fit.bracket, "names": list(fit.names), "sizes": list(fit.sizes), "n": fit.n,
                "reports": [[[int(k), float(v[k])] for k in np.flatnonzero(v)] for v in fit.vectors],
                "cluster": fit.label.tolist(), "counts": fit.counts.tolist(),
            }
            for fit in self.brackets
        ]  # fmt: skip
        return {"schema": SCHEMA, "entries": [" ".join(filter(None, name)) for name in dense_names()],
                "how": asdict(self.how), "seed": self.seed, "brackets": fits}  # fmt: skip

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """The cohort that :meth:`as_dict` told; a TableError if it is of another kind."""
        if told.get("schema") != SCHEMA:
            raise TableError(
                f"a file of schema {told.get('schema')!r}", wanted=f"{SCHEMA}, as `spineclock normals` writes"
            )
        how = dict(told["how"])
        how["epsilon"] = tuple((int(b), float(e)) for b, e in how["epsilon"])
        return cls(Clustering(**how), int(told["seed"]), tuple(_fit_from(fit) for fit in told["brackets"]))


def fit_normals(
    findings: Findings,
    age_years: npt.ArrayLike,
    *,
    how: Clustering = Clustering(),  # noqa: B008  # frozen
    seed: int = 0,
    embedded: Mapping[int, Points] | None = None,
    report: Callable[[int], None] = lambda bracket: None,
) -> Fitted:
    """The normal cohort of some scans, bracket by bracket.

    Parameters
    ----------
    findings : Findings
    age_years : array-like, shape (n,)
    how : Clustering
    seed : int
        Of UMAP.
    embedded : mapping, optional
        The plane of each bracket from :func:`~spineclock.normals.cluster.embed`, where it is there already.
    report : callable
        Called with each bracket when it is done.

    Raises
    ------
    TableError
        If no bracket has enough scans.
    """
    of, dense = bracket(np.asarray(age_years, dtype=np.float64)), findings.dense()
    fits, cluster, plane = [], np.full(len(of), OUTLIER, dtype=np.int64), np.full((len(of), 2), np.nan)
    for name in BRACKETS:
        own = np.flatnonzero(of == name)
        if len(own) < 3 * how.n_neighbors:
            continue
        points = embed(dense[own], how, seed=seed) if embedded is None else embedded[name]
        cluster[own] = agreed(clusters(points, how, bracket=name), distinct(dense[own]).of_row)
        plane[own] = points
        fits.append(_fit(name, dense[own], cluster[own]))
        report(name)
    if not fits:
        raise TableError(
            f"{len(of)} scans, in no age bracket {3 * how.n_neighbors} of them",
            wanted="enough people of 25 to 84 years to form clusters",
            remedy="give a column normal, or a cohort fitted on others",
        )
    cohort = NormalCohort(how, seed, tuple(fits))
    return Fitted(cohort, cohort.told(findings.scan_ids, of, cluster).assign(x=plane[:, 0], y=plane[:, 1]))


def _fit(name: int, dense: Vectors, cluster: Labels) -> BracketFit:
    found = distinct(dense)
    many = int(cluster.max(initial=OUTLIER)) + 1
    votes = np.zeros((len(found.vectors), many + 1), dtype=np.int64)
    np.add.at(votes, (found.of_row, cluster), 1)  # outliers, −1, in the last column
    label = votes.argmax(axis=1)
    sizes = tuple(int(n) for n in np.bincount(cluster[cluster >= 0], minlength=many))
    names = tuple(cluster_name(dense[cluster == k]) for k in range(many))
    return BracketFit(
        name, found.vectors, np.where(label == many, OUTLIER, label), found.counts, names, sizes, len(dense)
    )


def _nearest(fit: BracketFit, dense: Vectors) -> Labels:
    """The cluster of each report by the fitted ones nearest to it."""
    new = distinct(dense)
    apart = distances(new.vectors, fit.vectors)
    near = np.argsort(apart, axis=1, kind="stable")[:, :VOTERS]
    votes = np.zeros((len(near), len(fit.sizes) + 1), dtype=np.int64)
    np.add.at(votes, (np.arange(len(near))[:, None], fit.label[near]), 1)
    voted = votes.argmax(axis=1)
    label = np.where(voted == len(fit.sizes), OUTLIER, voted)
    same = apart[np.arange(len(near)), near[:, 0]] == 0
    return np.where(same, fit.label[near[:, 0]], label)[new.of_row]


def _fit_from(told: Mapping[str, Any]) -> BracketFit:
    vectors = np.zeros((len(told["reports"]), len(dense_names())), dtype=np.float32)
    for row, entries in zip(vectors, told["reports"], strict=True):
        for k, value in entries:
            row[k] = value
    return BracketFit(
        int(told["bracket"]), vectors, np.asarray(told["cluster"], dtype=np.int64),
        np.asarray(told["counts"], dtype=np.int64), tuple(told["names"]), tuple(told["sizes"]), int(told["n"]),
    )  # fmt: skip
