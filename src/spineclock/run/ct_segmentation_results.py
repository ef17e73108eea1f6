"""Judges the segmentation network of CT and puts it in its place: ``python -m spineclock.run.ct_segmentation_results``.

On simulated people it did not learn from, of its own world and of one with other scanners and other anatomy, and, where
the folder of real scans is at hand, on these against the label maps they came with, which it never learned from.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from spineclock.core.anatomy import BODY, CT_CLASSES, LEVEL_NAMES
from spineclock.core.geometry import canonical, require_same_grid
from spineclock.core.recipe import LARGEST_BYTES
from spineclock.core.volume import Array, Mask, Volume
from spineclock.ingest.nifti import read_mask, volume
from spineclock.measure.ct_bodies import ct_bodies
from spineclock.nets.weights import packaged, sha256
from spineclock.run.ct_segmentation_training import LOG, WEIGHTS, jobs, kept, make
from spineclock.run.outputs import write_text
from spineclock.run.tables import markdown
from spineclock.segment.ct_grid import NUMBER, classes_of
from spineclock.segment.ct_instances import found_in
from spineclock.segment.ct_network import CtScorer, label_map
from spineclock.segment.ct_outline import outline_quality
from spineclock.segment.engine import ct_scorer
from spineclock.segment.instances import Instances
from spineclock.segment.parts import with_parts
from spineclock.segment.schemes import to_spineclock
from spineclock.segment.totalsegmentator import merged

WORLDS = ("default", "shifted")
KEPT_BACK_SEED = 9100
"""Of the simulated people who serve to judge: no training has this seed."""
STRUCTURES = CT_CLASSES[1:]


@dataclass(frozen=True)
class Judged:
    """A scan with its true label map, bodies told from arches; ``known`` are the classes that map tells.

    Overlap is counted from axial slice ``from_slice`` up, where the map covers no more.
    """

    name: str
    kind: str
    volume: Volume
    labels: Mask
    known: tuple[str, ...] = STRUCTURES
    from_slice: int = 0


def simulated(work: Path, people: int, *, workers: int) -> Iterator[Judged]:
    """Simulated people kept back, of both worlds."""
    for world in WORLDS:
        asked = jobs(people, seed=KEPT_BACK_SEED, folder=work / "kept_back", world=world)
        make(asked, workers=workers)
        for job in (j for j in asked if j.path.is_file()):
            yield Judged(job.path.stem, f"simulated, {world}", *kept(job))


def real(folder: Path) -> Iterator[Judged]:
    """The real scans of a folder laid out as docs/data.md says, with label maps by TotalSegmentator and VerSe."""
    report = folder / "totalsegmentator" / "spine_report" / "example_ct_report"
    scan = volume(folder / "totalsegmentator" / "example_ct.nii.gz", max_bytes=LARGEST_BYTES)
    labels = merged(read_mask(report / "totalseg.nii.gz"), read_mask(report / "totalseg_vertebrae_body.nii.gz"))
    whole = ("disc", "body", "arch")  # of the sacrum S1 alone is marked
    yield Judged("TotalSegmentator, lumbar CT, 3 mm", "real", canonical(scan), canonical(labels), whole)
    upper = canonical(read_mask(folder / "totalsegmentator" / "example_seg.nii.gz"))  # the scan's uppermost 90 mm
    lowest = scan.shape[2] - upper.shape[2]
    array = np.zeros(scan.shape, np.uint16)
    array[:, :, lowest:] = to_spineclock(upper, "totalsegmentator").array
    muscles = Mask(array, canonical(scan).affine)
    yield Judged("the same, its uppermost 90 mm", "real", canonical(scan), muscles, ("psoas", "erector"), lowest)
    at = folder / "verse014"
    verse = to_spineclock(canonical(read_mask(at / "sub-verse014_seg-vert_msk.nii.gz")), "verse")
    scan = canonical(volume(at / "sub-verse014_ct.nii.gz", max_bytes=LARGEST_BYTES))
    yield Judged("VerSe 014, 1 × 1 × 2 mm", "real", scan, with_parts(verse), ("body", "arch"))


def judged(told: Judged, scorer: CtScorer) -> dict[str, object]:
    """One row: Dice by class, how many levels are named as they are, body heights beside the true map's."""
    require_same_grid(told.volume, told.labels, what="the scan and its label map")
    classes, certainty = label_map(told.volume, scorer)
    found = found_in(classes, certainty=certainty)
    truth = classes_of(told.labels)
    row: dict[str, object] = {"scan": told.name, "kind": told.kind}
    outlined, true = (m.array[:, :, told.from_slice :] for m in (classes, truth))
    row |= {n: dice(outlined == NUMBER[n], true == NUMBER[n]) if n in told.known else np.nan for n in STRUCTURES}
    row |= _levels(told, found) | {"confidence": found.confidence, "verdict": outline_quality(found).verdict}
    return row | {"counted from the sacrum": found.sacrum}


