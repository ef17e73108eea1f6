from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

SPEC = importlib.util.spec_from_file_location("crosscheck_run", Path(__file__).with_name("run.py"))
assert SPEC is not None
assert SPEC.loader is not None
run = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(run)


@pytest.mark.parametrize("folder", run.folders(), ids=lambda f: f.name)
def test_every_number_agrees_with_its_counterpart_to_six_digits(folder: Path) -> None:
    compared = run.comparisons(folder)
    assert compared
    apart = [c for c in compared if not run.agree(c[2], c[3])]
    assert not apart


def test_a_number_that_differs_in_the_sixth_digit_is_found() -> None:
    assert run.agree(1.000001, 1.0)
    assert not run.agree(1.00001, 1.0)
    assert not run.agree(float("nan"), 1.0)
    assert "| a | mean | R | 2 | 0.5 |" in run.page(
        {"a": [("mean", "R", 1.0, 1.0), ("mean", "R", 1.5, 1.0)]}, is_live=False
    )
