"""Pictures of a sagittal slice: which way they lie, their millimetres and weighting, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spineclock.core.errors import InputError, RefusedError
from spineclock.core.recipe import Accepts
from spineclock.ingest.names import of_weighting
from spineclock.ingest.sagittal_picture import SIDES
from spineclock.ingest.series import list_series, load, read_scans

READS = Accepts(frozenset({"MR"}), "sagittal", ("T1w", "T2w"), max_slice_spacing_mm=8, min_slices=1, pictures=True)


def saved(path: Path, shape: tuple[int, ...] = (200, 100), **sidecar: object) -> Path:
    picture = np.random.default_rng(0).integers(0, 250, shape).astype(np.uint8)
    picture[0, 0] = 255  # the front of the top row
    Image.fromarray(picture).save(path)
    if sidecar:
        path.with_suffix(".json").write_text(json.dumps(sidecar))
    return path


def test_the_top_is_up_the_left_is_in_front_and_the_name_tells_the_weighting(tmp_path: Path) -> None:
    saved(tmp_path / "7_t1.png", PixelSpacing=[0.7, 0.5])
    (scan,) = read_scans(tmp_path, accepts=READS).scans
    assert (scan.scan_id, scan.modality, scan.sequence, scan.notes) == ("7_t1", "MR", "T1w", (SIDES,))
    assert scan.volume.shape == (1, 100, 200)
    assert scan.volume.spacing_mm == pytest.approx((4.0, 0.5, 0.7))
    assert scan.volume.array[0, 99, 199] == 255


def test_without_a_spacing_it_is_taken_to_show_290_mm_with_the_pixels_ratio_that_is_told(tmp_path: Path) -> None:
    (plain,) = read_scans(saved(tmp_path / "a_t2.png"), accepts=READS).scans
    assert plain.volume.spacing_mm == pytest.approx((4.0, 1.45, 1.45))
    assert "the pixel spacing is not stated: taken to show 290 mm from top to bottom" in plain.notes
    (oblong,) = read_scans(saved(tmp_path / "b_t2.png", PixelAspectRatio=[2, 1]), accepts=READS).scans
    assert oblong.volume.spacing_mm == pytest.approx((4.0, 0.725, 1.45))


def test_a_sidecars_echo_time_tells_the_weighting_where_the_name_does_not(tmp_path: Path) -> None:
    path = saved(tmp_path / "slice.png", EchoTime=0.01, RepetitionTime=0.6)
    (scan,) = read_scans(path, accepts=READS).scans
    assert scan.sequence == "T1w"


def test_several_pictures_of_a_folder_are_a_scan_each(tmp_path: Path) -> None:
    for name in ("1_t1.png", "1_t2.png", "2_t2.png"):
        saved(tmp_path / name)
    assert [s.scan_id for s in read_scans(tmp_path, accepts=READS).scans] == ["1_t1", "1_t2", "2_t2"]


@pytest.mark.parametrize(
    ("sidecar", "said"),
    [
        ({"PixelSpacing": "wide"}, "a sidecar with the pixel spacing or ratio 'wide'; wanted: two numbers above 0"),
        ({"PixelSpacing": [0.5]}, "two numbers above 0"),
        ({"PixelSpacing": [0, 1]}, "two numbers above 0"),
        ({"PixelSpacing": [500, 500]}, "wanted: 0.02 to 60 mm"),
    ],
)
def test_a_spacing_that_cannot_be_is_refused(tmp_path: Path, sidecar: dict[str, object], said: str) -> None:
    (failure,) = list_series(saved(tmp_path / "a_t2.png", **sidecar), pictures=True).failures
    assert said in failure.reason


def test_rubbish_is_refused_with_reasons(tmp_path: Path) -> None:
    (failure,) = list_series(saved(tmp_path / "tiny.png", (20, 30)), pictures=True).failures
    assert "a picture of 30 × 20 pixels; wanted: at least 64 rows and columns" in failure.reason
    (ref,) = list_series(saved(tmp_path / "colour.png", (100, 100, 3)), pictures=True).refs
    with pytest.raises(RefusedError, match="a colour picture; wanted: the slice in grey values"):
        load(ref)
    flat = tmp_path / "flat.png"
    Image.fromarray(np.full((80, 80), 7, np.uint8)).save(flat)
    (ref,) = list_series(flat, pictures=True).refs
    with pytest.raises(InputError, match="an image whose every sample is 7"):
        load(ref)
    broken = tmp_path / "broken.png"
    broken.write_bytes(saved(tmp_path / "whole.png").read_bytes()[:400])
    (ref,) = list_series(broken, pictures=True).refs
    with pytest.raises(InputError, match="cannot be read as a picture"):
        load(ref)


def test_the_other_weighting_lies_beside_under_its_own_name(tmp_path: Path) -> None:
    first = tmp_path / "sub-1_ses-1_T2w.nii.gz"
    assert of_weighting(first, "T1w") == first
    other = tmp_path / "sub-1_ses-1_T1w.nii.gz"
    other.touch()
    assert of_weighting(first, "T1w") == other
    assert of_weighting(first, "T2w") == first
    (tmp_path / "9_t1.png").touch()
    assert of_weighting(tmp_path / "9_t2.png", "T1w") == tmp_path / "9_t1.png"
    assert of_weighting(tmp_path / "scan.nii.gz", "T1w") == tmp_path / "scan.nii.gz"
