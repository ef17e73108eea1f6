"""The phantom's MRI scanner: physics against hand-worked numbers, geometry against itself, voxels against a record."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from bodies import at, person
from scipy import ndimage

from spineclock.core.anatomy import BODY
from spineclock.core.errors import UsageError
from spineclock.core.findings import LEVELS
from spineclock.core.geometry import resample_like
from spineclock.core.records import Scan
from spineclock.ingest.stitch import stitch
from spineclock.phantom.anatomy.body import anatomy_of
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.mri.acquire import drawn_artefacts
from spineclock.phantom.mri.scanner import Request, acquire
from spineclock.phantom.mri.style import ranges, scanner_of
from spineclock.phantom.mri.tissue import SpinEcho
from spineclock.phantom.people import people
from spineclock.segment.schemes import from_spineclock, left_out

SMALL = Request(grid_shape=(16, 128, 64))
RECORD = Path(__file__).with_name("phantom_mri_record.json")


def scan(traits=None, request=SMALL, seed=1):
    (series,) = acquire(traits or person(), request, seed=seed)
    return series


def mean(series, label):
    return float(series.volume.array[series.labels.array == label].mean())


def test_spin_echo_is_the_textbook_formula():
    echo = SpinEcho(3500, 100, 1.5)
    assert echo.signal("csf") == pytest.approx((1 - math.exp(-3500 / 4300)) * math.exp(-100 / 1500))
    assert echo.signal("muscle") == pytest.approx(0.80 * (1 - math.exp(-3500 / 950)) * math.exp(-100 / 40))
    assert echo.mixed("muscle", "fat", 0.25) == pytest.approx(0.75 * echo.signal("muscle") + 0.25 * echo.signal("fat"))
    assert SpinEcho(550, 10, 3.0).signal("muscle") < SpinEcho(550, 10, 1.5).signal("muscle")  # T1 is longer at 3 T


def test_a_training_grid_of_the_lumbar_spine_is_the_scanner_s_slab_on_coarser_voxels():
    fine = scan(request=Request("lumbar", slices="space"))
    coarse = scan(request=Request("lumbar", slices="space", grid_shape=(16, 144, 120)))
    assert coarse.volume.spacing_mm == pytest.approx((2, 2, 2))
    assert coarse.volume.shape[1:] == (120, 144)
    assert abs(coarse.volume.shape[0] * 2 - fine.volume.shape[0]) <= 1  # slabs of 14 to 29 slices of 1 mm
    for name in ("volume", "labels"):  # both about one middle
        ends = [getattr(s, name).affine @ [*((np.array(s.volume.shape) - 1) / 2), 1] for s in (fine, coarse)]
        assert np.abs(ends[0] - ends[1]).max() < 1
    ml = [(s.labels.array == 22 + BODY).sum() * s.volume.voxel_mm3 / 1000 for s in (fine, coarse)]  # L3
    assert ml[1] == pytest.approx(ml[0], rel=0.15)
    assert mean(coarse, 22 + BODY) == pytest.approx(mean(fine, 22 + BODY), rel=0.15)


def test_same_seed_same_voxels_whatever_came_before():
    first = scan()
    scan(person(2), seed=9)
    again = scan()
    assert (first.volume.array == again.volume.array).all()
    assert (first.labels.array == again.labels.array).all()
    assert not (first.volume.array == scan(seed=2).volume.array).all()


def test_voxels_are_those_on_record_within_one_grey_level():
    told = json.loads(RECORD.read_text(encoding="utf-8"))
    series = scan()
    places = tuple(np.array(told["places"]).T)
    assert np.abs(series.volume.array[places].astype(int) - told["samples"]).max() <= 1
    assert (series.labels.array[places] == told["labels"]).mean() > 0.999


def test_noise_is_rician():
    series = scan(request=Request())
    machine = scanner_of("site-01-siemens-2", "default")
    air = series.volume.array[:, :6, 300:340].astype(float)
    sigma = machine.full_scale * machine.noise
    assert air.mean() == pytest.approx(sigma * math.sqrt(math.pi / 2), rel=0.08)
    assert air.std() == pytest.approx(sigma * math.sqrt(2 - math.pi / 2), rel=0.07)


@pytest.mark.slow
def test_training_grid_is_the_full_picture_averaged(monkeypatch):
    quiet = replace(scanner_of("site-01-siemens-2", "default"), noise=0.0)
    monkeypatch.setattr("spineclock.phantom.mri.scanner.scanner_of", lambda name, world: quiet)
    full, small = scan(request=Request()), scan()
    thinned = full.volume.array.reshape(16, 2, 64, 4, 128, 5).mean(axis=(1, 3, 5))
    labels = small.labels.array.copy()
    labels[:6], labels[10:] = 0, 0  # farther out what lies beside the column is drawn once a slice
    inside = np.isin(labels, [26, 60, 62]) | ((labels > 100) & (labels < 400))
    assert np.corrcoef(thinned[inside], small.volume.array[inside])[0, 1] > 0.93
    for label in (222, 26, 62):
        assert small.volume.array[labels == label].mean() == pytest.approx(thinned[labels == label].mean(), rel=0.08)
    for label in (220, 222, 26, 62):
        sizes = [np.count_nonzero(s.labels.array == label) * s.labels.voxel_mm3 for s in (full, small)]
        assert sizes[1] == pytest.approx(sizes[0], rel=0.15)


@pytest.mark.slow
def test_every_structure_is_there_in_one_piece():
    series = scan(request=Request())
    labels = series.labels.array
    wanted = {200 + n for n in range(2, 25)} | {300 + n for n in range(1, 25)} | {100 + n for n in range(2, 25)}
    assert wanted | {26, 60, 62, 71, 72, 73, 74, 75} <= set(np.unique(labels).tolist())
    for number in (*range(202, 225), *range(102, 125), 60, 62):
        pieces, n = ndimage.label(labels == number, np.ones((3, 3, 3)))
        sizes = np.bincount(pieces.ravel())[1:]
        assert sizes.max() > 0.97 * sizes.sum(), (number, n)
    middles = {n: ndimage.center_of_mass(labels == n)[2] for n in (*range(202, 225), *range(102, 125))}
    for n in range(2, 24):  # body, the disc below it, the next body
        assert middles[200 + n] > middles[100 + n] > middles[201 + n]


def test_bright_and_dark_as_radiologists_know_them():
    t2, t1 = acquire(person(), Request("lumbar", ("T2w", "T1w")), seed=1)
    assert mean(t2, 62) > 1.5 * mean(t2, 222)
    assert mean(t2, 222) > 1.5 * mean(t2, 71)
    assert mean(t1, 62) < 0.65 * mean(t1, 222)
    assert mean(t1, 75) > mean(t1, 222) > mean(t1, 71)


def test_discs_darken_grade_by_grade():
    def ratio(grade):
        healthy = person()
        told = np.where(healthy.pfirrmann > 0, grade, 0).astype(np.int8)
        series = scan(replace(healthy, pfirrmann=told), Request("lumbar"))
        return mean(series, 122) / mean(series, 62)

    found = [ratio(grade) for grade in range(1, 6)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 1.6 * found[3]


def test_findings_show_where_they_are():
    request = Request("lumbar", ("T2w",), "space")
    well = scan(person(), request)
    bulging = scan(person(findings={"disc_bulge": at(L4=3), "extrusion": at(L4=2)}), request)
    assert np.count_nonzero(bulging.labels.array == 123) > 1.05 * np.count_nonzero(well.labels.array == 123)
    csf = [np.count_nonzero(s.labels.array == 62) for s in (well, bulging)]
    assert csf[1] < csf[0]
    lesion = scan(person(findings={"bone_lesion": at(L2=1)}), request)
    body = well.labels.array == 221
    assert lesion.volume.array[body].std() > 1.15 * well.volume.array[body].std()


def test_marrow_turns_fatty_with_spine_age_not_with_age():
    def marrow(**ages):
        return mean(acquire(person(**ages), Request("lumbar", ("T1w",)), seed=1)[0], 222)

    young, old = marrow(), marrow(age_years=80.0, spine_age_years=80.0)
    assert old > 1.1 * young
    assert marrow(age_years=80.0, spine_age_years=40.0) == pytest.approx(young, rel=1e-6)


@pytest.mark.slow
def test_three_stations_overlap_and_show_one_spine():
    stations = acquire(person(), Request("stations"), seed=1)
    assert [s.station for s in stations] == ["cervical", "thoracic", "lumbar"]
    for upper, lower in pairwise(stations):
        assert lower.volume.affine[2, 3] < upper.volume.affine[2, 3]
        top = lower.volume.affine[2, 3] + lower.volume.spacing_mm[2] * lower.volume.shape[2]
        assert 30 < top - upper.volume.affine[2, 3] < 65
        moved = resample_like(lower.labels, upper.labels.shape, upper.labels.affine).array
        both = (moved > 200) & (moved < 230)
        assert (upper.labels.array[both] == moved[both]).mean() > 0.9


@pytest.mark.slow
def test_stations_stitched_are_the_spine_again():
    stations = acquire(person(), Request("stations"), seed=1)
    scans = [Scan(s.station, s.volume, Path(s.station), modality="MR", sequence="T2w", mask=s.labels) for s in stations]
    whole = stitch(scans)
    labels = whole.mask.array
    for number in (*range(202, 225), *range(102, 125), 60, 62):
        pieces, _ = ndimage.label(labels == number, np.ones((3, 3, 3)))
        sizes = np.bincount(pieces.ravel())[1:]
        assert sizes.max() > 0.97 * sizes.sum(), number
    at_once = scan(request=Request())
    pairs = ((whole.volume, whole.mask), (at_once.volume, at_once.labels))
    marrow = np.array([[v.array[m.array == 200 + n].mean() for v, m in pairs] for n in range(3, 25)])
    ratio = np.log(marrow[:, 0] / marrow[:, 1])
    assert np.abs(np.diff(ratio)).max() < 0.12  # no step from one station to the next


def test_label_maps_are_written_in_other_numberings():
    series = scan(request=Request("lumbar"))
    spider = from_spineclock(series.labels, "spider").array
    assert ((spider == 1) == np.isin(series.labels.array, (224, 324))).all()  # L5, the lowest
    assert ((spider == 201) == (series.labels.array == 124)).all()
    assert ((spider == 100) == np.isin(series.labels.array, (60, 62))).all()
    tss = from_spineclock(series.labels, "totalspineseg").array
    for there, ours in ((45, (224, 324)), (41, (220, 320)), (100, (124,)), (50, (26,)), (1, (60,)), (2, (62,))):
        assert ((tss == there) == np.isin(series.labels.array, ours)).all(), there
    assert {n // 100 for n in left_out(series.labels, "totalspineseg")} == {0, 4}  # muscles, fat and ribs


def test_scanners_and_artefacts_know_no_age():
    spine = anatomy_of(person(), seed=1)
    rng = np.random.default_rng(0)
    drawn = [drawn_artefacts(spine, ranges("default"), rng) for _ in range(4000)]
    told = ranges("default")
    for name, rate in (("motion", told.motion_rate), ("flow", told.flow_rate), ("metal", told.metal_rate)):
        found = np.mean([name in a.words for a in drawn])
        assert found == pytest.approx(rate, abs=4 * math.sqrt(rate / 4000))
    some = traits_of(people(600, seed=1))
    noise = [scanner_of(t.scanner, "default").noise for t in some]
    assert abs(np.corrcoef(noise, [t.age_years for t in some])[0, 1]) < 0.1


def test_motion_and_metal_change_the_picture():
    plain = scan(person(3), Request("lumbar"))
    spine = anatomy_of(person(3), seed=1)
    from spineclock.phantom.mri import acquire as acquisition

    signal = plain.volume.array.astype(np.float32)
    from spineclock.phantom.mri.paint import Grid

    grid = Grid(plain.volume.shape, plain.volume.spacing_mm, tuple(plain.volume.affine[:3, 3]))
    ghosts = acquisition._ghosted(signal, acquisition.Artefacts(motion=0.2), grid)
    assert ghosts[:, :4].mean() > 0
    assert np.abs(ghosts - signal).mean() > 0.01 * signal.mean()
    blotted = signal.copy()
    blotted = acquisition._with_metal(blotted, spine, grid, spine.lumbar_mm)
    assert np.count_nonzero(blotted < 0.1 * signal) > 1000


def test_worlds_differ_and_requests_are_checked():
    assert not (scan().labels.array == scan(request=replace(SMALL, world="shifted")).labels.array).all()
    for wrong, words in (
        ({"coverage": "neck"}, "the coverage 'neck'"),
        ({"weightings": ("PDw",)}, "the weighting 'PDw'"),
        ({"grid_shape": (16, 0, 64)}, "three whole numbers"),
        ({"grid_shape": (16, 128, 64), "coverage": "stations"}, "a grid for the coverage stations"),
        ({"world": "upside_down"}, "no phantom world is called 'upside_down'"),
    ):
        with pytest.raises(UsageError, match=words):
            Request(**wrong)


def test_levels_of_the_tables_are_those_of_the_picture():
    exists = np.array([level not in ("T13", "L7") for level in LEVELS])
    six = person(exists=exists, pfirrmann=np.where(exists, 2, 0).astype(np.int8))
    assert {225, 125, 325} <= set(np.unique(scan(six).labels.array).tolist())


if __name__ == "__main__":  # writes the record anew
    made = scan()
    rng = np.random.default_rng(3)
    spots = np.stack([rng.integers(0, n, 600) for n in made.volume.shape], axis=1)
    where = tuple(spots.T)
    RECORD.write_text(
        json.dumps(
            {
                "places": spots.tolist(),
                "samples": made.volume.array[where].tolist(),
                "labels": made.labels.array[where].tolist(),
            }
        )
        + "\n"
    )
