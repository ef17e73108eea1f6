"""Bodies of made-up people: sizes as published, and changed as their findings say."""

from __future__ import annotations

import numpy as np
import pytest
from bodies import USUAL, at, person

from spineclock.core.findings import LEVELS
from spineclock.phantom.anatomy.arches import arch_records
from spineclock.phantom.anatomy.body import anatomy_of
from spineclock.phantom.anatomy.dimensions import LEVELS as ALL_LEVELS
from spineclock.phantom.anatomy.dimensions import dimensions
from spineclock.phantom.anatomy.posture import frame
from spineclock.phantom.anatomy.template import template
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.people import people


def field(spine, level, name):
    return spine.bodies[spine.names.index(level)][name]


def heights(body):
    """Posterior, middle and anterior height of a body in the mid-sagittal plane."""
    from spineclock.phantom.anatomy.shapes import lower_plate, upper_plate

    rows = np.array([body])
    return [float(upper_plate(rows[0], 0.0, v * d) - lower_plate(rows[0], 0.0, v * d))
            for v, d in ((-1, body["depth_upper"]), (0, 1.0), (1, body["depth_upper"]))]  # fmt: skip


@pytest.mark.parametrize("sex", ["F", "M"])
@pytest.mark.parametrize(
    ("name", "field_name", "factor"),
    [("endplate_depth_upper_mm", "depth_upper", 2), ("endplate_width_lower_mm", "width_lower", 2)],
)
def test_sizes_are_those_of_the_table_on_average(sex, name, field_name, factor):
    spines = [anatomy_of(person(k, sex=sex), seed=2) for k in range(60)]
    wanted = dimensions().of(name, woman=sex == "F") * template().sizes.get(name, 1.0)
    for level in ("C5", "T8", "L3"):
        found = np.mean([factor * field(s, level, field_name) for s in spines])
        assert found == pytest.approx(wanted[ALL_LEVELS.index(level)], rel=0.03)


def test_length_of_the_column_is_that_of_a_grown_person():
    spines = [anatomy_of(person(k), seed=2) for k in range(40)]
    length = np.mean([
        np.linalg.norm(np.diff(s.bodies["centre"][: s.names.index("S1") + 1], axis=0), axis=1).sum() for s in spines
    ])  # fmt: skip
    assert 500 < length < 600


def test_frames_are_rotations():
    turn = frame(0.3, -0.2, 0.5)
    assert np.allclose(turn @ turn.T, np.eye(3))
    assert np.linalg.det(turn) == pytest.approx(1)
    assert np.allclose(frame(0.3, 0, 0)[1], [0, np.cos(0.3), np.sin(0.3)])  # the front end goes up


def test_posterior_walls_run_on_without_a_step():
    spine = anatomy_of(person(), seed=1)
    presacral = spine.bodies[: spine.names.index("S1")]
    back = np.array([b["centre"] - b["axes"][1] * (b["depth_upper"] + b["depth_lower"]) / 2 for b in presacral])
    for upper, lower, b in zip(back[:-1], back[1:], presacral[1:], strict=True):
        step = (upper - lower) @ b["axes"][1]
        assert abs(step) < 6.5  # all of it the curve, none a slip


def test_slips_move_the_column_above_by_what_they_say():
    well = anatomy_of(person(), seed=1)
    slipped = anatomy_of(person(findings={"spondylolisthesis": at(L4=1)}), seed=1)
    depth = 2 * float(field(well, "L4", "depth_lower"))
    moved = [np.linalg.norm(field(slipped, v, "centre") - field(well, v, "centre")) for v in ("L5", "L4", "L3", "T5")]
    assert moved[0] == pytest.approx(0, abs=1e-9)
    assert 0.10 * depth < moved[1] < 0.35 * depth
    assert np.allclose(moved[1:], moved[1])


@pytest.mark.parametrize(("grade", "low", "high"), [(1, 0.19, 0.27), (2, 0.25, 0.41), (3, 0.40, 0.55)])
def test_fractures_lose_the_height_their_genant_grade_says(grade, low, high):
    well = heights(anatomy_of(person(), seed=1).bodies[18])
    told = {"fracture_grade": at(L1=grade)}
    wedge = anatomy_of(person(**told, fracture_shape=at(L1=1)), seed=1)
    index = wedge.names.index("L1")
    assert index == 18
    back, _, front = heights(wedge.bodies[index])
    assert low - 0.03 < 1 - (front / back) / (well[2] / well[0]) < high + 0.03
    hollow = heights(anatomy_of(person(**told, fracture_shape=at(L1=2)), seed=1).bodies[index])
    assert low - 0.03 < 1 - (hollow[1] / hollow[0]) / (well[1] / well[0]) < high + 0.03
    crush = heights(anatomy_of(person(**told, fracture_shape=at(L1=3)), seed=1).bodies[index])
    assert 1 - crush[0] / well[0] == pytest.approx((0.20, 0.30, 0.45)[grade - 1], abs=0.02)


def test_discs_lose_height_by_their_grade():
    left = [
        anatomy_of(person(height_loss=at(L4=loss)), seed=1).discs["height"][LEVELS.index("L4") - 1] for loss in range(4)
    ]
    assert left == sorted(left, reverse=True)
    assert np.allclose(np.array(left) / left[0], [1, 0.86, 0.70, 0.50], atol=0.06)


