"""Fixtures every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scans, from SPINECLOCK_TEST_DATA or beside the project; skips where there is none."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("SPINECLOCK_TEST_DATA", root.parent / "shared" / "data"))
    if not (folder / "spider" / "space").is_dir():
        pytest.skip("no real scans: set SPINECLOCK_TEST_DATA to the folder that holds spider/")
    return folder
