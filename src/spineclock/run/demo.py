"""``spineclock demo``: artificial lumbar scans in, a report out, through the same doors as real ones."""

from __future__ import annotations

from pathlib import Path

from spineclock.phantom.lumbar import Sex, lumbar_scan
from spineclock.phantom.series import Series
from spineclock.run.phantom_scans import nifti_bytes, write_sidecar
from spineclock.run.predict import predict_all
from spineclock.run.settings import PredictSettings

PEOPLE: tuple[tuple[float, Sex, int], ...] = ((34.0, "F", 6), (72.0, "M", 3))
"""Age, sex and seed of the artificial people."""


def demo(out: Path) -> int:
    """Makes two artificial scans with known ages, ages them, and says where the report lies; the exit status.

    The phantom shows that the program runs, not how well it does: its pictures are simulated, and the age model has
    learned from real people only.
    """
    scans = out / "scans"
    scans.mkdir(parents=True, exist_ok=True)
    made = f"{len(PEOPLE)} artificial (simulated) lumbar scans in {scans}"
    print(f"Making {made}; the first time takes some seconds more …", flush=True)  # painters are compiled
    rows = ["scan_id\tage_years\tsex"]
    for age, sex, seed in PEOPLE:
        name = f"phantom-{age:.0f}{sex}_T2w"
        save(lumbar_scan(age_years=age, sex=sex, seed=seed), scans, name)
        rows.append(f"{name}\t{age}\t{sex}")
    cohort = out / "people.tsv"
    cohort.write_text("\n".join(rows) + "\n", encoding="utf-8")
    print("Outlining, measuring and ageing them …", flush=True)
    return predict_all([scans], PredictSettings(cohort=cohort, overwrite=True), out=out / "results")


def save(phantom: Series, folder: Path, name: str) -> None:
    """Writes a phantom's image as NIfTI, with a sidecar that calls it simulated."""
    (folder / f"{name}.nii.gz").write_bytes(nifti_bytes(phantom.volume))
    write_sidecar(folder / f"{name}.json", phantom)
