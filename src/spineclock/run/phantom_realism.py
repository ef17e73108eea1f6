"""How alike the phantom's scans and those of real people are: the same measurements of both.

Of SPIDER's SPACE people half tune the phantom and the other half score it (:func:`tuning_people`). Whatever the label
map came from, it goes the way of a mask made elsewhere (:func:`spineclock.segment.instances.find` and on), so that a
phantom's exact labels and an expert's outlines are cut into bodies, discs and canal by the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from spineclock.core.anatomy import LEVEL_NAMES, LEVEL_NUMBERS, disc_name, levels_upwards
from spineclock.core.errors import InputError
from spineclock.core.findings import LEVELS
from spineclock.core.volume import Array, Mask, Volume
from spineclock.ingest.cohort import read_table
from spineclock.measure.frame import Piece, Pieces, pieces
from spineclock.measure.reference import Reference, reference
from spineclock.measure.whole import spine
from spineclock.phantom.anatomy.traits import Traits
from spineclock.segment.instances import bodies, find, semantic

SIDE_MM = 6.0
"""Muscle is looked for in slices at least this far from the canal's middle, clear of the spinous processes."""
MUSCLE_MM = (9.0, 20.0)
"""How far behind the laminae: past the fat that lies on them, before the fascia."""
SKIN_MM = (2.0, 12.0)
"""How far under the skin fat is looked for; nearer lies the skin."""
FAT_MM = 2.0
"""Fat is the brightest stretch of this length there: thin people have little more."""
SKIN_SHARE = 0.15
"""Where the signal first rises above this share of the fluid's, coming from behind, is skin."""
CUT_OFF = 0.02
"""A scan with more of its canal than this at the scan's highest value has lost its fluid's signal."""


def tuning_people(ids: Iterable[str]) -> tuple[str, ...]:
    """Every second of the people in order of number, the first included; the phantom is tuned on them.

    >>> tuning_people(["11", "7", "18", "34"])
    ('7', '18')
    """
    return tuple(sorted(ids, key=int)[::2])


def scoring_people(ids: Iterable[str]) -> tuple[str, ...]:
    """The other half: nothing of the phantom may have been chosen by looking at them.

    >>> scoring_people(["11", "7", "18", "34"])
    ('11', '34')
    """
    return tuple(sorted(ids, key=int)[1::2])


def matched(wanted: Sequence[tuple[float, str]], made: Iterable[Traits]) -> list[Traits]:
    """For each (age, sex) in turn the made-up person of that sex nearest in age, at the first scan; nobody twice.

    Raises
    ------
    InputError
        If there are too few of a sex.
    """
    free = [person for person in made if person.session == 1]
    out = []
    for age_years, sex in wanted:
        same = [k for k, person in enumerate(free) if person.sex == sex]
        if not same:
            raise InputError(f"too few made-up people of sex {sex}", wanted=f"at least {len(wanted)} to choose from")
        out.append(free.pop(min(same, key=lambda k: abs(free[k].age_years - age_years))))
    return out


def grades_of(person: Traits) -> dict[str, int]:
    """A made-up person's Pfirrmann grades by disc, named as measurements name them."""
    return {
        disc_name(level): int(grade)
        for level, grade, there in zip(LEVELS, person.pfirrmann, person.exists, strict=True)
        if there
    }


def pfirrmann(path: Path) -> dict[str, dict[str, int]]:
    """Pfirrmann grades of SPIDER's ``radiological_gradings.csv`` by person and disc ("L4/L5")."""
    table = read_table(path)
    names = {str(c).strip().lower(): c for c in table}
    wanted = ("patient", "ivd label", "pfirrman grade")
    if missing := [c for c in wanted if c not in names]:
        raise InputError(f"{path.name} lacks {', '.join(missing)}", wanted="SPIDER's radiological_gradings.csv")
    level = {k: disc_name(name) for k, name in enumerate(levels_upwards("L5", 22), start=1)}
    out: dict[str, dict[str, int]] = {}
    for person, disc, grade in table[[names[c] for c in wanted]].itertuples(index=False, name=None):
        if int(disc) in level:
            out.setdefault(str(person).strip(), {})[level[int(disc)]] = int(grade)
    return out


