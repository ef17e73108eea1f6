"""What crops of vertebral bodies are judged by: expert masks, pictures, and simulated people of known marrow."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from PIL import Image

from spineclock.core.anatomy import BODY, LEVEL_NUMBERS
from spineclock.core.errors import RefusedError
from spineclock.core.geometry import picture_volume
from spineclock.core.volume import Array, Mask, Volume
from spineclock.ingest.datasets.spider import SpiderPerson
from spineclock.measure.body_frames import body_frames
from spineclock.measure.bone_quality import BoneQuality, bone_quality
from spineclock.phantom.anatomy.body import anatomy_of
from spineclock.phantom.anatomy.traits import Traits, traits_of
from spineclock.phantom.mri.scanner import Request, acquire
from spineclock.phantom.people import people
from spineclock.prep.cropping import Cropping
from spineclock.prep.crops import Crop, Crops, crops
from spineclock.segment.instances import Instances, bodies, find
from spineclock.segment.network import Scorer, certain_label_map, class_probabilities
from spineclock.segment.pictures import outline_picture

HELD = 0.5
"""A crop of whose body mask less than half is truly that vertebra has no vertebral body in it."""
Weighting = Literal["T1w", "T2w"]


def outlined(volume: Volume, scorer: Scorer) -> Instances:
    """The vertebrae and discs of a canonical scan by the network."""
    mask, certainty = certain_label_map(*class_probabilities(volume, scorer), volume)
    return find(mask, certainty=certainty)


def cropped(volume: Volume, found: Instances, how: Cropping, weighting: Weighting) -> tuple[Crops, BoneQuality]:
    """The crops and scores of a scan whose vertebrae were found.

    Raises
    ------
    RefusedError
        If no body can be cropped.
    """
    front = bodies(found)
    frames = body_frames(found.labels, front)
    quality = bone_quality(volume, found.labels, front, weighting=weighting)
    reference = next((r for name, r in quality.references.items() if name == how.intensity), None)
    return crops(volume, front, frames, how, reference=reference), quality


def true_here(crop: Crop, truth: Mask) -> Array:
    """The label map at a crop's pixels, shape (n, H, W); nearest neighbour, 0 beyond it."""
    at = np.tensordot(crop.affine[:3, :3], np.indices(crop.array.shape), axes=1) + crop.affine[:3, 3, None, None, None]
    inverse = np.linalg.inv(truth.affine)
    index = np.rint(np.tensordot(inverse[:3, :3], at, axes=1) + inverse[:3, 3, None, None, None]).astype(int)
    inside = np.all([(i >= 0) & (i < n) for i, n in zip(index, truth.shape, strict=True)], axis=0)
    out = np.zeros(crop.array.shape, truth.array.dtype)
    i, j, k = index[:, inside]
    out[inside] = truth.array[i, j, k]
    return out


def slab_rows(
    some: Sequence[SpiderPerson], how: Cropping, scorer: Scorer | None, *, sheets: dict[str, Crops] | None = None
) -> Iterator[dict[str, Any]]:
    """One row for each level asked for of people with expert masks, from these or from the network's outlines.

    ``held``: share of the crop's body mask that is that vertebra's body by the expert mask; ``shown``: share of the
    true body's area in those slices that lies within the crop.
    """
    for person in some:
        start = time.perf_counter()
        found = find(person.mask) if scorer is None else outlined(person.volume, scorer)
        told = {"person_id": person.person_id, "age_years": person.age_years}
        try:
            made, quality = cropped(person.volume, found, how, "T2w")
        except RefusedError as error:
            made, quality = Crops((), dict.fromkeys(how.levels, error.found), how), None
        told["seconds"] = time.perf_counter() - start
        told["to_csf"] = quality.to_csf if quality else np.nan
        if sheets is not None:
            sheets[person.person_id] = made
        truth = bodies(find(person.mask)) if scorer is not None else bodies(found)
        for crop in made.crops:
            here = true_here(crop, truth) == BODY + LEVEL_NUMBERS[crop.level]
            first = round(float((np.linalg.inv(truth.affine) @ crop.affine)[0, 3]))
            whole = truth.array[first : first + len(crop.array)] == BODY + LEVEL_NUMBERS[crop.level]
            area = whole.sum() * truth.spacing_mm[1] * truth.spacing_mm[2]
            shown = here.sum() * crop.pixel_mm**2 / area if area else 0.0
            yield {**told, "level": crop.level, "held": float(here[crop.mask].mean()), "shown": min(1.0, float(shown))}
        for level, why in made.missing.items():
            yield {**told, "level": level, "missing": why}


