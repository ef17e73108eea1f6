"""One made-up lumbar scan: who is in it, its discs' heights against the shapes it was painted from, and age's work."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from spineclock.core.errors import UsageError
from spineclock.core.geometry import canonical
from spineclock.core.volume import Mask
from spineclock.phantom.anatomy.body import anatomy_of
from spineclock.phantom.anatomy.shapes import lower_plate, upper_plate
from spineclock.phantom.lumbar import DRAWN, lumbar_scan, made_up_person
from spineclock.phantom.mri.scanner import Request
from spineclock.phantom.people import people
from spineclock.phantom.series import Series

THICK = Request("lumbar")
LUMBAR_DISCS, LUMBAR_BODIES = (120, 121, 122, 123, 124), (220, 221, 222, 223, 224)


@cache
def scan(age_years: float, seed: int) -> Series:
    return lumbar_scan(age_years=age_years, sex="F", seed=seed, request=THICK)


@pytest.mark.parametrize(("age", "sex"), [(34, "F"), (61.5, "M")])
def test_the_person_is_the_nearest_of_that_sex_and_as_old_as_asked(age, sex):
    who = made_up_person(age_years=age, sex=sex, seed=3)
    assert (who.age_years, who.spine_age_years, who.sex) == (age, age, sex)
    some = people(DRAWN, seed=3)
    both = some.table[["scan_id", "sex", "age_years"]].assign(spine=some.truth["spine_age_years"]).query("sex == @sex")
    away = abs(both["age_years"] - age) + abs(both["spine"] - age)
    assert away[both["scan_id"] == who.scan_id].item() == away.min() < 4  # so that findings are of about that age
    k = int(np.flatnonzero(some.table["scan_id"] == who.scan_id)[0])
    assert (who.pfirrmann == some.attributes.pfirrmann[k]).all()


def test_same_arguments_same_samples_and_another_seed_another_person():
    first, again = (lumbar_scan(age_years=50, sex="M", seed=7, request=THICK) for _ in range(2))
    for ours, theirs in ((first.volume, again.volume), (first.labels, again.labels)):
        assert (ours.array == theirs.array).all()
        assert (ours.affine == theirs.affine).all()
    other = lumbar_scan(age_years=50, sex="M", seed=8, request=THICK)
    assert other.volume.shape != first.volume.shape or not (other.labels.array == first.labels.array).all()


def test_the_usual_scan_is_a_canonical_slab_of_thin_slices_with_all_labels():
    series = lumbar_scan(age_years=34, sex="F", seed=6)
    assert (series.weighting, series.station, series.facts["MRAcquisitionType"]) == ("T2w", "", "3D")
    assert series.volume.spacing_mm[0] == pytest.approx(1.0)
    assert (series.volume.array.dtype, series.labels.array.dtype) == (np.int16, np.uint16)
    assert canonical(series.volume).affine.tolist() == series.volume.affine.tolist() == series.labels.affine.tolist()
    wanted = {part + v for part in (100, 200, 300) for v in (18, 19, 20, 21, 22, 23, 24)} | {60, 62, 26}
    assert wanted <= set(np.unique(series.labels.array).tolist())


def height_in_labels(labels: Mask, disc: np.void) -> float:
    """Mean length (mm) of a disc's label along lines across it near its middle."""
    ahead, up = np.meshgrid(np.arange(-3, 3.1, 0.5), np.arange(-15, 15, 0.05))
    points = disc["centre"] + ahead[..., None] * disc["axes"][1] + up[..., None] * disc["axes"][2]
    points = np.concatenate([points, np.ones((*up.shape, 1))], axis=-1)
    index = np.rint(points @ np.linalg.inv(labels.affine).T).astype(int)[..., :3]
    return float((labels.array[tuple(np.moveaxis(index, -1, 0))] == disc["label"]).sum() * 0.05 / ahead.shape[1])


def height_between(disc: np.void, upper: np.void, lower: np.void) -> float:
    """Mean distance (mm) of its neighbours' end plates along the same lines."""

    def place(body: np.void, ahead: float) -> np.ndarray:
        return body["axes"] @ (disc["centre"] + ahead * disc["axes"][1] - body["centre"])

    gaps = []
    for ahead in np.arange(-3, 3.1, 0.5):
        right, front, up = place(upper, ahead)
        above = lower_plate(upper, right, front) - up
        right, front, up = place(lower, ahead)
        gaps.append(above + up - upper_plate(lower, right, front))
    return float(np.mean(gaps))


@pytest.mark.parametrize("age", [25, 80])
def test_disc_heights_in_the_labels_are_those_between_the_end_plates(age):
    spine = anatomy_of(made_up_person(age_years=age, sex="F", seed=2), seed=2)
    for disc in spine.discs[np.isin(spine.discs["label"], LUMBAR_DISCS)]:
        wanted = height_between(disc, *spine.bodies[[disc["upper"], disc["lower"]]])
        assert height_in_labels(scan(age, 2).labels, disc) == pytest.approx(wanted, abs=0.75)  # a pixel is 0.55 mm


@pytest.mark.slow
def test_age_darkens_discs_and_brightens_marrow():
    """Means over people, each tissue over the CSF round the roots, which does not age."""

    def over_csf(age: float, numbers: tuple[int, ...]) -> float:
        found = []
        for seed in (1, 2, 3):
            v, m = scan(age, seed).volume.array, scan(age, seed).labels.array
            found.append(v[np.isin(m, numbers)].mean() / np.percentile(v[m == 62], 75))
        return float(np.mean(found))

    assert over_csf(25, LUMBAR_DISCS) > 1.15 * over_csf(80, LUMBAR_DISCS)
    assert over_csf(80, LUMBAR_BODIES) > 1.3 * over_csf(25, LUMBAR_BODIES)


@pytest.mark.parametrize("age", [5, 120, float("nan")])
def test_ages_without_a_model_are_refused(age):
    with pytest.raises(UsageError, match=f"an age of {age} years; wanted: 10–100 years"):
        lumbar_scan(age_years=age, sex="F", seed=1)
