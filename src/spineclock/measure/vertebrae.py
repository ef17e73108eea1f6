"""What is measured of one vertebra."""

from __future__ import annotations

import numpy as np

from spineclock.core.anatomy import LEVEL_NAMES
from spineclock.measure.frame import Pieces
from spineclock.measure.measurements import Measurement
from spineclock.measure.section import MIDDLE, Floats, Section, band_mean, band_weights
from spineclock.measure.sections import Sections
from spineclock.measure.signals import Signals

NAN = float("nan")
BANDS = {"back": (0.1, 0.25), "middle": (0.4, 0.6), "front": (0.75, 0.9)}
"""Shares of the width, from the back edge, over which the three heights are taken."""


def vertebra(number: int, found: Pieces, seen: Sections, signals: Signals, *, cut: bool) -> list[Measurement]:
    """All measurements of a vertebra whose body was found."""
    body, whole = found.bodies[number], found.vertebrae[number]
    level = LEVEL_NAMES[number]
    rows = _lengths(seen.bodies[number])
    own = signals.bodies[number]
    beside = [signals.discs[n].above_background for n in found.discs_beside(number)]
    discs = float(np.mean(beside)) if beside else NAN
    rows |= {
        "signal": (own.mean, "ratio"),
        "signal_median": (own.median, "ratio"),
        "signal_sd": (own.sd, "ratio"),
        "signal_to_discs": (own.above_background / discs if discs > 0 else NAN, "ratio"),
        "variation": (own.variation, "ratio"),
        "texture": (own.texture, "ratio"),
        "section_area_mm2": (body.section_area_mm2, "mm2"),
    }
    out = [Measurement("vertebra", level, name, value, unit, not cut) for name, (value, unit) in rows.items()]
    return [
        *out,
        Measurement("vertebra", level, "body_volume_mm3", body.volume_mm3, "mm3", not (cut or body.cut_at_side)),
        Measurement(
            "vertebra",
            level,
            "volume_mm3",
            whole.volume_mm3,
            "mm3",
            not (cut or whole.cut_at_side or whole.cut_in_plane),
        ),
    ]


def _lengths(shape: Section | None) -> dict[str, tuple[float, str]]:
    if shape is None:
        names = ("height_mm", "front_height_mm", "middle_height_mm", "back_height_mm", "width_mm")
        rest = (
            ("front_to_back", "ratio"),
            ("middle_to_back", "ratio"),
            ("height_to_width", "ratio"),
            ("wedge_deg", "deg"),
            ("lipping", "ratio"),
            ("irregularity_mm", "mm"),
        )
        return {**{name: (NAN, "mm") for name in names}, **{name: (NAN, unit) for name, unit in rest}}
    front, middle, back = (shape.height_between(*BANDS[band]) for band in ("front", "middle", "back"))
    return {
        "height_mm": (shape.height_mm, "mm"),
        "front_height_mm": (front, "mm"),
        "middle_height_mm": (middle, "mm"),
        "back_height_mm": (back, "mm"),
        "width_mm": (shape.width_mm, "mm"),
        "front_to_back": (front / back if back > 0 else NAN, "ratio"),
        "middle_to_back": (middle / back if back > 0 else NAN, "ratio"),
        "height_to_width": (shape.height_mm / shape.width_mm, "ratio"),
        "wedge_deg": (float(np.degrees(shape.upper_angle_rad - shape.lower_angle_rad)), "deg"),
        "lipping": (_lipping(shape), "ratio"),
        "irregularity_mm": (_irregularity(shape), "mm"),
    }


def _lipping(shape: Section) -> float:
    """Mean width next to the endplates (10–25% of the height from each) over that of the middle fifth.

    Above 1 in every body, whose front and back are hollow; osteophytes and lips at the corners raise it.
    """
    height = shape.height_mm
    ends = [
        band_mean(shape.widths, shape.v_mm, low * height, high * height) for low, high in ((0.25, 0.4), (-0.4, -0.25))
    ]
    waist = band_mean(shape.widths, shape.v_mm, -0.1 * height, 0.1 * height)
    return float(np.mean(ends)) / waist if waist > 0 else NAN


def _irregularity(shape: Section) -> float:
    """Root mean square distance of both endplates from their own best parabolas over the middle 80% of the width.

    The parabola takes up tilt and the even concavity every endplate has; Schmorl's nodes and erosions remain.
    """
    weights = band_weights(shape.u_mm, -MIDDLE / 2 * shape.width_mm, MIDDLE / 2 * shape.width_mm)
    return float(np.sqrt(np.mean([_residual(shape.u_mm, surface, weights) for surface in (shape.upper, shape.lower)])))


def _residual(u: Floats, surface: Floats, weights: Floats) -> float:
    kept = (weights > 0.5) & np.isfinite(surface)
    if kept.sum() < 6:
        return NAN
    fit = np.polynomial.Polynomial.fit(u[kept], surface[kept], 2)
    return float(np.mean((surface[kept] - fit(u[kept])) ** 2))
