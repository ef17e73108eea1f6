"""Stations of one spine stitched into one scan."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, product
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from spineclock.core.errors import InputError
from spineclock.core.geometry import resample_like
from spineclock.core.records import Scan
from spineclock.core.volume import Array, Mask, Volume
from spineclock.ingest import station_fit
from spineclock.ingest.names import safe, short_hash
from spineclock.ingest.station_gain import LEAST_OVERLAP_MM, gains

Floats = npt.NDArray[np.float32]
V = TypeVar("V", bound=Volume)

STITCHED = "stitched from"
"""How the note of a stitched scan begins."""
SIDE_RAMP_MM = 10.0
"""Over this distance a station fades out towards its front and back borders, where another one goes on."""
LEAST_RAMP_MM = 4.0
"""Over this distance at least a station fades out towards its neighbour."""
LEAST_WEIGHT = np.float32(1e-3)
"""What a station weighs at its very border, along each axis: nothing beside another, everything alone."""

_EDGE = 1e-3
"""Voxels: a sample this near to a station's border may be taken for one within it or without."""


def stitch(scans: Sequence[Scan], *, scan_id: str = "", source: Path | None = None) -> Scan:
    """The stations of one person as one scan, on a grid that covers them all; in any order, with one result.

    The grid has the slices of the station with most of them (of equals the one with the finest pixels, then the lowest
    one), continued where others reach further, and the finest pixels of all; that station's own samples are not
    interpolated where its pixels are the finest. Each station is brought to the grey values of the middle one
    (:func:`spineclock.ingest.station_gain.gains`) and fades out towards its neighbours by half a cosine over what they
    share. Label maps, where every station has one, are taken from the station that weighs more, by nearest
    neighbour. Where no station reaches, samples are 0.

    Parameters
    ----------
    scans : sequence of Scan
        Two or more, canonical, samples of shape (right, anterior, superior) in one frame of reference: that is for the
        caller to know; that the images agree where they overlap is checked.
    scan_id, source
        Of the result; by default made of the stations' names, and the folder that holds them all.

    Returns
    -------
    Scan
        int16 where all stations hold whole numbers and the result fits, else float32. Its first note says what was
        stitched, from the top down: names, overlaps in mm, gains.

    Raises
    ------
    InputError
        If there are fewer than two, or they are of different people, contrasts, or not MRI.
    GeometryError
        If a gap lies between them, they are turned against each other, lie beside each other, show the same part of the
        spine or images that do not agree, or their voxels are too different.
    """
    if len(scans) < 2:
        raise InputError(f"{len(scans)} station{'s' * (len(scans) != 1)}", wanted="two or more to stitch")
    scans = in_order(scans)
    names = [_name(scan) for scan in scans]
    require_stations(scans, names)
    shape, affine = common_grid([scan.volume for scan in scans])
    overlaps = [station_fit.overlap_mm(a.volume, b.volume) for a, b in pairwise(scans)]
    parts = [_part(_bridged(scan.volume, overlaps, n), shape, affine, overlaps, n) for n, scan in enumerate(scans)]
    plain = parts  # grey values are compared by what was measured, without what bridges a gap
    if min(overlaps) < LEAST_RAMP_MM:
        plain = [_part(scan.volume, shape, affine, overlaps, n) for n, scan in enumerate(scans)]
    spacing_mm = Volume(np.broadcast_to(np.float32(0), shape), affine).spacing_mm
    matched = gains([(p.start, p.array, p.weight > 0) for p in plain], overlaps, spacing_mm, names=names)
    whole = all(scan.volume.array.dtype.kind in "iu" for scan in scans)
    volume = Volume(_compact(_blended(parts, matched, shape), whole=whole), affine)
    mask = _mask([_bridged(scan.mask, overlaps, n) for n, scan in enumerate(scans) if scan.mask], parts, shape, affine)
    said = [note(names, overlaps, matched)]
    said += [
        f"{names[n + 1]} and {names[n]} hardly overlap: their grey values were matched by what lies on either side"
        for n, shared in enumerate(overlaps)
        if shared < LEAST_OVERLAP_MM
    ]
    return _described(scans, volume, mask, said, scan_id, source)


