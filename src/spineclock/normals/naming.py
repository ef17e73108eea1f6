"""A cluster of reports in the words of what most of its members have."""

from __future__ import annotations

import numpy as np

from spineclock.core.findings import CONDITIONS, dense_names
from spineclock.normals.canberra import Vectors

NOTHING = "no finding that most have"


def cluster_name(members: Vectors, *, most: float = 0.5) -> str:
    """What more than half of the members of a cluster have, with the middle range of how many levels.

    Parameters
    ----------
    members : array, shape (n, 67)
        Dense vectors (:meth:`spineclock.core.findings.Findings.dense`).
    most : float
        The share that must have a condition for it to name the cluster.

    Examples
    --------
    >>> members = np.zeros((4, 67), np.float32)
    >>> members[:, [n[:2] for n in dense_names()].index(("lumbar", "disc_bulge"))] = [1, 2, 3, 0]
    >>> cluster_name(members)
    '1–3 mild lumbar disc bulges'
    >>> cluster_name(np.zeros((4, 67), np.float32))
    'no finding'
    """
    if not members.any():
        return "no finding"
    have = members > 0
    held = np.flatnonzero(have.mean(axis=0) > most)
    parts = [_words(int(k), members[have[:, k], k]) for k in held]
    if not parts:
        return "no finding" if (~have.any(axis=1)).mean() > most else NOTHING
    return ", ".join(parts)


def _words(entry: int, counts: Vectors) -> str:
    region, condition, severity = dense_names()[entry]
    name = CONDITIONS[condition].words
    if not region:
        return name
    low, high = (int(v) for v in np.quantile(counts, [0.1, 0.9], method="nearest"))
    number = f"{low}" if low == high else f"{low}–{high}"
    return " ".join(filter(None, (number, severity, region, _many(name) if high > 1 else name)))


def _many(name: str) -> str:
    return name if name.endswith("desiccation") else f"{name}es" if name.endswith("x") else f"{name}s"
