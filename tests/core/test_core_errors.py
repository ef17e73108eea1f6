"""Errors reach the person who has to mend something as they were raised, from whichever process."""

from __future__ import annotations

import pickle

import pytest

from spineclock.core.errors import InputError, SpineclockError, TableError


@pytest.mark.parametrize("kind", [SpineclockError, InputError, TableError])
def test_an_error_says_the_same_from_another_process(kind: type[SpineclockError]) -> None:
    error = kind("6 mm slices", wanted="3 mm", remedy="export the thin series")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error) == "6 mm slices; wanted: 3 mm; remedy: export the thin series."
    assert (again.found, again.wanted, again.remedy) == ("6 mm slices", "3 mm", "export the thin series")
    assert str(kind("nothing")) == str(kind("nothing.")) == "nothing."