def in_order(scans: Sequence[Scan]) -> list[Scan]:
    """The scans from the lowest up, whatever order they come in."""
    return sorted(scans, key=lambda s: (float(station_fit.centre_mm(s.volume)[2]), s.scan_id, s.source.as_posix()))


def require_stations(scans: Sequence[Scan], names: Sequence[str]) -> None:
    """Raise unless scans, the lowest first, can be stitched by what is told of them and by where they lie."""
    for a, b in combinations(range(len(scans)), 2):
        both = f"{names[b]} and {names[a]}"
        unlike = station_fit.unlike(scans[b], scans[a], names=both)
        if error := unlike or station_fit.misfit(scans[b].volume, scans[a].volume, names=both):
            raise error
    for a in range(len(scans) - 1):
        both = f"{names[a + 1]} and {names[a]}"
        if error := station_fit.broken(scans[a].volume, scans[a + 1].volume, names=both):
            raise error


def common_grid(volumes: Sequence[Volume]) -> tuple[tuple[int, int, int], Array]:
    """Shape and affine of a grid that covers all canonical volumes, given from the lowest up (:func:`stitch`)."""
    base = max(volumes, key=lambda v: (v.shape[0], -round(v.spacing_mm[1] * v.spacing_mm[2], 4)))
    spacing = np.asarray(base.spacing_mm)
    for axis in (1, 2):
        finest = min(v.spacing_mm[axis] for v in volumes)
        spacing[axis] = finest if spacing[axis] > 1.001 * finest else spacing[axis]
    affine = np.array(base.affine)
    affine[:3, :3] *= spacing / np.asarray(base.spacing_mm)
    # The outermost slices' middles lie within the grid, and in the picture the outermost pixels' edges do.
    middles = [_corners(v, affine, edge=0.0) for v in volumes]
    edges = [_corners(v, affine, edge=0.5) for v in volumes]
    low = np.ceil(np.min(edges, axis=(0, 2)) + 2 * _EDGE)
    high = np.floor(np.max(edges, axis=(0, 2)) - 2 * _EDGE)
    low[0] = np.ceil(np.min(middles, axis=(0, 2))[0] - 0.5 + _EDGE)
    high[0] = np.floor(np.max(middles, axis=(0, 2))[0] + 0.5 - _EDGE)
    affine[:3, 3] += affine[:3, :3] @ low
    i, j, k = (int(n) for n in high - low + 1)
    return (i, j, k), affine


def _corners(volume: Volume, affine: Array, *, edge: float) -> Array:
    """The box's corners in voxel indices of a grid, shape (3, 8); ``edge`` voxels beyond the outermost samples."""
    ends = [(-edge, n - 1 + edge) for n in volume.shape]
    corners = np.array([(*corner, 1.0) for corner in product(*ends)]).T
    return np.asarray(np.linalg.solve(affine, volume.affine @ corners))[:3]


def _bridged(volume: V, overlaps: Sequence[float], n: int) -> V:
    """The volume with its last sample repeated across half of a gap to a neighbour that is small enough to bridge."""
    step = volume.spacing_mm[2]
    below, above = (
        int(np.ceil((-gap / 2 + LEAST_RAMP_MM / 2) / step)) if gap is not None and gap < LEAST_RAMP_MM else 0
        for gap in (overlaps[n - 1] if n > 0 else None, overlaps[n] if n < len(overlaps) else None)
    )
    if not below and not above:
        return volume
    affine = np.array(volume.affine)
    affine[:3, 3] -= below * affine[:3, 2]
    return type(volume)(np.pad(volume.array, ((0, 0), (0, 0), (below, above)), mode="edge"), affine)


@dataclass(frozen=True, eq=False)
class _Part:
    """A station on its box of the common grid: first index, samples, and how much each counts (0: not its own)."""

    start: tuple[int, int, int]
    array: Floats
    weight: Floats

    @property
    def box(self) -> tuple[slice, slice, slice]:
        i, j, k = (slice(s, s + n) for s, n in zip(self.start, self.array.shape, strict=True))
        return i, j, k


