"""The phantom's CT: HU against the person's density, sizes against the anatomy, muscle against the person's."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bodies import at, person
from scipy import ndimage

from spineclock.core.anatomy import ARCH, BODY, DISC, LEVEL_NUMBERS, Structure
from spineclock.core.errors import UsageError
from spineclock.phantom.anatomy.body import anatomy_of
from spineclock.phantom.anatomy.posture import build_of
from spineclock.phantom.anatomy.shapes import lower_plate, upper_plate
from spineclock.phantom.anatomy.template import template
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.ct.paint import painted, trunk_of
from spineclock.phantom.ct.scanner import Request, acquire
from spineclock.phantom.ct.style import Machine, machine_of, ranges
from spineclock.phantom.ct.tissue import FAT_HU, FLESH_HU, LEAN_HU, tissues
from spineclock.phantom.mri.paint import Grid
from spineclock.phantom.people import people

RECORD = Path(__file__).with_name("phantom_ct_record.json")
SMALL = Request(grid_shape=(96, 64, 112), kernel="soft", phase="native")
AT_120 = Machine("Siemens", 120.0, 10.0, 1.0, 0.0, 2.0, 0.0)
ERECTORS = (Structure.ERECTOR_LEFT, Structure.ERECTOR_RIGHT)
PSOAS = (Structure.PSOAS_LEFT, Structure.PSOAS_RIGHT)


def scan(someone=None, request=SMALL, seed=1):
    (series,) = acquire(someone or person(), request, seed=seed)
    return series


class Picture:
    """HU and labels without blur and noise round some levels, on 1 mm samples."""

    def __init__(self, someone, levels, *, phase="native", step=(1.0, 1.0, 1.0), wide=70):
        self.spine = anatomy_of(someone, seed=1)
        self.told = tissues(someone, self.spine, ranges("default").bone, phase=phase, machine=AT_120, seed=1)
        made = trunk_of(someone, self.spine, self.told, seed=1)
        bodies = [self.body(level) for level in levels]
        low, high = bodies[-1]["centre"][2] - 32, bodies[0]["centre"][2] + 32
        y, x = float(np.mean([b["centre"][1] for b in bodies])), made.middle_mm
        size = (2 * wide, 130, high - low)
        shape = tuple(math.ceil(s / d) for s, d in zip(size, step, strict=True))
        self.grid = Grid(shape, step, (x - wide, y - 75, low))
        self.hu, self.labels = painted(someone, self.spine, self.told, made, self.grid, seed=1)

    def body(self, level):
        return self.spine.bodies[self.spine.names.index(level)]

    def core(self, level, depth=4.0):
        """Samples well inside a body."""
        inside = ndimage.distance_transform_edt(self.labels == BODY + LEVEL_NUMBERS[level], sampling=self.grid.step_mm)
        return self.hu[inside > depth]

    def height(self, level, share):
        """From end plate to end plate along the body's own axis, mm in the label map."""
        b = self.body(level)
        v = share * float(b["depth_upper"] + b["depth_lower"]) / 2
        w = np.arange(-0.8, 0.8, 0.005) * float(b["height"])
        found = []
        for u in np.linspace(-4, 4, 9):
            mm = b["centre"] + u * b["axes"][0] + v * b["axes"][1] + w[:, None] * b["axes"][2]
            place = np.rint((mm - self.grid.origin_mm) / self.grid.step_mm).astype(int)
            inside = self.labels[tuple(place.T)] == b["label"]
            found.append(inside.sum() * (w[1] - w[0]))
        return float(np.mean(found)), float(
            np.mean([upper_plate(b, u, v) - lower_plate(b, u, v) for u in np.linspace(-4, 4, 9)])
        )


@pytest.fixture(scope="module")
def lumbar() -> Picture:
    return Picture(person(), ("L1", "L2", "L3"))


