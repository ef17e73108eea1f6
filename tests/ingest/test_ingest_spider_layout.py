"""SPIDER as published, laid out as the reader wants it: on a made-up record of two people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from spineclock.core.errors import InputError
from spineclock.ingest.datasets import spider
from spineclock.ingest.datasets.spider_layout import lay_out, main, structures


@pytest.fixture
def record(tmp_path) -> Path:
    """Two people with T2 SPACE and one T2 series without; sagittal, axes inferior, posterior, right, as published."""
    rng = np.random.default_rng(3)
    folder = tmp_path / "record"
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for name in ("7_t2_SPACE", "12_t2_SPACE", "7_t2"):
        grey = sitk.GetImageFromArray(rng.integers(0, 900, (4, 6, 8)).astype(np.int16))
        labels = sitk.GetImageFromArray(rng.choice([0, 1, 9, 100, 104, 201, 209], (4, 6, 8)).astype(np.uint16))
        for image, part in ((grey, "images"), (labels, "masks")):
            image.SetSpacing((0.5, 0.6, 1.1))
            image.SetOrigin((-30.0, 12.0, 80.0))
            image.SetDirection((0, 0, -1, 0, 1, 0, -1, 0, 0))
            sitk.WriteImage(image, str(folder / part / f"{name}.mha"))
    (folder / "overview.csv").write_text(
        "new_file_name,num_vertebrae,sex,birth_date,subset\n"
        "7_t2,7,F,57,training\n7_t2_SPACE,7,F,57,training\n12_t2_SPACE,8,M,33,validation\n",
        encoding="utf-8",
    )
    return folder


def test_what_is_laid_out_reads_back_with_its_place_in_the_patient(record, tmp_path):
    assert lay_out(record, tmp_path / "spider") == ["7", "12"]
    seven, twelve = spider.read(tmp_path / "spider")
    assert [(p.person_id, p.age_years, p.sex) for p in (seven, twelve)] == [("7", 57.0, "F"), ("12", 33.0, "M")]
    assert seven.volume.spacing_mm == pytest.approx((1.1, 0.6, 0.5))

    published = sitk.ReadImage(str(record / "images" / "7_t2_SPACE.mha"))
    labels = sitk.ReadImage(str(record / "masks" / "7_t2_SPACE.mha"))
    for index in ((0, 0, 0), (7, 5, 3), (2, 4, 1)):
        x, y, z = published.TransformIndexToPhysicalPoint(index)  # LPS
        here = np.linalg.inv(seven.volume.affine) @ (-x, -y, z, 1)
        i, j, k = np.rint(here[:3]).astype(int)
        assert seven.volume.array[i, j, k] == published[index]
        assert seven.mask.array[i, j, k] == structures(np.array(labels[index]))


def test_the_people_wanted_and_no_others(record, tmp_path):
    assert lay_out(record, tmp_path / "spider", people=["12"]) == ["12"]
    assert sorted(p.name for p in (tmp_path / "spider" / "space").iterdir()) == ["12_T2w.nii.gz", "12_mask.nii.gz"]


def test_a_number_that_spider_does_not_have_is_refused():
    with pytest.raises(InputError, match=r"labels 26, 226 in a SPIDER mask; wanted: vertebrae 1–25"):
        structures(np.array([0, 26, 201, 226]))


def test_what_is_missing_is_named(record, tmp_path, capsys):
    with pytest.raises(InputError, match=r"no T2 SPACE series in .*images for 8; .*unpack images.zip"):
        lay_out(record, tmp_path / "spider", people=["7", "8"])
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "overview.csv").write_bytes((record / "overview.csv").read_bytes())
    with pytest.raises(InputError, match=r"no T2 SPACE series in .* for \*_t2_SPACE.mha"):
        lay_out(tmp_path / "empty", tmp_path / "spider")
    (record / "overview.csv").write_text("series,sex\n7_t2_SPACE,F\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"overview.csv has no column new_file_name, birth_date, subset"):
        lay_out(record, tmp_path / "spider")
    assert main([str(tmp_path / "nowhere"), str(tmp_path / "spider")]) == 1
    assert "overview.csv cannot be read (No such file or directory)" in capsys.readouterr().err


def test_a_broken_file_is_refused(record, tmp_path):
    (record / "images" / "7_t2_SPACE.mha").write_bytes(b"not an image")
    with pytest.raises(InputError, match=r"7_t2_SPACE.mha or its mask cannot be read"):
        lay_out(record, tmp_path / "spider")
