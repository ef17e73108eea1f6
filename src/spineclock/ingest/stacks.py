"""Slices in space put together: which belong to one volume, in which order, on which grid.

Only ImagePositionPatient, ImageOrientationPatient and PixelSpacing count; file order, instance numbers and
SliceThickness do not (DICOM PS3.3 C.7.6.2.1.1).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from spineclock.core.errors import InputError
from spineclock.core.volume import Array
from spineclock.ingest.refs import Facts, FilmFacts

SAME_PLACE_MM = 0.01
MARKS = ("echo time", "image type", "time point", "b value", "stack", "acquisition", "folder")
"""What may tell images at one position apart, in the order they are tried; see :attr:`Frame.marks`."""


@dataclass(frozen=True)
class Frame:
    """One slice as its header describes it, millimetres and LPS as in DICOM; ``pixel_mm`` is (row, column) spacing."""

    path: Path
    index: int
    rows: int
    columns: int
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    pixel_mm: tuple[float, ...]
    facts: Facts
    study: str
    series: str
    image: str = ""
    marks: tuple[str, ...] = ("",) * len(MARKS)
    problem: str = ""
    film: FilmFacts | None = None


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices of one volume in order along their normal, and its affine (column, row, slice index → RAS+ mm)."""

    frames: tuple[Frame, ...]
    affine: Array | None
    problem: str = ""
    notes: tuple[str, ...] = ()


def stacks(frames: Sequence[Frame]) -> list[Stack]:
    """The volumes of one series: split by size, orientation and pixel size, then by what tells repeats apart.

    A stack that is no regular grid comes back with its problem said, not dropped.
    """
    frames, copies = _without_copies(frames)
    groups: list[list[Frame]] = []
    for frame in sorted(frames, key=lambda f: (f.image, str(f.path), f.index)):
        home = next((g for g in groups if _alike(g[0], frame)), None)
        if home is None:
            groups.append([frame])
        else:
            home.append(frame)
    notes: tuple[str, ...] = (f"{copies} images came twice and were read once",) if copies else ()
    if len(groups) > 1:
        notes += (f"one of {len(groups)} stacks of different orientation or size under one series number",)
    result = []
    for group in groups:
        result += [replace(stack, notes=(*notes, *stack.notes)) for stack in _by_marks(group)]
    return sorted(result, key=lambda s: -len(s.frames))


def _without_copies(frames: Sequence[Frame]) -> tuple[list[Frame], int]:
    once: dict[tuple[object, ...], Frame] = {}
    for frame in frames:
        own = (frame.image, frame.index, frame.position) if frame.image else (frame.path, frame.index)
        once.setdefault(own, frame)
    return list(once.values()), len(frames) - len(once)


def _alike(a: Frame, b: Frame) -> bool:
    def near(x: tuple[float, ...], y: tuple[float, ...], tolerance: float) -> bool:
        return len(x) == len(y) and all(abs(p - q) <= tolerance for p, q in zip(x, y, strict=True))

    same_size = (a.rows, a.columns) == (b.rows, b.columns)
    return same_size and near(a.orientation, b.orientation, 5e-3) and near(a.pixel_mm, b.pixel_mm, 1e-3)


def _by_marks(group: list[Frame]) -> list[Stack]:
    """One stack, or several where slices repeat and a mark (echo, time point, …) tells them apart."""
    if not _repeats(group):
        return [_stack(group)]
    for size in range(1, len(MARKS) + 1):
        for chosen in combinations(range(len(MARKS)), size):
            parts: dict[tuple[str, ...], list[Frame]] = defaultdict(list)
            for frame in group:
                parts[tuple(frame.marks[i] for i in chosen)].append(frame)
            if len(parts) > 1 and not any(_repeats(part) for part in parts.values()):
                names = " and ".join(MARKS[i] for i in chosen)
                note = f"one of {len(parts)} images of the same slices, told apart by {names}"
                made = (_stack(part) for _, part in sorted(parts.items()))
                return [replace(stack, notes=(note, *stack.notes)) for stack in made]
    problem = InputError(
        f"{_repeats(group)} of {len(group)} images lie where another one does, and no header tells them apart",
        wanted="one image a position", remedy="export each echo, time point or reconstruction as its own series",
    )  # fmt: skip
    return [Stack(tuple(group), None, str(problem))]


def _repeats(group: Sequence[Frame]) -> int:
    if not all(_placed(f) for f in group):
        return 0
    along, _ = _sorted_along_normal(group)
    return int((np.diff(along) < SAME_PLACE_MM).sum())


def _placed(frame: Frame) -> bool:
    return len(frame.position) == 3 and len(frame.orientation) == 6 and len(frame.pixel_mm) == 2


def _sorted_along_normal(group: Sequence[Frame]) -> tuple[Array, list[Frame]]:
    """Positions along the normal in rising order, in millimetres, and the frames in that order."""
    directions = np.asarray(group[0].orientation, dtype=float)
    normal = np.cross(directions[:3], directions[3:])
    along = np.asarray([f.position for f in group], dtype=float) @ normal
    order = np.argsort(along, kind="stable")
    return along[order], [group[i] for i in order]