def test_trabecular_hu_of_each_level_is_what_mineral_and_marrow_say(lumbar):
    away = {level: lumbar.core(level).mean() - lumbar.told.trabecular_hu[level] for level in ("L1", "L2", "L3")}
    assert np.abs(list(away.values())).max() < 18  # a body's own texture
    assert abs(np.mean(list(away.values()))) < 8
    told = lumbar.told.trabecular_hu
    assert told["T8"] > told["L3"] > 100


@pytest.mark.parametrize(("levels"), [("T11", "T12", "L1"), ("L2", "L3", "L4")])
def test_heights_in_the_label_map_are_the_anatomy_s_within_5_percent(levels):
    picture = Picture(person(3), levels, wide=35, step=(1.0, 0.8, 1.0))
    ratios = [np.divide(*picture.height(level, share)) for level in levels for share in (-0.6, 0.0, 0.6)]
    assert np.abs(np.array(ratios) - 1).max() < 0.05
    assert np.mean(ratios) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("shape", "grade", "where"), [(1, 3, "front"), (2, 3, "middle"), (3, 3, "behind"), (1, 1, "front")]
)
def test_fractures_have_their_own_shapes(shape, grade, where):
    def heights(grade, shape):
        broken = person(5, fracture_grade=at(L1=grade), fracture_shape=at(L1=shape))
        picture = Picture(broken, ("L1",), wide=30)
        return np.array([picture.height("L1", share)[0] for share in (-0.6, 0.0, 0.6)])

    behind, middle, front = heights(grade, shape) / heights(0, 0)
    lost = {"front": front, "middle": middle, "behind": behind}[where]
    assert lost < (0.72 if grade == 3 else 0.92)
    if where == "front":
        assert behind > front + 0.08
    if where == "middle":
        assert middle < min(behind, front) - 0.1


@pytest.fixture(scope="module")
def muscular() -> Picture:
    return Picture(person(4, erector_fat_percent=24.0, psoas_index_cm2_m2=5.0), ("L3",), wide=100)


def test_the_psoas_has_the_area_that_the_person_s_index_says(muscular):
    someone = person(4, psoas_index_cm2_m2=5.0)
    scale = build_of(someone, template(), lambda name: someone.stream(1, name, of_person=True)).scale
    wanted = 5.0 * (1.77 * scale) ** 2 / 2  # cm² a side
    k = round((muscular.body("L3")["centre"][2] - muscular.grid.origin_mm[2]) / muscular.grid.step_mm[2])
    for side in PSOAS:
        assert (muscular.labels[:, :, k] == side).sum() / 100 == pytest.approx(wanted, rel=0.05)


def test_muscles_hold_the_share_of_fat_that_the_person_s_do(muscular):
    bone = ndimage.binary_dilation((muscular.labels > ARCH) | (muscular.labels == 0), iterations=3)
    both = np.isin(muscular.labels, ERECTORS) & ~bone  # bone is brighter, and covers parts of samples
    fat = (LEAN_HU - muscular.hu[both].mean()) / (LEAN_HU - FAT_HU)
    assert fat == pytest.approx(0.24, abs=0.02)
    assert muscular.hu[np.isin(muscular.labels, PSOAS)].mean() > muscular.hu[both].mean() + 10


def test_left_is_left():
    labels, affine = scan().labels.array, scan().labels.affine
    middle = affine[0, 3] + affine[0, 0] * ndimage.center_of_mass(labels == BODY + LEVEL_NUMBERS["L3"])[0]
    for left, right in (ERECTORS, PSOAS):
        x = [affine[0, 3] + affine[0, 0] * ndimage.center_of_mass(labels == side)[0] for side in (left, right)]
        assert x[0] < middle - 15 < middle + 15 < x[1]


