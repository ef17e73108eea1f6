"""A made-up trunk on a grid in HU, without blur or noise, and the true label map."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from spineclock.core.anatomy import Structure
from spineclock.phantom.anatomy.forms import Anatomy, Record, Records
from spineclock.phantom.anatomy.traits import Traits
from spineclock.phantom.ct import organs as viscera
from spineclock.phantom.ct.flesh import ERECTORS, FLESH, FORM, PSOAS, ROWS, cut_for, fill_muscles, paint_trunk
from spineclock.phantom.ct.tissue import FAT_HU, Tissues
from spineclock.phantom.mri.ground import Canvas, Floats, chance
from spineclock.phantom.mri.paint import (
    SPINE_HALF_MM,
    Grain,
    Grid,
    canvas_of,
    course_on,
    gather,
    paint_spine,
    split_canvas,
)
from spineclock.phantom.radiograph import beside
from spineclock.phantom.radiograph.flesh import trunk, vacuum_pockets

Rows = npt.NDArray[np.float64]
STEEP = 0.55
"""How sharply fat and lean part within a muscle: shares a standard deviation of its texture."""
PSOAS_FAT = 0.45
"""Share of fat in the psoas over that in the erector spinae (ours)."""
USUAL_PSOAS_INDEX = {"F": 4.7, "M": 6.1}
_SAC = int(Structure.CORD), int(Structure.CSF)


@dataclass(frozen=True, eq=False)
class Trunk:
    """What surrounds a made-up spine, at each millimetre of its course and as a whole."""

    rows: Rows
    """:data:`spineclock.phantom.ct.flesh.ROWS` and the trunk's half width, (13, heights)."""
    form: Record
    ribs: list[viscera.Curve]
    organs: Records
    """In HU of the scan's phase."""
    plaques: list[viscera.Curve]
    vacuum: Records

    @property
    def middle_mm(self) -> float:
        """x of the middle."""
        return float(np.median(self.rows[0]))


def trunk_of(person: Traits, spine: Anatomy, tissue: Tissues, *, seed: int) -> Trunk:
    """A person's trunk: build and muscles are the person's, what bowel holds and how deep the breath is the visit's."""
    visit = person.stream(seed, "inside ct")
    own = person.stream(seed, "trunk", of_person=True)
    outer = trunk(person, spine)
    rows = np.stack([*(spine.course[name] for name in ROWS), outer[-1]]).astype(np.float64)
    at = {name: float(b["centre"][2]) for name, b in zip(spine.names, spine.bodies, strict=True)}
    heavy = float(np.clip((person.bmi - 26) / 6, -1.2, 2.2))
    form = np.zeros((), FORM)
    form["subcutaneous"] = math.exp(0.3 * heavy + 0.15 * own.standard_normal()) * (1.1 if person.sex == "F" else 0.8)
    form["visceral"] = float(np.clip(0.5 + 0.12 * heavy + (0.08 if person.sex == "M" else 0.0)
                                     + 0.06 * own.standard_normal(), 0.25, 0.9))  # fmt: skip
    form["erector"] = math.sqrt(float(np.clip(person.psoas_index_cm2_m2 / USUAL_PSOAS_INDEX[person.sex], 0.4, 1.7)))
    form["crest_mm"] = at["L4"] - 6 + 5 * np.clip(own.standard_normal(), -2, 2)
    breath = at["T12"] + visit.normal(-8, 8)
    form["dome_mm"] = breath + 4, breath - 4
    form["rise_mm"] = 70, 64
    form["table_mm"] = float(rows[ROWS.index("skin")][_between(spine, at["L5"], at["T10"])].min()) - 3.0
    aorta = viscera.vessels(spine)[0]
    plaques = viscera.calcified(beside.aortic_plaques(person, spine, seed), aorta)
    return Trunk(rows, form[()], beside.ribs(spine, outer),
                 viscera.organs(person, spine, tissue.flesh, visit=visit, seed=seed), plaques,
                 vacuum_pockets(person, spine, seed))  # fmt: skip