@dataclass(frozen=True)
class Likeness:
    """What is set side by side of one scan, phantom's or person's; each a small frame.

    ``discs`` has a row a disc (level, pfirrmann, height_mm, height_to_body, signal_to_csf, nucleus_to_csf,
    signal_to_marrow), ``canal`` one a level (level, at "disc" or "body", depth_mm), ``tissues`` one a tissue
    (tissue, to_csf, to_marrow). ``cut_off`` says that the export cut the fluid's signal off: ratios to CSF are
    then too high, those to marrow hold.
    """

    discs: pd.DataFrame
    canal: pd.DataFrame
    tissues: pd.DataFrame
    cut_off: bool


def likeness(volume: Volume, labels: Mask, grades: Mapping[str, int] | None = None) -> Likeness:
    """Disc height to body height, disc signal to CSF's by grade, canal depth, and the tissues' signals to CSF's.

    Parameters
    ----------
    volume : Volume
        The scan; canonical.
    labels : Mask
        Spineclock numbering on the same grid; bodies and arches together (24) or apart (224, 324), cord and CSF apart
        or one canal.
    grades : mapping, optional
        Pfirrmann grade by disc ("L4/L5").
    """
    present = [n for n in LEVEL_NUMBERS.values() if n != LEVEL_NUMBERS["S1"] and _has_vertebra(labels, n)]
    lowest = LEVEL_NAMES[present[-1]] if present else None
    found = find(semantic(labels), lowest_vertebra=lowest)
    fronts = bodies(found)
    measured = spine(volume, found.labels, fronts).table
    cut = pieces(volume, found.labels, fronts)
    level = reference(volume.array, cut.canal)
    return Likeness(
        disc_rows(measured, grades or {}),
        canal_rows(measured),
        tissue_rows(volume, cut, level, measured),
        bool(level.clipped_share > CUT_OFF),
    )


def disc_rows(measured: pd.DataFrame, grades: Mapping[str, int]) -> pd.DataFrame:
    """A row a whole disc: height, height to the mean of its two bodies, and signal; grade NaN where not known."""
    names = {"height_mm": "height_mm", "height_index": "height_to_body", "signal": "signal_to_csf",
             "nucleus_signal": "nucleus_to_csf", "signal_to_bodies": "signal_to_marrow"}  # fmt: skip
    rows = measured[(measured["structure"] == "disc") & measured["complete"] & measured["name"].isin(list(names))]
    wide = rows.pivot_table(index="level", columns="name", values="value", sort=False, dropna=False)
    wide = wide.reindex(columns=list(names)).rename(columns=names).reset_index()
    wide.insert(1, "pfirrmann", [float(grades.get(str(name), np.nan)) for name in wide["level"]])
    return wide.rename_axis(columns=None)


def canal_rows(measured: pd.DataFrame) -> pd.DataFrame:
    """A row a level: front-to-back depth of the canal behind each disc and body."""
    rows = measured[(measured["structure"] == "canal") & measured["complete"] & (measured["name"] == "depth_mm")]
    at = np.where(rows["level"].str.contains("/"), "disc", "body")
    return pd.DataFrame({"level": rows["level"].to_numpy(), "at": at, "depth_mm": rows["value"].to_numpy()})