def test_everyone_has_the_levels_the_tables_say():
    exists = USUAL | np.isin(LEVELS, ["T13", "L6"])
    spine = anatomy_of(person(exists=exists, pfirrmann=np.where(exists, 1, 0).astype(np.int8)), seed=1)
    assert spine.names[:25] == tuple(level for level in LEVELS if level != "L7")
    assert spine.bodies["label"][18] == 200 + 28
    assert spine.bodies["label"][24] == 200 + 25
    assert spine.discs["label"].tolist()[-5:] == [124, 125, 26, 26, 26]


def test_a_person_keeps_the_body_between_scans_and_ages():
    first, later = (
        anatomy_of(person(scan_id=f"sub-1_ses-{k}", session=k, age_years=age, spine_age_years=age), seed=4)
        for k, age in ((1, 40.0), (2, 60.0))
    )
    assert np.allclose(field(first, "L3", "width_upper"), field(later, "L3", "width_upper"))
    assert field(later, "L3", "fat") > field(first, "L3", "fat") + 0.05
    assert field(later, "L3", "spur_upper") > field(first, "L3", "spur_upper")
    other = anatomy_of(person(2), seed=4)
    assert not np.allclose(field(first, "L3", "width_upper"), field(other, "L3", "width_upper"))


SINGLE = {
    **{name: {"findings": {name: at(L2=1)}} for name in ("bone_lesion", "annular_fissure", "protrusion", "extrusion",
                                                         "disc_bulge", "endplate_change", "spinal_stenosis")},
    "fracture": {"fracture_grade": at(L2=1), "fracture_shape": at(L2=3)},
    **{name: {"whole": frozenset({name})} for name in ("scoliosis", "transitional_vertebra", "cord_abnormality")},
    "worn discs": {"pfirrmann": np.where(USUAL, 4, 0).astype(np.int8)},
}  # fmt: skip


@pytest.mark.parametrize("change", SINGLE)
def test_a_finding_that_comes_changes_nothing_else(change):
    well, ill = anatomy_of(person(), seed=1), anatomy_of(person(**SINGLE[change]), seed=1)
    for name in ("fat", "vein", "phase", "width_upper", "waist"):
        assert np.allclose(well.bodies[name], ill.bodies[name]), name
    elsewhere = [k for k, name in enumerate(well.names) if name not in ("L1", "L2", "L3")]
    assert change == "worn discs" or (well.bodies["dent"][elsewhere] == ill.bodies["dent"][elsewhere]).all()
    discs = [k for k in range(23) if well.names[k] != "L2"]
    assert change == "worn discs" or np.allclose(well.discs["water"][discs], ill.discs["water"][discs])
    conus = [np.argmax(s.course["cord_depth"] > 0.5) + s.course_from_mm - field(s, "L1", "centre")[2]
             for s in (well, ill)]  # fmt: skip
    assert abs(conus[0] - conus[1]) < 6.0  # mm; a crushed L2 brings L1 down
    fat = [float((s.course["fascia"] - s.course["skin"]).max()) for s in (well, ill)]
    assert abs(fat[0] - fat[1]) < 1.0


def test_stenosis_and_narrow_canals_take_room():
    def area(**changes):
        spine = anatomy_of(person(**changes), seed=1)
        z = spine.discs["centre"][LEVELS.index("L3") - 1, 2]
        c = spine.course[int(z - spine.course_from_mm)]
        return float(np.pi * c["sac_depth"] * c["sac_width"])

    well = area()
    assert 120 < well < 260  # mm²
    assert area(findings={"spinal_stenosis": at(L3=1)}) < 0.65 * well
    assert area(whole=frozenset({"congenital_canal_narrowing"})) < 0.75 * well


def test_scoliosis_shows_as_a_curve_to_the_side():
    def cobb(spine):
        tilt = np.degrees(np.arcsin(spine.bodies["axes"][: spine.names.index("S1"), 2, 0]))
        return np.ptp(tilt)

    straight = np.array([cobb(anatomy_of(person(k), seed=1)) for k in range(40)])
    bent = np.array([cobb(anatomy_of(person(k, whole=frozenset({"scoliosis"})), seed=1)) for k in range(40)])
    assert np.median(straight) < 6
    assert np.median(bent) > 10
    assert bent.max() < 45


def test_arches_lie_behind_their_bodies_and_never_in_the_canal():
    spine = anatomy_of(person(), seed=1)
    for b in spine.blocks:
        if b["spinous"]:
            body = next(v for v in spine.bodies if v["label"] == b["label"] - 100)
            assert (b["centre"] - body["centre"]) @ body["axes"][1] < -body["depth_upper"] - 10


def test_without_ageing_no_body_is_its_own_persons():
    some = people(400, seed=5)
    drawn, swapped = traits_of(some), traits_of(some, world="ageing_off")
    assert [t.scan_id for t in drawn] == [t.scan_id for t in swapped]
    age, shown = (np.array([getattr(t, name) for t in swapped]) for name in ("age_years", "spine_age_years"))
    own = np.array([t.spine_age_years for t in drawn])
    assert abs(np.corrcoef(age, shown)[0, 1]) < 0.12
    assert np.corrcoef(age, own)[0, 1] > 0.9
    assert sorted(np.round(shown, 6))[::40] == pytest.approx(sorted(np.round(own, 6))[::40], abs=6)


def test_arch_records_name_their_vertebra():
    spine = anatomy_of(person(), seed=1)
    labels = set(spine.blocks["label"].tolist())
    assert {300 + n for n in (1, 2, 7, 8, 19, 20, 24)} | {26, 202, 408, 419} <= labels
    assert arch_records.__doc__
