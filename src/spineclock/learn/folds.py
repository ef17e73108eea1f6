"""Who is trained on and who is tested: splits of people, never of scans."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def folds_by_person(person_ids: Sequence[str], n_folds: int, *, seed: int = 0) -> dict[str, int]:
    """The fold in which each person is held out, folds as equal in size as can be.

    >>> folds_by_person(["a", "b", "a", "c"], 3) == folds_by_person(["c", "b", "a"], 3)
    True
    """
    people = sorted(set(person_ids))
    order = np.random.default_rng(seed).permutation(len(people))
    return {people[p]: position % n_folds for position, p in enumerate(order)}