def _part(volume: Volume, shape: tuple[int, int, int], affine: Array, overlaps: Sequence[float], n: int) -> _Part:
    corners = _corners(volume, affine, edge=0.5)
    start = np.maximum(np.ceil(corners.min(axis=1) - 1e-3), 0).astype(int)
    stop = np.minimum(np.floor(corners.max(axis=1) + 1e-3) + 1, shape).astype(int)
    here = np.array(affine)
    here[:3, 3] += here[:3, :3] @ start
    box = tuple(int(x) for x in stop - start)
    to_station = np.linalg.solve(volume.affine, here)
    ramps_mm = [
        max(overlaps[m], LEAST_RAMP_MM) if 0 <= m < len(overlaps) else 0.0 for m in (n - 1, n)
    ]  # below, above: a station that ends there for good does not fade out
    i, j, k = (int(x) for x in start)
    return _Part((i, j, k), _sampled(volume, box, here, to_station), _weight(volume, box, to_station, ramps_mm))


def _sampled(volume: Volume, box: tuple[int, ...], here: Array, to_station: Array) -> Floats:
    """The station's samples on its box of the grid; copied where grid and station have the same voxels."""
    offset = np.rint(to_station[:3, 3]).astype(int)
    shift = np.abs(to_station[:3, :3] - np.eye(3)) @ np.asarray(box) + np.abs(to_station[:3, 3] - offset)
    if shift.max() < 1e-3 and (offset >= 0).all() and (offset + box <= volume.shape).all():
        i, j, k = (slice(o, o + n) for o, n in zip(offset, box, strict=True))
        return np.asarray(volume.array[i, j, k], np.float32)
    return np.asarray(resample_like(volume.with_array(volume.array.astype(np.float32)), box, here).array, np.float32)


def _weight(volume: Volume, box: tuple[int, ...], to_station: Array, ramps_mm: Sequence[float]) -> Floats:
    """How much a station counts at each sample of its box: 1, less towards its ends, 0 outside it."""
    weight: Array = np.ones((1, 1, 1), np.float32)
    inside: Array = np.ones((1, 1, 1), bool)
    depth_mm = min(SIDE_RAMP_MM, volume.shape[1] * volume.spacing_mm[1] / 4)
    sides = (volume.spacing_mm[0], volume.spacing_mm[0]), (depth_mm, depth_mm), ramps_mm
    for axis, (low_mm, high_mm) in enumerate(sides):
        at = _coordinate(to_station[axis], box)
        last, step = volume.shape[axis] - 1, volume.spacing_mm[axis]
        inside = inside & (at >= -0.5 + _EDGE) & (at <= last + 0.5 - _EDGE)
        for distance, ramp_mm in ((at, low_mm), (last - at, high_mm)):  # from the outermost samples' middles
            if ramp_mm > 0:
                t = np.clip(distance * np.float32(step / ramp_mm), 0, 1)
                faded = np.float32(0.5) - np.float32(0.5) * np.cos(np.float32(np.pi) * t)
                least = np.where(distance < -0.01, LEAST_WEIGHT**2, LEAST_WEIGHT)  # beyond them nothing was measured
                weight = weight * np.maximum(faded, least)
    return np.broadcast_to(np.where(inside, weight, np.float32(0)), box)


def _coordinate(row: Array, box: tuple[int, ...]) -> Floats:
    """One voxel coordinate of a station at the samples of a box, as thin as it can be broadcast to the box."""
    at: Array = np.full((1, 1, 1), row[3])
    for axis, n in enumerate(box):
        if abs(row[axis]) * (n - 1) < 0.02:  # a fiftieth of a voxel across the whole box
            at = at + row[axis] * (n - 1) / 2
        else:
            at = at + (row[axis] * np.arange(n)).reshape([n if a == axis else 1 for a in range(3)])
    return np.asarray(at, np.float32)


def _blended(parts: Sequence[_Part], matched: Sequence[float], shape: tuple[int, int, int]) -> Floats:
    """The weighted mean of the stations at each sample of the grid."""
    total, weights = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for part, gain in zip(parts, matched, strict=True):
        total[part.box] += part.array * (part.weight * np.float32(gain))
        weights[part.box] += part.weight
    np.divide(total, weights, out=total, where=weights > 0)
    return total


