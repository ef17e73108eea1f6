"""What the network of bone and muscle says of scans without label maps, beside what it says with the true ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from spineclock.core.errors import SpineclockError, TableError
from spineclock.core.recipe import LARGEST_BYTES, Reader
from spineclock.core.records import Scan
from spineclock.ingest.nifti import with_label_map
from spineclock.nets.weights import packaged
from spineclock.recipes.ct_fracture import CT_SEGMENTER
from spineclock.run.fractures.compared import MARGIN
from spineclock.run.fractures.oracle import HORIZONS, OUTCOME, drawn
from spineclock.run.fractures.people import MATTERS, RECIPE, People, Places, Variant
from spineclock.run.fractures.scans import made, paths
from spineclock.run.resumed import Task, by_weights, reader, table_of
from spineclock.run.study.words import interval
from spineclock.stats.diagnosis import Auroc, AurocDifference
from spineclock.stats.survival.compared import RiskComparison

PEOPLE = People("matters_outlined", 700, 86, MATTERS, MATTERS)
NETWORK = Variant(MATTERS, "bone_muscle", "both")
OUTLINES = ("outlined", "true")
"""By the packaged network, and by the true label map."""


def tell(task: Task) -> dict[str, object]:
    """Risk, probability of a fracture, vertebrae shown by either outlines, or why there are none; a worker's task."""
    volume, labels = with_label_map(task.path, max_bytes=LARGEST_BYTES)
    scan, row = Scan(task.scan_id, volume, task.path, "CT"), dict[str, object](scan_id=task.scan_id)
    for name in OUTLINES:
        row |= _said(reader(RECIPE, task.model), scan.with_mask(labels) if name == "true" else scan, name)
    return row


def _said(model: Reader, scan: Scan, name: str) -> dict[str, object]:
    try:
        reading = model.read(scan)
    except SpineclockError as error:
        return {f"{name}_refused": str(error)}
    told = reading.event
    if told is None or told.risk is None:
        return {f"{name}_refused": "; ".join(reading.quality.reasons)}
    return {f"{name}_risk": told.risk, f"{name}_fracture": told.probability, f"{name}_shown": " ".join(told.shown)}


def answers(places: Places) -> Path:
    """Where what was read is kept, by people, network, and network that outlines."""
    return places.out / by_weights(PEOPLE.name, places.run(NETWORK) / "weights.safetensors", packaged(CT_SEGMENTER))


def outlined(places: Places, *, workers: int, lean: bool = False) -> None:
    """Makes and reads the scans of :data:`PEOPLE`, as far as that is not done; stopped, it goes on.

    ``lean``: the scans are removed once all are read.
    """
    path, model = answers(places), places.run(NETWORK)
    if path.is_file():
        return
    cohort = made(places, PEOPLE.scaled(places.scale), workers=workers)
    columns = [f"{name}_{what}" for name in OUTLINES for what in ("risk", "fracture", "shown", "refused")]
    table_of(path, tell, (Task(scan.scan_id, scan.path, model) for scan in paths(cohort)), workers=workers,
             columns=["scan_id", *columns])  # fmt: skip
    if lean:
        shutil.rmtree(cohort)


def beside_true(places: Places, *, resamples: int) -> pd.DataFrame:
    """Figures by the packaged network's outlines, by the true label maps, and their difference, of the same people.

    Raises
    ------
    TableError
        If what was read is of other people, or they are too few.
    """
    found = pd.read_csv(answers(places), dtype={f"{name}_shown": str for name in OUTLINES})
    people = drawn(PEOPLE.scaled(places.scale))
    if set(found["scan_id"]) != set(people["scan_id"]):
        raise TableError(f"{answers(places).name} is of other people", remedy="remove it, and call again")
    table = people.merge(found, on="scan_id", validate="one_to_one")
    own, true = (f"{name}_risk" for name in OUTLINES)
    both = table.dropna(subset=[own, true])
    counts = [
        {"figure": "people", "outlined": str(len(table)), "true maps": str(len(table))},
        {"figure": "without an answer", **{words: str(int(table[c].isna().sum())) for words, c in
                                           (("outlined", own), ("true maps", true))}},
        {"figure": "mean risk within 5 years", "outlined": f"{both[own].mean():.3f}",
         "true maps": f"{both[true].mean():.3f}"},
    ]  # fmt: skip
    figures = RiskComparison(OUTCOME, {name: {HORIZONS[-1]: f"{name}_risk"} for name in OUTLINES}, ("harrell", "auroc"),
                             HORIZONS[-1:], until=HORIZONS[-1], margin=MARGIN, resamples=resamples)(both)  # fmt: skip
    for figure, words in (("harrell", "c"), ("auroc", "AUROC 5 y")):
        rows = figures[figures["figure"] == figure]
        counts.append(_three(words, rows))
    probabilities = [f"{name}_fracture" for name in OUTLINES]
    areas = Auroc("fracture_in_view", probabilities)(both)
    apart = AurocDifference("fracture_in_view", probabilities[0], probabilities[1:])(both)
    counts.append(_three("AUROC of a fracture of L1 to L3", pd.concat([areas, apart])))
    same = (both["outlined_shown"] == both["true_shown"]).mean()
    rank = float(np.corrcoef(both[own].rank(), both[true].rank())[0, 1])
    counts += [{"figure": "shown the same vertebrae", "outlined": f"{same:.1%}"},
               {"figure": "rank correlation of the two risks", "outlined": f"{rank:.3f}"}]  # fmt: skip
    return pd.DataFrame(counts).fillna("")


def _three(figure: str, rows: pd.DataFrame) -> dict[str, str]:
    told = (interval(row, digits=3) for row in rows.itertuples())
    return {"figure": figure, **dict(zip(("outlined", "true maps", "difference"), told, strict=True))}