def test_less_muscle_and_more_fat_show():
    def of(someone):
        series = scan(someone)
        both = np.isin(series.labels.array, ERECTORS)
        return both.sum(), series.volume.array[both].mean()

    weak = of(person(psoas_index_cm2_m2=4.0))
    fat = of(person(erector_fat_percent=40.0))
    area, hu = of(person())
    assert weak[0] < 0.9 * area
    assert fat[1] < hu - 25


def test_contrast_raises_what_takes_it_up():
    native, venous = (Picture(person(), ("L2",), phase=phase) for phase in ("native", "portal_venous"))
    rise = venous.core("L2").mean() - native.core("L2").mean()
    assert 8 < rise < 22  # Pickhardt et al.: about 11 HU
    assert venous.told.flesh["artery"] - native.told.flesh["artery"] == pytest.approx(108)
    assert venous.told.flesh["fat"] == native.told.flesh["fat"] == FAT_HU
    labels = native.labels == Structure.CANAL
    assert abs(venous.hu[labels].mean() - native.hu[labels].mean()) < 2


def test_lower_tube_voltage_makes_mineral_brighter():
    spine = anatomy_of(person(), seed=1)
    told = {
        kv: tissues(person(), spine, ranges("default").bone, phase="native", machine=replace(AT_120, kilovolts=kv),
                    seed=1).trabecular_hu["L1"]
        for kv in (100.0, 120.0, 140.0)
    }  # fmt: skip
    assert told[100.0] > 1.08 * told[120.0] > 1.08 * told[140.0]