def _compact(array: Floats, *, whole: bool) -> Array:
    """The samples as int16, rounded, where they were whole numbers and fit; else as they are."""
    if not whole or array.min() < -(2**15) or array.max() >= 2**15 - 0.5:
        return array
    return np.rint(array, out=array).astype(np.int16)


def _mask(masks: Sequence[Mask], parts: Sequence[_Part], shape: tuple[int, int, int], affine: Array) -> Mask | None:
    if len(masks) < len(parts):
        return None
    labels = np.zeros(shape, np.result_type(*(m.array.dtype for m in masks)))
    heaviest = np.zeros(shape, np.float32)
    for mask, part in zip(masks, parts, strict=True):
        here = np.array(affine)
        here[:3, 3] += here[:3, :3] @ np.asarray(part.start)
        found = resample_like(mask, part.array.shape, here).array
        more = part.weight > heaviest[part.box]
        labels[part.box][more] = found[more]
        heaviest[part.box][more] = part.weight[more]
    return Mask(labels, affine)


def note(names: Sequence[str], overlaps: Sequence[float], matched: Sequence[float] = ()) -> str:
    """What was stitched, in words, from the top down; stations and overlaps come from the lowest up.

    >>> note(["L", "T", "C"], [52.0, 45.2], [1.12, 1.0, 0.87])
    'stitched from 3 stations: C, T, L, overlaps 45 and 52 mm, gains 0.87/1.00/1.12'
    """
    shared = " and ".join(f"{o:.0f}" for o in reversed(overlaps))
    found = f"{STITCHED} {len(names)} stations: {', '.join(reversed(names))}"
    found += f", overlap{'s' * (len(overlaps) > 1)} {shared} mm"
    return found + (f", gains {'/'.join(f'{g:.2f}' for g in reversed(matched))}" if matched else "")


def _described(
    scans: Sequence[Scan], volume: Volume, mask: Mask | None, said: Sequence[str], scan_id: str, source: Path | None
) -> Scan:
    """The stitched samples with what the stations' headers tell, the middle one's where they differ."""
    middle, downwards = scans[(len(scans) - 1) // 2], list(reversed(scans))
    notes = [*said, *(n for scan in downwards for n in scan.notes)]
    without = sum(scan.mask is None for scan in scans)
    if 0 < without < len(scans):
        notes.append(f"{without} of {len(scans)} stations came without a label map: those of the others were left out")
    ages = [scan.age_years for scan in scans if scan.age_years is not None]
    return Scan(
        scan_id or joint_id([scan.scan_id for scan in downwards]), volume,
        source or joint_source([scan.source for scan in scans]),
        middle.modality or _first(s.modality for s in scans), middle.sequence,
        " + ".join(dict.fromkeys(s.description for s in downwards if s.description)),
        middle.echo_time_ms, middle.repetition_time_ms, middle.scanner or _first(s.scanner for s in scans),
        _first(s.person_id for s in scans), ages[0] if ages else None,
        "F" if any(s.sex == "F" for s in scans) else "M" if any(s.sex == "M" for s in scans) else "",
        mask, tuple(dict.fromkeys(notes)),
    )  # fmt: skip


def _first(values: Iterable[str]) -> str:
    return next((v for v in values if v), "")


def _name(scan: Scan) -> str:
    return f"{scan.scan_id} ({scan.description})" if scan.description else scan.scan_id


def joint_id(ids: Sequence[str]) -> str:
    """One name of several: what they share once, where they differ each one's own.

    >>> joint_id(["sub-01_acq-cervical_T2w", "sub-01_acq-lumbar_T2w"]), joint_id(["9435c3ae-s4", "9435c3ae-s5"])
    ('sub-01_acq-cervical-lumbar_T2w', '9435c3ae-s4-s5')
    """
    words = [re.split(r"([^A-Za-z0-9]+)", name) for name in ids]
    if len({len(w) for w in words}) > 1:
        name = "-".join(ids)
    else:
        name = "".join("-".join(dict.fromkeys(same)) for same in zip(*words, strict=True))
    return name if safe(name) == name else f"{safe(name)[:70]}-{short_hash(name)}"


def joint_source(sources: Sequence[Path]) -> Path:
    """The file or folder that holds all the stations."""
    return Path(os.path.commonpath(sources)) if len(set(sources)) > 1 else sources[0]
