"""``spineclock demo``: artificial people go through the doors real ones go through."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from spineclock.run import demo


@pytest.fixture
def coarse(monkeypatch, phantom):
    """The demonstration's people on a coarse grid, whose making is tested elsewhere; gives who was asked for."""
    asked = []

    def made(*, age_years, sex, seed):
        asked.append((age_years, sex, seed))
        return phantom

    monkeypatch.setattr(demo, "lumbar_scan", made)
    return asked


def test_scans_table_results_and_report_are_made(canned, coarse, tmp_path, capsys):
    assert demo.demo(tmp_path / "demo") == 0
    assert tuple(coarse) == demo.PEOPLE
    scans = sorted(p.name for p in (tmp_path / "demo" / "scans").iterdir())
    assert scans == [f"phantom-{who}_T2w{ending}" for who in ("34F", "72M") for ending in (".json", ".nii.gz")]
    rows = pd.read_csv(tmp_path / "demo" / "results" / "predictions.csv").set_index("scan_id")
    assert rows["age_years"].to_dict() == {"phantom-34F_T2w": 34.0, "phantom-72M_T2w": 72.0}
    assert rows["sex"].to_dict() == {"phantom-34F_T2w": "F", "phantom-72M_T2w": "M"}
    assert rows["gap_years"].notna().all()
    said = capsys.readouterr().out
    assert "artificial (simulated)" in said
    assert f"Report: {tmp_path / 'demo' / 'results' / 'report.html'}" in said
    page = (tmp_path / "demo" / "results" / "report.html").read_text(encoding="utf-8")
    assert page.count("(simulated)") == 2  # of each scan


def test_it_may_be_run_again(canned, coarse, tmp_path):
    assert demo.demo(tmp_path) == 0
    assert demo.demo(tmp_path) == 0
    assert len(canned.asked) == 4


def test_a_saved_phantom_is_the_phantom(phantom, tmp_path):
    demo.save(phantom, tmp_path, "p")
    image = nib.load(tmp_path / "p.nii.gz")
    assert (np.asarray(image.dataobj) == phantom.volume.array).all()
    assert np.allclose(image.affine, phantom.volume.affine)