def _stack(group: list[Frame]) -> Stack:
    """The frames in order with their grid, or with the reason why they have none."""
    try:
        _require_one_kind(group)
        _require_placed(group)
        along, ordered = _sorted_along_normal(group)
        first = ordered[0]
        _require_regular(along)
        positions = np.asarray([f.position for f in ordered], dtype=float)
        across, down = np.asarray(first.orientation[:3], dtype=float), np.asarray(first.orientation[3:], dtype=float)
        normal = np.cross(across, down)
        step = (positions[-1] - positions[0]) / (len(ordered) - 1) if len(ordered) > 1 else normal
        _require_straight(positions, step, normal, tilted=first.facts.modality == "CT")
        affine = np.eye(4)
        affine[:3, :3] = np.column_stack([across * first.pixel_mm[1], down * first.pixel_mm[0], step])
        affine[:3, 3] = positions[0]
        affine = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine  # LPS → RAS
        notes = ("a single slice: its thickness is not known and taken as 1 mm",) if len(ordered) == 1 else ()
        broken = next((f.problem for f in ordered if f.problem), "")
        return Stack(tuple(ordered), affine, broken, notes)
    except InputError as error:
        return Stack(tuple(group), None, next((f.problem for f in group if f.problem), str(error)))


def _require_one_kind(group: Sequence[Frame]) -> None:
    """Raise :class:`InputError` where slices of one series are of several people, weightings or echo times."""
    people = {f.facts.person_id for f in group}
    kinds = {f.facts.sequence for f in group}
    echoes = [f.facts.echo_time_ms for f in group if f.facts.echo_time_ms is not None]
    found = ""
    if len(people) > 1:
        found = f"slices of {len(people)} people under one series number"
    elif len(kinds) > 1:
        found = f"slices weighted {', '.join(sorted(k or 'unknown' for k in kinds))} under one series number"
    elif echoes and max(echoes) > 1.1 * min(echoes):
        found = f"slices of echo times from {min(echoes):g} to {max(echoes):g} ms under one series number"
    if found:
        raise InputError(found, wanted="one image of one person", remedy="export each series with its own UID")


def _require_placed(group: Sequence[Frame]) -> None:
    lost = sum(not _placed(f) for f in group)
    if lost:
        raise InputError(
            f"{lost} of {len(group)} images without position, orientation or pixel spacing",
            wanted="ImagePositionPatient, ImageOrientationPatient and PixelSpacing",
            remedy="export the original series, not pictures of it",
        )
    directions = np.asarray(group[0].orientation, dtype=float)
    lengths, cosine = np.linalg.norm(directions.reshape(2, 3), axis=1), directions[:3] @ directions[3:]
    if np.abs(lengths - 1).max() > 1e-2 or abs(cosine) > 1e-2 or min(group[0].pixel_mm) <= 0:
        raise InputError(
            f"an orientation of {list(group[0].orientation)} with pixels of {list(group[0].pixel_mm)} mm",
            wanted="two perpendicular unit vectors and positive spacings",
            remedy="export the scan again",
        )


def _require_regular(along: Array) -> None:
    """Raise :class:`InputError` unless slices follow each other at one distance; name the missing ones."""
    gaps = np.diff(along)
    if gaps.size == 0:
        return
    step = float(np.median(gaps[gaps <= 1.2 * gaps.min()]))
    tolerance = max(0.05 * step, 0.02)
    if np.abs(gaps - step).max() <= tolerance:
        return
    times = np.rint(gaps / step)
    absent = [float(along[i] + step * n) for i, t in enumerate(times) for n in range(1, int(min(t, 1000)))]
    if np.abs(gaps - times * step).max() <= 2 * tolerance and len(absent) <= len(along):
        where = ", ".join(f"{p:.1f}" for p in absent[:10]) + (", …" if len(absent) > 10 else "")
        raise InputError(
            f"{len(absent)} slices missing between {len(along)} others, at {where} mm along the stack",
            wanted=f"a slice every {step:.2f} mm",
            remedy="send or copy the whole series again",
        )
    raise InputError(
        f"{len(along)} slices at distances from {gaps.min():.2f} to {gaps.max():.2f} mm",
        wanted="one distance throughout",
        remedy="choose a series of one even stack",
    )


def _require_straight(positions: Array, step: Array, normal: Array, *, tilted: bool) -> None:
    """Raise :class:`InputError` where slices lean (a gantry tilt, unless that may be) or do not lie on one line."""
    n = len(positions)
    if n < 2:
        return
    off = np.abs(positions - (positions[0] + np.arange(n)[:, None] * step)).max()
    lean = np.degrees(np.arccos(np.clip(abs(step @ normal) / np.linalg.norm(step), 0, 1)))
    if lean > 1.0 and not tilted:
        raise InputError(
            f"slices shifted sideways from one to the next (a tilt of {lean:.1f}°)",
            wanted="slices stacked along their normal",
            remedy="have it reconstructed without tilt",
        )
    if off > max(0.2, 0.1 * float(np.linalg.norm(step))):
        raise InputError(
            f"slices up to {off:.1f} mm off a straight stack",
            wanted="parallel slices on one line",
            remedy="export the original series",
        )
