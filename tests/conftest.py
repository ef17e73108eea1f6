"""Fixtures every test may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

SIDE_BY_SIDE = ("phantom_making", "prepare", "resumed")
"""Modules of ``spineclock.run`` that work on scans in several processes."""

COMPILED = {"src/spineclock/phantom/": "phantoms", "tests/ingest/test_ingest_film_view.py": "phantoms",
            "tests/normals/test_normals.py": "umap", "tests/run/test_run_study.py": "umap"}  # fmt: skip
"""Where what is compiled takes longer than the tests: two processes that compile it at once take twice as long."""


class Together(LoadFileScheduling):
    """Tests of a file share what they make, so they stay in one process; so do files that compile the same."""

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return next((group for path, group in COMPILED.items() if file.startswith(path)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    return Together(config, log)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scans, from SPINECLOCK_TEST_DATA or beside the project; skips where there is none."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("SPINECLOCK_TEST_DATA", root.parent / "shared" / "data"))
    if not (folder / "spider" / "space").is_dir():
        pytest.skip("no real scans: set SPINECLOCK_TEST_DATA to the folder that holds spider/")
    return folder


@pytest.fixture(scope="module")
def in_this_process() -> Iterator[None]:
    """Scans are worked on in this process: others would each read the libraries, and compile what is compiled, anew."""
    with pytest.MonkeyPatch.context() as patch:
        for name in SIDE_BY_SIDE:
            patch.setattr(import_module(f"spineclock.run.{name}"), "side_by_side",
                          lambda work, jobs, *, workers: (work(job) for job in jobs))  # fmt: skip
        yield