def dice(found: Array, truth: Array) -> float:
    """Overlap of two outlines, 0 … 1; NaN where there is nothing to be found.

    >>> dice(np.array([1, 1, 0, 0]) > 0, np.array([0, 1, 1, 0]) > 0)
    0.5
    """
    if not truth.any():
        return float("nan")
    return 2 * float(np.count_nonzero(found & truth)) / float(np.count_nonzero(found) + np.count_nonzero(truth))


def _levels(told: Judged, found: Instances) -> dict[str, object]:
    """Bodies of the true map that are whole: how many, how many have their name, and by how much heights are off."""
    true, seen = ct_bodies(told.volume, told.labels), ct_bodies(told.volume, found.labels)
    whole = [level for level, b in true.items() if not b.cut]
    numbers = {name: number for number, name in LEVEL_NAMES.items()}
    named = [n for n in whole if _overlapping(told.labels.array, found.labels.array, numbers[n] + BODY)]
    off = [
        getattr(seen[n].heights, part) - getattr(true[n].heights, part)
        for n in named
        if n in seen and not seen[n].cut
        for part in ("anterior_mm", "middle_mm", "posterior_mm")
    ]
    hu = [seen[n].trabecular.mean_hu - true[n].trabecular.mean_hu for n in named if n in seen and not seen[n].cut]
    return {
        "whole bodies": len(whole), "named right": len(named),
        "height error, mm": float(np.nanmean(off)) if off else np.nan,
        "height SD, mm": float(np.nanstd(off)) if off else np.nan,
        "HU error": float(np.nanmean(np.abs(hu))) if hu else np.nan,
    }  # fmt: skip


def _overlapping(truth: Array, found: Array, number: int) -> bool:
    """Whether most of a body's voxels bear its own number."""
    return bool(np.mean(found[truth == number] == number) > 0.5)


def learned(log: Path) -> str:
    """What the weights were learned from, as their training told."""
    told = json.loads(log.read_text(encoding="utf-8"))
    return (
        f"Trained on {told['people']} simulated people, {told['steps']:,} steps of {told['batch']} crops, seed "
        f"{told['seed']}, in {told['minutes']:.0f} minutes since it was last taken up; loss "
        f"{told['losses'][0][1]:.2f} at first and {told['losses'][-1][1]:.2f} at the end."
    )


def page(table: pd.DataFrame, *, weights: Path, about: str) -> str:
    """The results page."""
    kinds = table.groupby("kind", sort=False)
    summary = kinds[list(STRUCTURES)].mean().reset_index()
    summary.insert(1, "scans", kinds.size().to_numpy())
    each = kinds[["whole bodies", "named right"]].sum().reset_index()
    more = kinds[["height error, mm", "height SD, mm", "HU error", "confidence"]].mean().reset_index()
    return (
        "# Segmentation of CT\n\n"
        "The embedded network (`weights/ct_segmenter.safetensors`), which has seen simulated people only. Dice overlap "
        "with the true label maps of simulated people kept back, and with the label maps that real scans came with, on "
        "the scans' own grids. TotalSegmentator's map is a model's; VerSe's experts outlined whole vertebrae, "
        "which were told into bodies and arches by geometry. There are two real scans: the first has two rows, for its "
        "map of muscles covers its uppermost 90 mm alone. The simulated people are the same in both worlds.\n\n"
        "- Command: `python -m spineclock.run.ct_segmentation_results --real FOLDER`; `make weights-ct REAL=FOLDER` "
        f"trains a network first\n- {about}\n- Weights: SHA-256 `{sha256(weights)}`\n"
        "- Pictures of the real scans with these outlines: `--pictures FOLDER`\n\n"
        f"## Dice\n\n{markdown(summary, digits=3)}\n\n"
        "## Levels, heights and density\n\nOf bodies that are whole in view: how many bear their name, and heights and "
        "trabecular density by the network's outlines against those by the true map, of bodies that bear their name: "
        "mean difference and SD of a scan's heights, mean absolute difference of its HU; means over scans. Levels are "
        "counted from the sacrum: in people with four or six lumbar vertebrae all names are one off, unless the lowest "
        "vertebra is told (`--lowest-vertebra`), and nothing in confidence or verdict tells it. The verdict is of the "
        "outlines alone; `spineclock predict` says `check` of every one.\n\n"
        f"{markdown(each.merge(more, on='kind'), digits=2)}\n\n"
        f"## Each scan\n\n{markdown(table.drop(columns='kind'), digits=2)}\n"
    )


