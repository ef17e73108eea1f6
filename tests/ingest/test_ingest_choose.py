"""Which series of a study is read, and the words in which the others are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spineclock.core.recipe import Accepts
from spineclock.ingest.choose import choose
from spineclock.ingest.refs import Facts, SeriesRef
from spineclock.ingest.series import list_series, read_scans


def series(number: int, description: str = "", **changes) -> SeriesRef:
    """A sagittal T2w series of 15 slices of study 1, changed as asked (facts or reference)."""
    facts = Facts("MR", "T2w", description, "", number, ("ORIGINAL", "PRIMARY", "M"), 98, 3500)
    facts = replace(facts, **{k: v for k, v in changes.items() if k in Facts.__dataclass_fields__})
    ref = SeriesRef(
        f"x-s{number}", "dicom", ((Path(f"/d/{number}"), 0),), Path(f"/d/{number}"), (320, 320, 15), np.eye(4),
        (0.8, 0.8, 4.4), "sagittal", facts, study="1",
    )  # fmt: skip
    own = {k: v for k, v in changes.items() if k in SeriesRef.__dataclass_fields__ and k not in ("facts", "notes")}
    return replace(ref, **own)


REFUSED = [
    (series(1, "loc"), "a localiser"),
    (series(1, "3-plane Localizer"), "a localiser"),
    (series(1, "T2 SCOUT"), "a localiser"),
    (series(2, "t1_tse_sag", sequence="T1w"), "it is weighted T1w; wanted: T2w"),
    (series(3, "stir", sequence="STIR"), "it is weighted STIR; wanted: T2w"),
    (series(4, "t2 fs", sequence="T2w-fs"), "it is weighted T2w-fs; wanted: T2w"),
    (series(5, "dixon", sequence="Dixon"), "it is weighted Dixon; wanted: T2w"),
    (series(6, "t2_tra", plane="axial"), "its slices are axial; wanted: sagittal"),
    (series(7, "t2", image_type=("DERIVED", "SECONDARY", "MPR")), "a derived one (MPR, SECONDARY)"),
    (series(7, "t2 sag MPR range"), "a derived one (mpr)"),
    (series(7, "t2", image_type=("DERIVED", "PRIMARY")), "a derived one (DERIVED)"),
    (series(8, "x", modality="CT", sequence=""), "it is CT; wanted: MR"),
    (series(9, "t2", shape=(320, 320, 3)), "it has 3 slices; wanted: at least 5"),
    (series(9, "t2", shape=(320, 320, 1)), "it has 1 slice; wanted"),
    (series(10, "t2", spacing_mm=(0.8, 0.8, 9.0)), "its slices lie 9 mm apart; wanted: up to 6 mm"),
    (series(11, "", sequence="", echo_time_ms=50), "TE 50 ms and TR 3500 ms tell no weighting"),
    (series(12, "t2", problem="2 slices missing"), "2 slices missing"),
    (series(13, "sc", unfit="a secondary capture, not the scan itself"), "a secondary capture"),
    (series(14, "t2", shape=(65535, 65535, 20)), "samples, 344 GB; wanted: at most 16 GB"),
]


@pytest.mark.parametrize(("ref", "why"), REFUSED, ids=[why for _, why in REFUSED])
def test_each_reason_in_words_beside_a_series_that_fits(ref, why, t2):
    good = series(99, "t2_tse_sag")
    choice = choose([ref, good], t2)
    assert choice.chosen[0].facts.series_number == 99
    assert why in choice.refused[0].reason
    assert choice.failures == ()


def test_a_study_of_which_nothing_fits_is_one_failure_with_every_reason(t2):
    choice = choose([ref for ref, _ in REFUSED[:4]], t2)
    assert choice.chosen == ()
    assert len(choice.failures) == 1
    reason = choice.failures[0].reason
    assert choice.failures[0].stage == "select"
    assert "none of 4 series fits (series 1 (loc): a localiser; " in reason
    assert "series 2 (t1_tse_sag): it is weighted T1w; wanted: T2w)" in reason
    assert "wanted: MR, sagittal, T2w, slices up to 6 mm apart, at least 5 of them" in reason


@pytest.mark.parametrize(
    ("better", "worse", "because"),
    [
        (series(9, "t2", shape=(320, 320, 19)), series(2, "t2"), "more slices"),
        (series(9, "t2", spacing_mm=(0.5, 0.5, 4.4)), series(2, "t2"), "finer pixels"),
        (series(9, "t2 lumbar"), series(2, "t2 cervical"), "preferred words"),
        (series(2, "t2"), series(9, "t2"), "a lower series number"),
        (series(9, "t2"), series(2, "t2", image_type=("DERIVED", "PRIMARY", "M", "DIS2D")), "an original image"),
        (series(9, "t2"), series(2, "", sequence="", echo_time_ms=None), "a preferred weighting"),
        (series(9, "t2"), series(2, "t1", sequence="T1w"), "a preferred weighting"),
    ],
)
def test_the_better_of_two_that_fit(better, worse, because, t2):
    accepts = replace(t2, prefer_words=("lumbar",), sequences=("T2w", "T1w"))
    for refs in ([better, worse], [worse, better]):
        choice = choose(refs, accepts)
        assert [ref.scan_id for ref in choice.chosen] == [better.scan_id]
        assert choice.refused[0].reason.startswith("fits too, but series")
        assert because in choice.refused[0].reason


def test_of_each_weighting_one_where_a_recipe_wants_both(t2):
    both = replace(t2, sequences=("T1w", "T2w"))
    study = [series(2, "t1 tse sag lumbar", sequence="T1w"), series(3, "t2 tse sag lumbar"),
             series(4, "t2 tse sag lumbar again"), series(5, "t1 tse sag", sequence="T1w")]  # fmt: skip
    one = choose(study, both)
    assert [r.facts.series_number for r in one.chosen] == [2]
    each = choose(study, replace(both, each_sequence=True))
    assert [r.facts.series_number for r in each.chosen] == [2, 3]
    assert {r.ref.facts.series_number for r in each.refused} == {4, 5}
    assert not each.failures


def test_what_is_not_stated_is_accepted_and_noted(write_nifti, slab, t2):
    choice = choose(list_series(write_nifti(slab, "anything.nii.gz")).refs, t2)
    assert choice.chosen[0].notes == ("the modality is not stated", "the weighting is not stated")


def test_names_and_sidecars_of_files_decide(write_nifti, slab, t2, tmp_path):
    for name in ("a_T2w.nii.gz", "a_T1w.nii.gz", "a_ct.nii.gz", "a_T2w_mask.nii.gz", "a_dseg.nii"):
        write_nifti(slab, f"bids/{name}")
    (tmp_path / "bids" / "a_T2w.json").write_text(
        '{"EchoTime": 0.102, "RepetitionTime": 3.2, "Manufacturer": "ACME", "MagneticFieldStrength": 1.5}'
    )
    result = read_scans(tmp_path / "bids", accepts=t2)
    assert [scan.source.name for scan in result.scans] == ["a_T2w.nii.gz"]
    scan = result.scans[0]
    assert scan.echo_time_ms == pytest.approx(102)
    assert scan.repetition_time_ms == pytest.approx(3200)
    assert scan.scanner == "ACME 1.5 T"
    assert result.failures == ()  # the folder gave its scan; the others are listed, not failed
    reasons = {r.ref.source.name: r.reason for r in result.refused}
    assert reasons == {
        "a_T1w.nii.gz": "it is weighted T1w; wanted: T2w",
        "a_ct.nii.gz": "it is CT; wanted: MR",
    }
    named = read_scans(tmp_path / "bids" / "a_T1w.nii.gz", accepts=t2)
    assert "a_T1w.nii.gz: it is weighted T1w" in named.failures[0].reason


def test_a_sidecar_tells_the_weighting_where_the_name_does_not(write_nifti, slab, t2, tmp_path):
    path = write_nifti(slab, "p/scan.nii.gz")
    path.with_name("scan.json").write_text('{"EchoTime": 0.011, "RepetitionTime": 0.6}')
    assert "it is weighted T1w; wanted: T2w" in read_scans(path, accepts=t2).failures[0].reason
    path.with_name("scan.json").write_text("{broken")
    scan = read_scans(path, accepts=t2).scans[0]
    assert any("the JSON sidecar is damaged" in note for note in scan.notes)


def test_a_label_map_named_by_the_user_is_noted(write_nifti, slab, t2):
    scan = read_scans(write_nifti(slab, "a_mask.nii.gz"), accepts=t2).scans[0]
    assert "its name says that it is a label map, not a scan" in scan.notes


def test_a_whole_dicom_study(write_series, sagittal_slab, t2):
    slab = sagittal_slab()
    write_series(slab, "study/t2")
    write_series(slab, "study/t1", SeriesInstanceUID="1.9", SeriesNumber=3, SeriesDescription="t1_tse_sag",
                 EchoTime=11.0, RepetitionTime=550.0)  # fmt: skip
    write_series(slab, "study/stir", SeriesInstanceUID="1.8", SeriesNumber=4, SeriesDescription="sag",
                 InversionTime=160.0, EchoTime=70.0)  # fmt: skip
    folder = write_series(sagittal_slab(angles=(0, 90, 0)), "study/ax", SeriesInstanceUID="1.7", SeriesNumber=6).parent
    result = read_scans(folder, accepts=t2)
    assert [scan.scan_id.split("-")[1] for scan in result.scans] == ["s5"]
    np.testing.assert_array_equal(result.scans[0].volume.array, slab.array)
    assert {r.ref.facts.series_number: r.reason for r in result.refused} == {
        3: "it is weighted T1w; wanted: T2w",
        4: "it is weighted STIR; wanted: T2w",
        6: "its slices are axial; wanted: sagittal",
    }
    assert result.failures == ()


def test_a_recipe_for_ct_takes_the_real_ct(real_data):
    ct = Accepts(frozenset({"CT"}), "axial", (), max_slice_spacing_mm=3, min_slices=10)
    choice = choose(list_series(real_data / "ct" / "totalsegmentator" / "example_ct_dicom").refs, ct)
    assert [ref.shape for ref in choice.chosen] == [(512, 512, 20)]
    thin = replace(ct, max_slice_spacing_mm=1.0)
    refused = choose(list_series(real_data / "ct" / "totalsegmentator" / "example_ct_dicom").refs, thin)
    assert "its slices lie 2 mm apart; wanted: up to 1 mm" in refused.failures[0].reason
