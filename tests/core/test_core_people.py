"""Hashed names of people: who is the same person, against the digest itself."""

from __future__ import annotations

import hashlib

import numpy as np

from spineclock.core.people import hashed


def test_a_name_is_hashed_with_what_it_is_a_name_of():
    assert hashed(["sub-1"]) == {hashlib.sha256(b"spineclock person sub-1").hexdigest()}
    assert hashed([]) == frozenset()


def test_whole_numbers_are_the_same_person_however_they_are_held():
    assert hashed([12, 12.0, np.int64(12), np.float32(12), "12"]) == hashed(["12"])
    assert not hashed([12.5, "012", "12.0"]) & hashed(["12"])