def sampled_pictures(folder: Path, count: int, *, seed: int, leave_out: Sequence[str] = ()) -> list[str]:
    """Patients of the mid-sagittal pictures that have a T1 and a T2 of one size, ``count`` of them by chance."""
    table = pd.read_csv(folder / "midsagittal.csv", dtype={"patient": str})
    wide = table[table["sequence"].isin(("t1", "t2"))].pivot(
        index="patient", columns="sequence", values=["rows", "cols"]
    )
    same = wide.dropna()
    same = same[(same["rows", "t1"] == same["rows", "t2"]) & (same["cols", "t1"] == same["cols", "t2"])]
    order = sorted(set(same.index) - set(leave_out), key=int)
    return sorted(np.random.default_rng(seed).choice(order, size=min(count, len(order)), replace=False), key=int)


def picture_rows(
    folder: Path, patients: Sequence[str], how: Cropping, scorer: Scorer, sheets: dict[str, Crops]
) -> Iterator[dict[str, Any]]:
    """One row for each level of the T1 and T2 pictures of some patients; the crops are put into ``sheets``."""
    table = pd.read_csv(folder / "midsagittal.csv").set_index("series")
    for patient in patients:
        for weighting in ("t1", "t2"):
            series = f"{patient}_{weighting}"
            start = time.perf_counter()
            row_mm, column_mm = (float(table[name].loc[series]) for name in ("nominal_row_mm", "nominal_col_mm"))
            picture = np.asarray(Image.open(folder / "midsagittal" / f"{series}.png").convert("L"))
            scan = picture_volume(picture, (row_mm, column_mm))
            seen = outline_picture(scan, scorer)
            try:
                made, _ = cropped(seen.volume, seen.found, how, "T1w" if weighting == "t1" else "T2w")
            except RefusedError as error:
                made = Crops((), dict.fromkeys(how.levels, error.found), how)
            sheets[series] = made
            seconds = time.perf_counter() - start
            told_of_all = {"series": series, "weighting": weighting, "seconds": seconds, "scale": seen.scale,
                           "confidence": seen.found.confidence}  # fmt: skip
            for level in how.levels:
                yield {**told_of_all, "level": level, "missing": made.missing.get(level, "")}


def phantom_rows(count: int, *, seed: int, sheets: dict[str, tuple[Crops, Traits]]) -> Iterator[dict[str, Any]]:
    """One row for each of some simulated people, scanned T2- and T1-weighted, from their true label maps."""
    how = Cropping()
    first = list({t.person_id: t for t in reversed(traits_of(people(count, seed=seed)))}.values())[::-1]
    for person in first:
        start = time.perf_counter()
        both = acquire(person, Request("lumbar", weightings=("T2w", "T1w")), seed=seed)
        spine = anatomy_of(person, seed=seed, world="default")
        levels = [k for k, name in enumerate(spine.names) if name in how.levels]
        row: dict[str, Any] = {
            "person_id": person.person_id, "spine_age_years": person.spine_age_years,
            "lumbar_t_score": person.lumbar_t_score, "scanning_seconds": time.perf_counter() - start,
            "marrow_fat": float(np.median([spine.bodies[k]["fat"] for k in levels])),
            "field_tesla": both[0].facts["MagneticFieldStrength"],
        }  # fmt: skip
        start = time.perf_counter()
        made: dict[str, Crops] = {}
        for series in both:
            weighting: Weighting = "T1w" if series.weighting == "T1w" else "T2w"
            made[weighting] = crops(series.volume, series.labels, body_frames(series.labels), how)
            quality = bone_quality(series.volume, series.labels, weighting=weighting)
            row |= {f"{weighting} {name}": value for name, value in quality.wide().items() if "." not in name}
            sheets[f"{person.person_id} {weighting}"] = (made[weighting], person)
        row["seconds"] = time.perf_counter() - start
        row["levels"] = len(made["T1w"].levels)
        row["same_levels"] = made["T1w"].levels == made["T2w"].levels
        apart = [np.linalg.norm(_middle(made["T1w"][v]) - _middle(made["T2w"][v])) for v in made["T1w"].levels]
        row["apart_mm"] = float(max(apart))
        yield row


def _middle(crop: Crop) -> Array:
    """A crop's middle in the patient."""
    n, rows, columns = crop.array.shape
    return np.asarray(crop.affine @ [(n - 1) / 2, (rows - 1) / 2, (columns - 1) / 2, 1.0])[:3]