def pictured(told: Judged, scorer: CtScorer, path: Path) -> None:
    """Draws the middle sagittal slice, a coronal one and L3's axial one with the network's outlines."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    classes, _ = label_map(told.volume, scorer)
    array, (dx, dy, dz) = classes.array, told.volume.spacing_mm
    body = np.argwhere(array == NUMBER["body"])
    i, j, k = np.median(body, axis=0).astype(int) if len(body) else np.array(array.shape) // 2
    views = (
        (told.volume.array[i], array[i], dz / dy), (told.volume.array[:, j], array[:, j], dz / dx),
        (told.volume.array[:, max(j - round(35 / dy), 0)], array[:, max(j - round(35 / dy), 0)], dz / dx),
        (told.volume.array[:, :, k], array[:, :, k], dy / dx),
    )  # fmt: skip
    figure, axes = plt.subplots(2, len(views), figsize=(5 * len(views), 10))
    for column, (samples, labels, aspect) in enumerate(views):
        for row in (0, 1):
            axes[row, column].imshow(samples.T, cmap="gray", vmin=-160, vmax=400, origin="lower", aspect=aspect)
            axes[row, column].axis("off")
        shown = np.ma.masked_equal(labels.T, 0)
        axes[1, column].imshow(shown, cmap="tab10", vmin=0, vmax=9, alpha=0.55, origin="lower", aspect=aspect)
    figure.suptitle(told.name)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=60)
    plt.close(figure)


def main() -> None:
    """Judges, writes the page, and packages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("build/ct_segmenter"), help="the training's folder")
    parser.add_argument("--weights", type=Path, help="other weights than those the training left there")
    parser.add_argument("--people", type=int, default=12, help="simulated people of each world")
    parser.add_argument("--workers", type=int, default=2, help="processes that make them")
    parser.add_argument("--real", type=Path, help="the folder of real CT (docs/data.md)")
    parser.add_argument("--out", type=Path, help="the page, such as docs/results/ct_segmentation.md")
    parser.add_argument("--pictures", type=Path, help="a folder for pictures of the real scans")
    parser.add_argument("--about", help="a sentence for the page on how other weights were trained")
    parser.add_argument("--into", type=Path, help="where packaged weights go, such as src/spineclock/weights")
    told = parser.parse_args()
    weights = told.weights or told.work / WEIGHTS
    scorer: CtScorer = ct_scorer(weights)
    rows = []
    for scan in _scans(told):
        rows.append(judged(scan, scorer))
        print({k: round(v, 3) if isinstance(v, float) else v for k, v in rows[-1].items()}, flush=True)
        if told.pictures is not None and scan.kind == "real":
            pictured(scan, scorer, told.pictures / f"{scan.name.split(',')[0].replace(' ', '_')}.png")
    table = pd.DataFrame(rows)
    table.to_csv(told.work / "dice.csv", index=False)
    if told.out is not None:
        about = told.about or learned(told.work / LOG)
        write_text(told.out, page(table, weights=weights, about=about))
    if told.into is not None:
        shutil.copyfile(weights, told.into / WEIGHTS)
        print(packaged(WEIGHTS))


def _scans(told: argparse.Namespace) -> Iterator[Judged]:
    if told.real is not None:
        yield from real(told.real)
    yield from simulated(told.work, told.people, workers=told.workers)


if __name__ == "__main__":
    main()
