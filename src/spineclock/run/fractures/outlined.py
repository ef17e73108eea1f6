"""What the network of bone and muscle says of scans without label maps, beside what it says with the true ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from spineclock.core.errors import SpineclockError
from spineclock.core.recipe import LARGEST_BYTES, Options, Reader
from spineclock.core.records import Scan
from spineclock.ingest.nifti import with_label_map
from spineclock.recipes.ct_fracture import RECIPE
from spineclock.run.fractures.compared import MARGIN
from spineclock.run.fractures.oracle import HORIZONS, OUTCOME, drawn
from spineclock.run.fractures.people import MATTERS, People, Places, Variant
from spineclock.run.fractures.scans import made, paths
from spineclock.run.outputs import write_text
from spineclock.run.progress import with_bar
from spineclock.run.side_by_side import side_by_side
from spineclock.run.study.words import interval
from spineclock.stats.diagnosis import Auroc, AurocDifference
from spineclock.stats.survival.compared import RiskComparison

PEOPLE = People("matters_outlined", 700, 86, MATTERS, MATTERS)
NETWORK = Variant(MATTERS, "bone_muscle", "both")
OUTLINES = ("outlined", "true")
"""By the packaged network, and by the true label map."""


@dataclass(frozen=True)
class Task:
    """A scan with its label map beside it, and the folder of the network."""

    scan_id: str
    path: Path
    model: Path


@cache
def _reader(model: Path) -> Reader:
    return RECIPE.load(str(model), Options(threads=1))


def tell(task: Task) -> dict[str, object]:
    """Risk, probability of a fracture, vertebrae shown by either outlines, or why there are none; a worker's task."""
    volume, labels = with_label_map(task.path, max_bytes=LARGEST_BYTES)
    scan, row = Scan(task.scan_id, volume, task.path, "CT"), dict[str, object](scan_id=task.scan_id)
    for name in OUTLINES:
        row |= _said(_reader(task.model), scan.with_mask(labels) if name == "true" else scan, name)
    return row


def _said(reader: Reader, scan: Scan, name: str) -> dict[str, object]:
    try:
        reading = reader.read(scan)
    except SpineclockError as error:
        return {f"{name}_refused": str(error)}
    told = reading.event
    if told is None or told.risk is None:
        return {f"{name}_refused": "; ".join(reading.quality.reasons)}
    return {f"{name}_risk": told.risk, f"{name}_fracture": told.probability, f"{name}_shown": " ".join(told.shown)}


def outlined(places: Places, *, workers: int) -> pd.DataFrame:
    """A row a scan of :data:`PEOPLE`; kept once it is made."""
    people = PEOPLE.scaled(places.scale)
    path = places.out / f"{people.name}.csv"
    if not path.is_file():
        model = places.run(NETWORK)
        tasks = [Task(scan_id, file, model) for scan_id, file in paths(made(places, people, workers=workers))]
        rows = list(with_bar(side_by_side(tell, tasks, workers=workers), len(tasks), lambda: 0))
        columns = [f"{name}_{what}" for name in OUTLINES for what in ("risk", "fracture", "shown", "refused")]
        table = pd.DataFrame(rows).reindex(columns=["scan_id", *columns])
        write_text(path, table.sort_values("scan_id").to_csv(index=False))
    return pd.read_csv(path, dtype={f"{name}_{what}": str for name in OUTLINES for what in ("shown", "refused")})


def beside_true(places: Places, *, workers: int, resamples: int) -> pd.DataFrame:
    """Figures by the packaged network's outlines, by the true label maps, and their difference, of the same people."""
    found = outlined(places, workers=workers)
    table = drawn(PEOPLE.scaled(places.scale)).merge(found, on="scan_id", validate="one_to_one")
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