def painted(
    person: Traits, spine: Anatomy, tissue: Tissues, made: Trunk, grid: Grid, *, seed: int
) -> tuple[Floats, npt.NDArray[np.uint16]]:  # fmt: skip
    """HU (float32) and labels (uint16), both of ``grid.shape``.

    What surrounds the spine is painted on the grid's own samples, the spine on samples split as
    :meth:`~spineclock.phantom.mri.paint.Grid.parts` says; with edges drawn by coverage that makes the partial volume.
    """
    texture = person.stream(seed, "texture ct", of_person=True)
    fine, islands, streaks, clouds = (chance(texture, smooth) for smooth in (0.55, 1.3, 0.85, 1.4))
    parts = grid.parts()
    soft = max(grid.step_mm[:2]) / parts[1]
    flesh = canvas_of(grid, (1, parts[1], 1), soft=max(soft, 0.5))
    flesh.signal.fill(-1000.0)
    _surround(flesh, person, spine, tissue, made, streaks, clouds)
    hu, labels = np.empty(grid.shape, np.float32), np.empty(grid.shape, np.uint16)
    gather(flesh.signal, flesh.labels, hu, labels, (0, 0), (1, parts[1], 1))
    x, y = _column(spine, flesh)
    if x[1] > x[0] and y[1] > y[0]:
        split = split_canvas(flesh, x, y, (parts[0], parts[2]), soft)
        course = course_on(spine, np.ones(len(spine.course), np.float32), split)
        paint_spine(split, replace(spine, bodies=tissue.bodies), tissue.spine, course, Grain(fine, islands, streaks))
        viscera.paint_pockets(split, made.vacuum, made.middle_mm, -900.0)
        gather(split.signal, split.labels, hu, labels, (x[0], y[0] // parts[1]), parts)
    viscera.clear_marks(labels)
    labels[(labels == _SAC[0]) | (labels == _SAC[1])] = Structure.CANAL  # CT does not tell cord from fluid
    return hu, labels


def _surround(
    canvas: Canvas, person: Traits, spine: Anatomy, tissue: Tissues, made: Trunk, streaks: Floats, clouds: Floats
) -> None:
    """Everything but the spine."""
    z = canvas.origin[2] + canvas.step[2] * np.arange(canvas.signal.shape[2])
    at = spine.course_from_mm + np.arange(made.rows.shape[1])
    rows = np.stack([np.interp(z, at, row) for row in made.rows])
    hu = tissue.flesh
    s = np.zeros((), FLESH)
    for name in FLESH.names or ():
        s[name] = hu[name]
    paint_trunk(canvas, rows, s[()], made.form, streaks, clouds)
    for numbers, factor in ((ERECTORS, 1.0), (PSOAS, PSOAS_FAT)):
        scores = canvas.signal[(canvas.labels == numbers[0]) | (canvas.labels == numbers[1])]
        fraction = float(np.clip(person.erector_fat_percent / 100 * factor, 0.005, 0.9))
        if scores.size:
            fill_muscles(canvas, numbers, cut_for(scores, fraction, STEEP), STEEP, hu["lean"], FAT_HU)
    viscera.paint_organs(canvas, made.organs, hu["gas"], clouds)
    radii = (9.5, 6.0, 6.0, 11.0, 6.5, 6.5)
    for k, (curve, radius) in enumerate(zip(viscera.vessels(spine), radii, strict=True)):
        blood = hu["artery" if k < 3 else "vein"]
        viscera.paint_rod(canvas, curve, (radius, radius), 1.2, blood, 0.5 * (blood + hu["wall"]), 0)
    cortex = tissue.spine.cortex
    for plaque in made.plaques:
        viscera.paint_rod(canvas, plaque, (2.2, 2.2), 0.5, 700.0, 500.0, -1)
    for curve, label in zip(made.ribs, viscera.rib_labels(spine), strict=True):
        viscera.paint_rod(canvas, curve, (beside.RIB_MM[1], beside.RIB_MM[0]), 0.8 * tissue.shell, tissue.rib_hu,
                          0.8 * cortex, label)  # fmt: skip
    viscera.paint_iliac_wings(canvas, rows, float(made.form["crest_mm"]), tissue.rib_hu, cortex, 1.1 * tissue.shell)
    viscera.paint_table(canvas, float(made.form["table_mm"]), made.middle_mm, hu["table"])


def _between(spine: Anatomy, low_mm: float, high_mm: float) -> slice:
    """Records of the course between two heights."""
    first, last = (round(z - spine.course_from_mm) for z in (low_mm, high_mm))
    return slice(max(0, first), min(len(spine.course), last + 1))


def _column(spine: Anatomy, canvas: Canvas) -> tuple[tuple[int, int], tuple[int, int]]:
    """First and last samples of a canvas, to the right and to the front, between which the column lies."""
    z = canvas.origin[2] + canvas.step[2] * np.array([0, canvas.signal.shape[2] - 1])
    here = spine.course[_between(spine, float(z[0]) - 20, float(z[1]) + 20)]
    ends = (
        (float(here["x"].min()) - SPINE_HALF_MM, float(here["x"].max()) + SPINE_HALF_MM),
        (float(here["fascia"].min()) - 4, float(here["front"].max()) + 14),
    )
    found = []
    for axis, (low, high) in enumerate(ends):
        at = canvas.origin[axis] + canvas.step[axis] * np.arange(canvas.signal.shape[axis])
        inside = np.flatnonzero((at >= low) & (at <= high))
        found.append((int(inside[0]), int(inside[-1]) + 1) if inside.size else (0, 0))
    return found[0], found[1]
