"""All that is measured of a CT: bodies, Genant's grades, trabecular density by level, and muscles at L3."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineclock.core.bone import BodyFrame
from spineclock.core.volume import Mask, Volume
from spineclock.measure.ct_bodies import Coverage, CtBody, coverage, ct_bodies
from spineclock.measure.ct_muscles import Muscle, both_sides, muscles
from spineclock.measure.genant import Deformity, genant
from spineclock.measure.measurements import Measurement, Measurements

NAN = float("nan")
MUSCLE_LEVEL = "L3"
FINE_MM = 2.0
"""Above this spacing a level end plate may lie a voxel off, which is 2 mm of height at 3 mm: near a mild loss."""


@dataclass(frozen=True)
class CtMeasurements:
    """What measuring a CT gives.

    Attributes
    ----------
    bodies : dict of str to CtBody
        From the top down.
    deformities : dict of str to Deformity
        Of the bodies T4 to L5 that are whole in view.
    muscles : tuple of Muscle
        At L3; empty where no muscle is labelled there.
    coverage : Coverage
        Of T12 to L4.
    notes : tuple of str
        What may mislead.
    """

    bodies: dict[str, CtBody]
    deformities: dict[str, Deformity]
    muscles: tuple[Muscle, ...]
    coverage: Coverage
    notes: tuple[str, ...] = ()

    @property
    def frames(self) -> dict[str, BodyFrame]:
        """The bodies' own boxes by level, as regions are cut round them."""
        return {level: body.frame for level, body in self.bodies.items()}

    @property
    def fractures(self) -> dict[str, Deformity]:
        """The deformities of grade 1 and more."""
        return {level: d for level, d in self.deformities.items() if d.grade}

    @property
    def measurements(self) -> Measurements:
        """The same as rows: structure, level, name, value, unit, whether complete."""
        bodies = [row for body in self.bodies.values() for row in _body_rows(body, self.deformities.get(body.level))]
        cut = frozenset(("vertebra", body.level) for body in self.bodies.values() if body.cut)
        return Measurements((*bodies, *_muscle_rows(self.muscles)), cut)

    def wide(self) -> dict[str, float]:
        """The columns of the simplest baselines, one number each, NaN where not in view.

        ``l1_hu`` (a fractured L1 has none: its trabeculae are crushed together; Pickhardt leaves it out too),
        ``mean_hu`` over T12 to L4 without grade, ``worst_grade``, ``largest_loss``, and of psoas and erector at L3,
        both sides together, ``…_area_mm2``, ``…_hu``, ``…_fat_share``, ``…_intramuscular_fat_share``.
        """
        sound = {level: b for level, b in self.bodies.items() if not b.cut and level not in self.fractures}
        values = [sound[level].trabecular.mean_hu for level in self.coverage.whole if level in sound]
        known = [v for v in values if v == v]
        graded = self.deformities.values()
        out = {
            "l1_hu": sound["L1"].trabecular.mean_hu if "L1" in sound else NAN,
            "mean_hu": float(np.mean(known)) if known else NAN,
            "worst_grade": float(max((d.grade for d in graded), default=NAN)),
            "largest_loss": max((d.loss for d in graded), default=NAN),
        }
        return out | _muscle_columns(self.muscles)


def measure_ct(volume: Volume, labels: Mask, *, muscle_level: str = MUSCLE_LEVEL) -> CtMeasurements:
    """All measurements of a CT on its own grid.

    Parameters
    ----------
    volume : Volume
        In Hounsfield units, any orientation.
    labels : Mask
        Spineclock numbering, bodies told from arches (:func:`spineclock.segment.parts.with_parts`); muscles as far as
        they are known.
    muscle_level : str
        Where muscles are measured; other levels than L3 are for scans that do not show it.

    Raises
    ------
    GeometryError
        If the grids differ.
    """
    bodies = ct_bodies(volume, labels)
    deformities = genant({level: body.heights for level, body in bodies.items() if not body.cut})
    found = muscles(volume, labels, {level: body.frame for level, body in bodies.items()}, muscle_level)
    whole = coverage(bodies)
    notes = [whole.reason] if whole.reason else []
    alone = [level for level, d in deformities.items() if not d.references]
    if alone:
        notes.append(f"no sound neighbour of {', '.join(alone)}: compared with its own posterior height alone")
    if max(volume.spacing_mm) > FINE_MM * 1.01:
        notes.append(f"heights from voxels of up to {max(volume.spacing_mm):.2g} mm: mild losses are uncertain")
    if not found:
        notes.append(f"no muscle is labelled at {muscle_level}")
    return CtMeasurements(bodies, deformities, found, whole, tuple(notes))


def _body_rows(body: CtBody, deformity: Deformity | None) -> list[Measurement]:
    h, hu = body.heights, body.trabecular
    rows: list[tuple[str, float, str]] = [
        ("front_height_mm", h.anterior_mm, "mm"),
        ("middle_height_mm", h.middle_mm, "mm"),
        ("back_height_mm", h.posterior_mm, "mm"),
        ("depth_mm", body.depth_mm, "mm"),
        ("wedge_deg", body.wedge_deg, "deg"),
        ("tilt_deg", body.tilt_deg, "deg"),
        ("trabecular_hu", hu.mean_hu, "HU"),
        ("trabecular_sd_hu", hu.sd_hu, "HU"),
        ("trabecular_median_hu", hu.median_hu, "HU"),
    ]
    if deformity is not None:
        rows += [
            ("genant_grade", float(deformity.grade), "grade"),
            ("front_height_loss", deformity.anterior_loss, "ratio"),
            ("middle_height_loss", deformity.middle_loss, "ratio"),
            ("back_height_loss", deformity.posterior_loss, "ratio"),
        ]
    return [Measurement("vertebra", body.level, name, value, unit, not body.cut) for name, value, unit in rows]


_MUSCLE = (
    ("area_mm2", "mm2"), ("mean_hu", "HU"), ("lean_mean_hu", "HU"), ("lean_area_mm2", "mm2"), ("fat_share", "ratio"),
    ("intramuscular_fat_share", "ratio"),
)  # fmt: skip


def _muscle_rows(found: tuple[Muscle, ...]) -> list[Measurement]:
    return [
        Measurement("muscle", m.level, f"{m.name}_{m.side}_{name}", float(getattr(m, name)), unit, not m.cut)
        for m in found
        for name, unit in _MUSCLE
    ]


def _muscle_columns(found: tuple[Muscle, ...]) -> dict[str, float]:
    out: dict[str, float] = {}
    for name in ("psoas", "erector"):
        pair = both_sides(found, name)
        areas = np.array([m.area_mm2 for m in pair]) if pair else np.array([NAN, NAN])
        shares = areas / areas.sum()
        out[f"{name}_area_mm2"] = float(areas.sum())
        for column, attribute in (
            ("hu", "mean_hu"),
            ("fat_share", "fat_share"),
            ("intramuscular_fat_share", "intramuscular_fat_share"),
        ):
            values = np.array([getattr(m, attribute) for m in pair]) if pair else areas
            out[f"{name}_{column}"] = float(shares @ values)
    return out
