"""Who people are, told so that who has their names knows them again and who has not does not."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np


def hashed(person_ids: Iterable[object]) -> frozenset[str]:
    """Sha256 of each person's name: known again by who has the names, and not read off by who has not.

    It hides no names that can be guessed, such as running numbers. A whole number is the same person however a table
    holds it.

    >>> hashed(["7", 7, 7.0]) == hashed(["7"])
    True
    >>> len(hashed(["sub-1", "sub-1", "sub-2"]))
    2
    """
    return frozenset(hashlib.sha256(f"spineclock person {_name(p)}".encode()).hexdigest() for p in person_ids)


def _name(person: object) -> str:
    if isinstance(person, float | np.floating) and float(person).is_integer():
        return str(int(person))
    return str(person)
