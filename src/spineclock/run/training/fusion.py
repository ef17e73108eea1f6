"""Two networks of one disease, such as of T1 and of T2, joined late: ``python -m spineclock.run.training.fusion``.

Each stays what it is, and either alone is enough. Their probabilities of the same person's scans are joined by a
logistic model fitted on people who validated both, and judged on people who were tested by both.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from spineclock.core.errors import InputError, TableError
from spineclock.run.outputs import plain, write_json
from spineclock.run.training.diagnosis_card import diagnosis_card, sentence
from spineclock.run.training.sets import LABEL
from spineclock.stats.diagnosis.fusion import LateFusion
from spineclock.stats.diagnosis.operating import Threshold

BY = ("person_id", "session")
"""What ties a person's two scans together."""


class Fused(NamedTuple):
    """The joint model, its threshold, and a row for each person scanned with both."""

    model: LateFusion
    threshold: float
    table: pd.DataFrame


def fused(first: pd.DataFrame, second: pd.DataFrame) -> Fused:
    """The joint model of two runs' predictions.csv.

    Scans of a person belong together by their scan_id without its weighting. Those of only one run are kept, with
    that run's probability.

    Parameters
    ----------
    first, second : DataFrame
        With scan_id, person_id, set, label and probability.

    Raises
    ------
    TableError
        If a person is in different sets of the two runs or has different labels, or too few validated both.
    """
    one, other = (_keyed(table) for table in (first, second))
    both = one.join(other, how="outer", rsuffix="_other")
    for name in ("set", LABEL):
        _agree(both, name)
    both = both.reset_index()
    for name in ("set", LABEL, "age_years", "sex"):
        if name in both:
            both[name] = both[name].fillna(both[f"{name}_other"])
    ill, who = both[LABEL].to_numpy(dtype=float) > 0.5, both["person_id"].to_numpy()
    there = both[["probability", "probability_other"]].notna().all(axis=1)
    paired = (there & (both["set"] == "validation")).to_numpy()
    counts = int(ill[paired].sum()), int((~ill[paired]).sum())
    if min(counts) < 2:
        raise TableError(f"{counts[0]} scans with and {counts[1]} without the disease validated both networks",
                         wanted="at least 2 of each")  # fmt: skip
    p, q = (both[name].to_numpy(dtype=float) for name in ("probability", "probability_other"))
    model = LateFusion.fit(p[paired], q[paired], ill[paired], people=who[paired])
    joined = model(p, q)
    threshold = Threshold.youden(joined[paired], ill[paired]).value
    table = both.assign(probability_first=p, probability_second=q, probability=joined, called=joined > threshold)
    kept = [c for c in (*BY, "age_years", "sex", "set", LABEL, "probability_first", "probability_second",
                        "probability", "called") if c in table]  # fmt: skip
    return Fused(model, threshold, table[kept])


def _agree(both: pd.DataFrame, name: str) -> None:
    """Refuses people of whom the two runs say different things."""
    told = both[name].notna() & both[f"{name}_other"].notna()
    apart = told & (both[name] != both[f"{name}_other"])
    if apart.any():
        raise TableError(f"{int(apart.sum())} scans with another {name} in each run, such as {both.index[apart][0][1]}",
                         wanted="the same people in the same sets",
                         remedy="train the second with --set split=FIRST/split.csv")  # fmt: skip


def _keyed(table: pd.DataFrame) -> pd.DataFrame:
    """One row a person and session."""
    session = table["scan_id"].str.replace(r"_T[12]w?$", "", regex=True)
    keyed = table.assign(session=session).set_index(list(BY))
    if keyed.index.duplicated().any():
        raise TableError(f"two scans of {keyed.index[keyed.index.duplicated()][0][1]}", wanted="one of each session")
    return keyed


def main(words: list[str] | None = None) -> int:
    """Joins two runs' predictions; leaves fusion.json, predictions.csv and diagnosis.csv in a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first", type=Path, help="a run's folder, such as of T1")
    parser.add_argument("second", type=Path, help="a run's folder with the same people in the same sets, such as of T2")
    parser.add_argument("--out", type=Path, required=True)
    told = parser.parse_args(words)
    tables = []
    for run in (told.first, told.second):
        path = run / "predictions.csv"
        if not path.is_file():
            raise InputError(f"{path} is not there", wanted="the folder of a run that learned a disease")
        tables.append(pd.read_csv(path, dtype={"person_id": str, "scan_id": str}))
    found = fused(*tables)
    told.out.mkdir(parents=True, exist_ok=True)
    found.table.to_csv(told.out / "predictions.csv", index=False, float_format="%.4f")
    test = found.table[found.table["set"] == "test"].dropna(subset=["probability_first", "probability_second"])
    card = diagnosis_card(test if len(test) else found.table)
    card.to_csv(told.out / "diagnosis.csv", index=False, float_format="%.4f")
    write_json(told.out / "fusion.json", plain({"schema": "spineclock.fusion/1", **found.model.as_dict(),
                                                "threshold": found.threshold, "first": told.first.name,
                                                "second": told.second.name}))  # fmt: skip
    print(f"{'test' if len(test) else 'all'}, both scans: {sentence(card.iloc[0])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
