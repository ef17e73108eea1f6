"""What is measured of one intervertebral disc."""

from __future__ import annotations

import numpy as np

from spineclock.core.anatomy import LEVEL_NAMES, disc_name
from spineclock.measure.frame import Piece, Pieces
from spineclock.measure.measurements import Measurement
from spineclock.measure.reference import Levels, Reference
from spineclock.measure.section import Section, band_mean, sample
from spineclock.measure.sections import Sections
from spineclock.measure.signals import Signal, Signals

NAN = float("nan")
WALL_MM = (4.0, 8.0)
"""Where a body's back wall is looked for: this far beyond the disc's upper or lower face, past lips at the corner."""
SLIVER_MM = 3.0
"""Rows of a structure narrower than this have no back edge to speak of."""


def disc(
    number: int, found: Pieces, seen: Sections, signals: Signals, reference: Reference, *, cut: bool
) -> list[Measurement]:
    """All measurements of the disc below vertebra ``number``."""
    piece, shape = found.discs[number], seen.discs[number]
    level = disc_name(LEVEL_NAMES[number])
    beside = [n for n in (found.above(number), found.below(number)) if n is not None]
    rows = _lengths(shape, [seen.bodies[n] for n in beside])
    rows |= _edges(shape, found, number)
    rows["segment_angle_deg"] = (_segment_angle(seen, found, number), "deg")
    rows |= _signals(signals.discs[number], [signals.bodies[n] for n in beside])
    nucleus, annulus = _regions(piece, shape, reference.near(piece))
    rows["nucleus_signal"] = (nucleus, "ratio")
    rows["nucleus_contrast"] = (nucleus - annulus, "ratio")
    rows["section_area_mm2"] = (piece.section_area_mm2, "mm2")
    out = [Measurement("disc", level, name, value, unit, not cut) for name, (value, unit) in rows.items()]
    whole = not (cut or piece.cut_at_side)
    return [*out, Measurement("disc", level, "volume_mm3", piece.volume_mm3, "mm3", whole)]


def _lengths(shape: Section | None, bodies: list[Section | None]) -> dict[str, tuple[float, str]]:
    height, width = (shape.height_mm, shape.width_mm) if shape else (NAN, NAN)
    heights = [body.height_mm for body in bodies if body]
    wedge = np.degrees(shape.upper_angle_rad - shape.lower_angle_rad) if shape else NAN
    return {
        "height_mm": (height, "mm"),
        "width_mm": (width, "mm"),
        "height_to_width": (height / width, "ratio"),
        "height_index": (height / float(np.mean(heights)) if heights else NAN, "ratio"),
        "wedge_deg": (float(wedge), "deg"),
    }


def _edges(shape: Section | None, found: Pieces, number: int) -> dict[str, tuple[float, str]]:
    """How far the disc stands back behind its neighbours' walls and behind itself, and their slip, in its own frame."""
    above, below = found.above(number), found.below(number)
    bulge = slip = tip = NAN
    if shape is not None:
        back = shape.back[(np.abs(shape.v_mm) < shape.height_mm / 2) & (shape.widths > SLIVER_MM)]
        point = float(back.min()) if back.size else NAN
        tip = -shape.width_mm / 2 - point  # the frame's 0 is half-way between the disc's edges
        if above is not None and below is not None:
            upper = _wall(found.bodies[above], shape, up=True)
            lower = _wall(found.bodies[below], shape, up=False)
            bulge = (upper + lower) / 2 - point
            slip = upper - lower
    return {"bulge_mm": (bulge, "mm"), "tip_mm": (tip, "mm"), "slip_mm": (slip, "mm")}


def _wall(body: Piece, shape: Section, *, up: bool) -> float:
    """Where a neighbouring body's back wall lies near the disc, in mm along the disc's u; NaN where not seen."""
    picture = body.picture()
    if picture is None:
        return NAN
    beside = sample(picture, shape.centre_mm, shape.angle_rad, shape.u_mm, shape.v_mm)
    near, far = (shape.height_mm / 2 + mm for mm in WALL_MM)
    back = np.where(beside.widths > SLIVER_MM, beside.back, np.nan)
    return band_mean(back, beside.v_mm, near, far) if up else band_mean(back, beside.v_mm, -far, -near)


def _segment_angle(seen: Sections, found: Pieces, number: int) -> float:
    """Angle between the endplates that face each other over a disc, positive where they open to the front."""
    above, below = found.above(number), found.below(number)
    upper = seen.bodies[above] if above is not None else None
    lower = seen.bodies[below] if below is not None else None
    if upper is None or lower is None:
        return NAN
    return float(np.degrees(upper.lower_angle_rad - lower.upper_angle_rad))


def _signals(own: Signal, bodies: list[Signal]) -> dict[str, tuple[float, str]]:
    marrow = float(np.mean([body.above_background for body in bodies])) if bodies else NAN
    return {
        "signal": (own.mean, "ratio"),
        "signal_median": (own.median, "ratio"),
        "signal_sd": (own.sd, "ratio"),
        "signal_p10": (own.p10, "ratio"),
        "signal_p90": (own.p90, "ratio"),
        "signal_to_bodies": (own.above_background / marrow if marrow > 0 else NAN, "ratio"),
        "variation": (own.variation, "ratio"),
        "texture": (own.texture, "ratio"),
    }


def _regions(piece: Piece, shape: Section | None, levels: Levels) -> tuple[float, float]:
    """Mean signal of the nucleus (middle 40% of the width, middle half of the height) and of the annulus.

    The annulus is what lies from 5% to 20% of the width within the front and the back edge.
    """
    if shape is None:
        return NAN, NAN
    i, j, k = np.nonzero(piece.core(0.0))
    y = (j + piece.first[1]) * piece.spacing_mm[1] - shape.centre_mm[0]
    z = (k + piece.first[2]) * piece.spacing_mm[2] - shape.centre_mm[1]
    cos, sin = np.cos(shape.angle_rad), np.sin(shape.angle_rad)
    u = np.abs(y * cos + z * sin) / shape.width_mm
    v = np.abs(z * cos - y * sin) / shape.height_mm
    ratios = levels.ratio(piece.samples[i, j, k])
    means = [
        float(ratios[chosen].mean()) if chosen.any() else NAN
        for chosen in ((u < 0.2) & (v < 0.25), (u > 0.3) & (u < 0.45))
    ]
    return means[0], means[1]