def tissue_rows(volume: Volume, found: Pieces, level: Reference, measured: pd.DataFrame) -> pd.DataFrame:
    """Marrow, the muscle behind the laminae of L1 to L5, and the fat under the skin, as ratios to CSF and to marrow.

    Medians; marrow is the mean over the lumbar bodies. NaN where a tissue is not in view.
    """
    lumbar = {n: piece for n, piece in found.bodies.items() if LEVEL_NAMES[n].startswith("L")}
    of_bodies = measured[(measured["structure"] == "vertebra") & (measured["name"] == "signal") & measured["complete"]]
    marrow = float(of_bodies.loc[of_bodies["level"].str.startswith("L"), "value"].mean())
    muscle: list[float] = []
    fat: list[float] = []
    if found.canal is not None and lumbar:
        csf = float(np.median([level.near(p).csf for p in lumbar.values()])) - level.background
        middle = found.canal.middle_mm
        heights = _heights(lumbar, volume.shape[2])
        raw = volume.array.astype(np.float32) - np.float32(level.background)
        muscle = [v / csf for v in _behind_laminae(raw, found, middle, heights, volume.spacing_mm)]
        fat = [v / csf for v in _under_skin(raw, csf, middle, heights, volume.spacing_mm)]
    ratios = {"marrow": marrow, "muscle": _median(muscle), "fat": _median(fat)}
    return pd.DataFrame(
        [(tissue, ratio, ratio / marrow if marrow > 0 else np.nan) for tissue, ratio in ratios.items()],
        columns=["tissue", "to_csf", "to_marrow"],
    )


def _has_vertebra(labels: Mask, number: int) -> bool:
    return bool(np.isin(labels.array, (number, number + 200)).any())


def _heights(lumbar: Mapping[int, Piece], count: int) -> range:
    low = min(round(p.height_index) for p in lumbar.values())
    high = max(round(p.height_index) for p in lumbar.values())
    return range(max(low, 0), min(high + 1, count), 3)


def _behind_laminae(
    raw: Array, found: Pieces, middle_mm: float, heights: range, spacing_mm: tuple[float, float, float]
) -> Iterator[float]:
    """Signals from 9 to 20 mm behind the rearmost bone of each line from front to back, to the sides of the midline."""
    bone = np.zeros(raw.shape, bool)
    for number, piece in found.vertebrae.items():
        box = tuple(slice(s, s + n) for s, n in zip(piece.first, piece.inside.shape, strict=True))
        part = piece.inside.copy()
        if number in found.bodies:
            front = found.bodies[number]
            at = tuple(
                slice(b - a, b - a + n) for a, b, n in zip(piece.first, front.first, front.inside.shape, strict=True)
            )
            part[at] &= ~front.inside
        bone[box] |= part
    near, far = (round(mm / spacing_mm[1]) for mm in MUSCLE_MM)
    for i in range(raw.shape[0]):
        if abs(i * spacing_mm[0] - middle_mm) < SIDE_MM:
            continue
        for k in heights:
            line = np.flatnonzero(bone[i, :, k])
            if len(line):
                yield from raw[i, max(0, line[0] - far) : max(0, line[0] - near), k].tolist()


def _under_skin(
    raw: Array, csf: float, middle_mm: float, heights: range, spacing_mm: tuple[float, float, float]
) -> Iterator[float]:
    """Signals of the brightest 2 mm from 2 to 12 mm under the skin of the back, one a line."""
    near, far = (round(mm / spacing_mm[1]) for mm in SKIN_MM)
    half = raw.shape[1] // 2
    for i in range(raw.shape[0]):
        if abs(i * spacing_mm[0] - middle_mm) > 2 * SIDE_MM:
            continue
        smooth = ndimage.gaussian_filter(raw[i, :half], 0.7 / spacing_mm[1])
        means = ndimage.uniform_filter1d(raw[i, :half], max(1, round(FAT_MM / spacing_mm[1])), axis=0)
        for k in heights:
            inside = np.flatnonzero(smooth[:, k] > SKIN_SHARE * csf)
            if len(inside) and 2 <= inside[0] < half - far:
                yield float(means[inside[0] + near : inside[0] + far, k].max())


def _median(values: list[float]) -> float:
    return float(np.median(values)) if values else float("nan")
