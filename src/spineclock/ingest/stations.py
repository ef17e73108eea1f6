"""Which series of one study are stations of one spine, and why others are not."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise

import numpy as np

from spineclock.core.errors import GeometryError, SpineclockError
from spineclock.core.geometry import canonical
from spineclock.core.volume import Volume
from spineclock.ingest import station_fit
from spineclock.ingest.names import stem
from spineclock.ingest.refs import SeriesRef
from spineclock.ingest.stitch import common_grid, joint_id, joint_source, note

_REGION = re.compile(
    r"cervicothoracic|thoracolumbar|lumbosacral|cervical|thoracic|lumbar|dorsal"
    r"|(?<![a-z])(?:[ctl][-_]?spine|cerv|thor|lumb|hws|bws|lws|upper|middle|mid|lower)(?![a-z])"
    r"|(?<![a-z0-9])(?:station|chunk|stack)[-_]?[a-z0-9]+(?![a-z0-9])",
    re.IGNORECASE,
)
"""What a file's name calls its station: a region of the spine, or BIDS's ``chunk-``, or ``station-``."""


@dataclass(frozen=True)
class Joined:
    """Series with stations put together, and why series that look like stations were left apart (by ``scan_id``)."""

    refs: tuple[SeriesRef, ...]
    why_not: dict[str, str] = field(default_factory=dict)


def of_study(fits: Sequence[SeriesRef]) -> Joined:
    """The best series of a DICOM study, or the stations it is one of put together.

    Stations share frame of reference, contrast, and about the spacing and angle of the best series, and continue it or
    one another along the spine. Where two series show the same part, the better one is taken.

    Parameters
    ----------
    fits : sequence of SeriesRef
        Series of one study that a recipe reads, the best first; at least one.

    Returns
    -------
    Joined
        One reference; ``why_not`` tells of series that show another part of the spine and yet were not stitched.
    """
    best = fits[0]
    taken, why_not = [best], dict[str, str]()
    for ref in fits[1:]:
        if any(station_fit.same_part(_grid(ref), _grid(other)) for other in taken) and _one_frame(ref, best):
            continue
        error = next((e for e in (_apart(ref, other) for other in taken) if e is not None), None)
        if error is None:
            taken.append(ref)
        else:
            why_not[ref.scan_id] = _said(error)
    chain, breaks = _chain(taken, best)
    why_not |= breaks
    if len(chain) == 1:
        return Joined((best,), why_not)
    return Joined((_together([best, *(ref for ref in chain if ref is not best)]),), why_not)


def of_folder(fits: Sequence[SeriesRef]) -> Joined:
    """The files of one folder, those put together whose names differ only in what they call their station.

    Such as ``sub-01_acq-cervical_T2w.nii.gz`` and ``sub-01_acq-lumbar_T2w.nii.gz``. All files of such a set are
    stitched, or none, with the reason in ``why_not``.
    """
    sets: dict[str, list[SeriesRef]] = defaultdict(list)
    for ref in fits:
        sets[_without_region(ref)].append(ref)
    refs: list[SeriesRef] = []
    why_not: dict[str, str] = {}
    for key, members in sets.items():
        if not key or len(members) == 1:
            refs += members
            continue
        members = sorted(members, key=_height)
        error = _set_apart(members)
        if error is None:
            refs.append(_together(members))
        else:
            refs += members
            why_not |= {ref.scan_id: _said(error) for ref in members}
    order = {id(ref): n for n, ref in enumerate(fits)}
    refs.sort(key=lambda ref: min(order[id(part)] for part in (ref.stations or (ref,))))
    return Joined(tuple(refs), why_not)


def _without_region(ref: SeriesRef) -> str:
    """A file's name with the word for its station left out; empty where there is none or more than one."""
    name = stem(ref.source.name)
    found = list(_REGION.finditer(name))
    return f"{ref.kind}:{name[: found[0].start()]}*{name[found[0].end() :]}" if len(found) == 1 else ""


def _grid(ref: SeriesRef) -> Volume:
    """The series' canonical grid without samples."""
    assert ref.affine is not None, "a series that fits has a grid"
    return canonical(Volume(np.broadcast_to(np.int16(0), ref.shape), ref.affine))


def _height(ref: SeriesRef) -> tuple[float, str]:
    return float(station_fit.centre_mm(_grid(ref))[2]), ref.scan_id


def _one_frame(a: SeriesRef, b: SeriesRef) -> bool:
    return a.facts.frame_of_reference == b.facts.frame_of_reference


def _apart(a: SeriesRef, b: SeriesRef) -> SpineclockError | None:
    """Why two series cannot be stations of one spine wherever they lie along it, or None."""
    names = f"{a.label} and {b.label}"
    frames = (a.facts.frame_of_reference, b.facts.frame_of_reference)
    if a.kind == "dicom" and (frames[0] != frames[1] or not frames[0]):
        what = "state no frame of reference" if frames == ("", "") else "have another frame of reference each"
        return GeometryError(
            f"{names} {what}",
            wanted="one FrameOfReferenceUID, without which positions cannot be compared",
            remedy="register the series first, or read each by itself",
        )
    return station_fit.unlike(a.facts, b.facts, names=names) or station_fit.misfit(_grid(a), _grid(b), names=names)


def _set_apart(members: Sequence[SeriesRef]) -> SpineclockError | None:
    """The first reason why a set of series, the lowest first, cannot be stitched, or None."""
    pairs = (_apart(b, a) for a, b in combinations(members, 2))
    steps = (station_fit.broken(_grid(a), _grid(b), names=f"{b.label} and {a.label}") for a, b in pairwise(members))
    return next((error for error in (*pairs, *steps) if error is not None), None)


def _chain(refs: Sequence[SeriesRef], best: SeriesRef) -> tuple[list[SeriesRef], dict[str, str]]:
    """The series that follow each other without a break from the best one on, and why those beyond a break do not."""
    ordered = sorted(refs, key=_height)
    at = ordered.index(best)
    chain, why_not = [best], {}
    for way in (1, -1):
        last, n, error = best, at + way, None
        while 0 <= n < len(ordered):
            if error is None:
                low, high = (last, ordered[n]) if way > 0 else (ordered[n], last)
                error = station_fit.broken(_grid(low), _grid(high), names=f"{high.label} and {low.label}")
            if error is None:
                last = ordered[n]
                chain.append(last)
            else:
                why_not[ordered[n].scan_id] = _said(error)
            n += way
    return chain, why_not


def _said(error: SpineclockError) -> str:
    return f"not stitched: {str(error).rstrip('.')}"


def _together(members: Sequence[SeriesRef]) -> SeriesRef:
    """The stations, the preferred one first, as one reference."""
    preferred = members[0]
    ordered = sorted(members, key=_height)
    downwards = ordered[::-1]
    grids = [_grid(ref) for ref in ordered]
    shape, affine = common_grid(grids)
    spacing = Volume(np.broadcast_to(np.int16(0), shape), affine).spacing_mm
    overlaps = [station_fit.overlap_mm(a, b) for a, b in pairwise(grids)]
    words = " + ".join(dict.fromkeys(ref.facts.description for ref in downwards if ref.facts.description))
    return SeriesRef(
        joint_id([ref.scan_id for ref in downwards]), "dicom", tuple(f for ref in downwards for f in ref.frames),
        joint_source([ref.source for ref in downwards]), shape, affine, spacing, preferred.plane,
        replace(preferred.facts, description=words, series_number=None), preferred.study,
        notes=(note([ref.label for ref in ordered], overlaps),), stations=tuple(members),
    )  # fmt: skip
