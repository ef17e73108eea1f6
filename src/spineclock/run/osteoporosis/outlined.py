"""What the networks of recipe three say of scans without label maps, which the packaged network outlines."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from spineclock.core.errors import SpineclockError
from spineclock.core.recipe import LARGEST_BYTES
from spineclock.core.records import Scan
from spineclock.ingest.names import of_weighting
from spineclock.ingest.nifti import volume
from spineclock.nets.weights import packaged
from spineclock.recipes.mri_age import SEGMENTER
from spineclock.recipes.mri_osteoporosis import RECIPE
from spineclock.run.osteoporosis.people import DISEASE, SEQUENCES, People, Places
from spineclock.run.osteoporosis.trained import TEXT, said
from spineclock.run.resumed import Task, by_weights, reader, table_of
from spineclock.run.training.sets import LABEL
from spineclock.stats.diagnosis import delong
from spineclock.stats.result import interval_text


def tell(task: Task) -> dict[str, object]:
    """The probability by each weighting, NaN with the reason where a scan is refused; a worker's task."""
    row: dict[str, object] = {"scan_id": task.scan_id, "refused": ""}
    for sequence in SEQUENCES:
        path, row[sequence] = of_weighting(task.path, sequence), np.nan
        try:
            reading = reader(RECIPE.name, task.model).read(
                Scan(task.scan_id, volume(path, max_bytes=LARGEST_BYTES), path, "MR", sequence)
            )
        except SpineclockError as error:
            row["refused"] = f"{row['refused']}{sequence}: {error}; "
            continue
        if reading.diagnosis is None:
            row["refused"] = f"{row['refused']}{sequence}: {'; '.join(reading.quality.reasons)}; "
        else:
            row[sequence] = reading.diagnosis.probability
    return row


def outlined(places: Places, people: People, *, most: int, workers: int) -> pd.DataFrame:
    """A row for each of ``most`` people, half of them with the disease: what was said; kept once it is made."""
    weights = (places.run(sequence) / "weights.safetensors" for sequence in SEQUENCES)
    path = places.out / by_weights(f"{people.name}-{most}-outlined", *weights, packaged(SEGMENTER))
    table_of(path, tell, _tasks(places, people, most), workers=workers)
    return pd.read_csv(path, dtype=TEXT)


def _tasks(places: Places, people: People, most: int) -> Iterator[Task]:
    """Half of them ill, half not."""
    cohort = places.cohort(people)
    table = pd.read_csv(cohort / "participants.tsv", sep="\t", dtype=TEXT)
    ill = table[DISEASE].astype(bool)
    for one in pd.concat([table[ill].head(most // 2), table[~ill].head(most // 2)]).itertuples():
        yield Task(str(one.scan_id), cohort / str(one.path), places.out / "run")


def beside_true(places: Places, people: People, *, most: int, workers: int) -> pd.DataFrame:
    """AUROC by the packaged network's outlines and by the true label maps, of the same people."""
    found, rows = outlined(places, people, most=most, workers=workers), []
    for sequence in SEQUENCES:
        true = said(places, places.run(sequence), people, sequence, places.evaluation(people, sequence))
        both = found[["scan_id", sequence]].merge(true[["scan_id", "probability", LABEL]], on="scan_id")
        read = both.dropna(subset=[sequence])
        areas = delong(read[[sequence, "probability"]].to_numpy(dtype=float).T, read[LABEL].to_numpy() > 0)
        own, exact, apart = areas.area(0), areas.area(1), areas.difference(0, 1)
        rows.append({
            "scan": sequence, "people": len(both), "refused": len(both) - len(read),
            "AUROC, outlined": interval_text(own.value, own.low, own.high),
            "AUROC, true maps": interval_text(exact.value, exact.low, exact.high),
            "difference": interval_text(apart.value, apart.low, apart.high, digits=3),
            "rank correlation": float(read[sequence].corr(read["probability"], method="spearman")),
            "mean told, outlined": float(read[sequence].mean()),
            "mean told, true maps": float(read["probability"].mean()),
        })  # fmt: skip
    return pd.DataFrame(rows)