def l1_hu(world: str, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """L1's trabecular HU, age and T-score of people of a world, on one scanner."""
    some = traits_of(people(n, seed=8), world=world)
    bone = ranges(world).bone
    hu = [
        tissues(t, anatomy_of(t, seed=8, world=world), bone, phase="native", machine=AT_120, seed=8).trabecular_hu["L1"]
        for t in some
    ]
    return np.array(hu), np.array([t.age_years for t in some]), np.array([t.lumbar_t_score for t in some])


@pytest.mark.slow
def test_l1_falls_with_age_and_goes_with_the_t_score_as_in_the_literature():
    hu, age, score = l1_hu("default", 400)
    slope, level = np.polyfit(age, hu, 1)
    assert slope == pytest.approx(-2.5, abs=0.4)  # HU a year, and 226 HU below 30 (Jang et al., 2019)
    assert level + 27.5 * slope == pytest.approx(226, abs=15)
    assert hu[age > 75].mean() == pytest.approx(100, abs=20)
    assert np.std(hu - slope * age) == pytest.approx(42, abs=8)  # 38 to 44
    old = age >= 50
    assert 0.5 < np.corrcoef(hu[old], score[old])[0, 1] < 0.75
    thin = hu[old & (score <= -2.5)]
    assert np.median(thin) < 110 < np.median(hu[old & (score > -1)])  # Pickhardt et al., 2013


@pytest.mark.slow
def test_where_ageing_is_off_bone_knows_no_age():
    hu, age, _ = l1_hu("ageing_off", 200)
    assert abs(np.corrcoef(hu, age)[0, 1]) < 0.15


def test_a_scan_is_a_pure_function_of_person_request_and_seed():
    first = scan()
    scan(person(2), seed=9)
    again = scan()
    for one, other in ((first.volume, again.volume), (first.labels, again.labels)):
        assert hashlib.sha256(one.array.tobytes()).digest() == hashlib.sha256(other.array.tobytes()).digest()
    assert first.facts == again.facts
    assert not (first.volume.array == scan(seed=2).volume.array).all()


def test_voxels_are_those_on_record_within_one_hu():
    told = json.loads(RECORD.read_text(encoding="utf-8"))
    series = scan()
    places = tuple(np.array(told["places"]).T)
    assert np.abs(series.volume.array[places].astype(int) - told["samples"]).max() <= 1
    assert (series.labels.array[places] == told["labels"]).mean() > 0.999


def test_age_itself_changes_nothing_only_the_spine_s_age_does():
    young, old_on_paper = scan(), scan(person(age_years=80.0, spine_age_years=40.0))
    assert (young.volume.array == old_on_paper.volume.array).all()
    assert (
        scan(person(spine_age_years=80.0)).facts["SimulatedTrabecularHU"]["L1"]
        < 0.75 * (young.facts["SimulatedTrabecularHU"]["L1"])
    )


def test_phase_and_kernel_change_no_anatomy():
    one, other = scan(), scan(request=replace(SMALL, kernel="bone", phase="portal_venous"))
    assert (one.labels.array == other.labels.array).all()


def test_the_label_map_names_what_is_there():
    labels = set(np.unique(scan().labels.array).tolist())
    for level in ("T10", "T12", "L1", "L5"):
        assert {offset + LEVEL_NUMBERS[level] for offset in (BODY, ARCH, DISC)} <= labels
    assert {*map(int, (*ERECTORS, *PSOAS, Structure.CANAL, Structure.SUBCUTANEOUS_FAT)), LEVEL_NUMBERS["S1"]} <= labels
    assert not {int(Structure.CORD), int(Structure.CSF)} & labels


def test_the_whole_trunk_is_in_the_picture():
    series = scan(request=Request(pixel_mm=3.0, slice_mm=5.0, phase="portal_venous", kernel="soft"))
    hu = series.volume.array
    edges = np.concatenate([hu[0].ravel(), hu[-1].ravel(), hu[:, -1].ravel()])
    assert np.median(edges) == pytest.approx(-1000, abs=10)
    assert np.median(hu[:, :, -2][hu[:, :, -2] > -950]) < FLESH_HU["liver"][1]
    assert ((hu > -900) & (hu < -700))[:, :, -6:].sum() > 200  # lungs at the top
    assert series.facts["ReconstructionDiameter"] > 300


def test_metal_free_scanners_differ_between_makers_and_worlds():
    one = machine_of("site-01-siemens-2", "Siemens", "default")
    assert one == machine_of("site-01-siemens-2", "Siemens", "default")
    assert one != machine_of("site-01-siemens-2", "Siemens", "shifted")
    some = [machine_of(f"s{k}", "GE", "default") for k in range(40)]
    assert {m.kilovolts for m in some} == {100.0, 120.0, 140.0}
    assert max(m.noise_hu for m in some) < min(ranges("shifted").noise_hu) + 3


def test_facts_state_what_readers_ask_for():
    facts = scan().facts
    assert (facts["Modality"], facts["ConvolutionKernel"], facts["ContrastPhase"]) == ("CT", "Br38f", "native")
    assert facts["ContrastBolusAgent"] == ""
    drawn = [scan(person(k), Request(grid_shape=(8, 8, 8))).facts for k in range(12)]
    assert {f["ContrastPhase"] for f in drawn} == {"native", "portal_venous"}
    assert {f["SimulatedKernel"] for f in drawn} == {"soft", "bone"}


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"coverage": "head"}, "the coverage 'head'; wanted: one of abdomen, thoracolumbar"),
        ({"kernel": "lung"}, "the kernel 'lung'; wanted: one of soft, bone"),
        ({"phase": "late"}, "the phase 'late'"),
        ({"slice_mm": 8.0}, "slices of 8 mm; wanted: 0.5 to 5 mm"),
        ({"pixel_mm": 9.0}, "pixels of 9 mm"),
        ({"tilt_deg": 45.0}, "a gantry tilt of 45°"),
        ({"grid_shape": (4, 64, 64)}, "a grid of (4, 64, 64)"),
        ({"grid_shape": (16, 64, 64), "slice_mm": 2.0}, "both a grid and a slice or pixel size"),
        ({"world": "mars"}, "no phantom world is called 'mars'"),
    ],
)
def test_what_no_scan_can_be_is_refused(told, message):
    with pytest.raises(UsageError) as error:
        Request(**told)
    assert message in str(error.value)
