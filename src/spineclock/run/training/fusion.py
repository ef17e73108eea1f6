"""``spineclock fuse``: two networks of one disease, of T1 and of T2, joined late.

Each stays what it is, and either alone is enough. Their probabilities of the same person's scans are joined by a
logistic model fitted on people who validated both, and judged on people who were tested by both.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from spineclock.core.errors import InputError, TableError, UsageError
from spineclock.run.outputs import command, plain, require_room, write_json
from spineclock.run.training.diagnosis_card import diagnosis_card, sentence
from spineclock.run.training.sets import LABEL
from spineclock.stats.diagnosis.from_levels import YOUDEN
from spineclock.stats.diagnosis.fusion import LateFusion
from spineclock.stats.diagnosis.operating import Threshold

SCHEMA = "spineclock.fusion/1"
FILE = "fusion.json"
BY = ("person_id", "session")
"""What ties a person's two scans together."""


class Fused(NamedTuple):
    """The joint model, its threshold, and a row for each person scanned with both, or with one."""

    model: LateFusion
    threshold: float
    table: pd.DataFrame


def fused(first: pd.DataFrame, second: pd.DataFrame) -> Fused:
    """The joint model of two runs' predictions.csv.

    Scans of a person belong together by their scan_id without its weighting, or where each run has one scan of the
    person. Those of only one run are kept, with that run's probability and call.

    Parameters
    ----------
    first, second : DataFrame
        With scan_id, person_id, set, label, probability and called.

    Raises
    ------
    TableError
        If a person is in different sets of the two runs or has different labels, or too few validated both.
    """
    one, other = _keyed(first, second)
    both = one.join(other, how="outer", rsuffix="_other")
    for name in ("set", LABEL):
        _agree(both, name)
    both = both.reset_index()
    for name in ("set", LABEL, "age_years", "sex", "called"):
        if name in both:
            both[name] = both[name].where(both[name].notna(), both[f"{name}_other"])
    ill, who = both[LABEL].to_numpy(dtype=float) > 0.5, both["person_id"].to_numpy()
    there = both[["probability", "probability_other"]].notna().all(axis=1).to_numpy()
    paired = there & (both["set"] == "validation").to_numpy()
    counts = int(ill[paired].sum()), int((~ill[paired]).sum())
    if min(counts) < 2:
        raise TableError(f"{counts[0]} scans with and {counts[1]} without the disease validated both networks",
                         wanted="at least 2 of each",
                         remedy="train the second with --set split=FIRST/split.csv; scans of a person belong together "
                         "where their scan_id differs in the weighting alone")  # fmt: skip
    p, q = (both[name].to_numpy(dtype=float) for name in ("probability", "probability_other"))
    model = LateFusion.fit(p[paired], q[paired], ill[paired], people=who[paired])
    joined = model(p, q)
    threshold = _threshold(model, joined[paired], ill[paired])
    called = np.where(there, joined > threshold, both["called"].astype(bool))
    table = both.assign(probability_first=p, probability_second=q, probability=joined, called=called)
    kept = [c for c in (*BY, "age_years", "sex", "set", LABEL, "probability_first", "probability_second",
                        "probability", "called") if c in table]  # fmt: skip
    return Fused(model, threshold, table[kept])


def _threshold(model: LateFusion, probability: Any, ill: Any) -> float:
    """By Youden's index; 1, above which nobody is called, where the joint model tells nobody apart."""
    if not max(model.first, model.second) > 0:
        return 1.0
    return float(np.clip(Threshold.youden(probability, ill).value, 0, 1))


def _agree(both: pd.DataFrame, name: str) -> None:
    """Refuses people of whom the two runs say different things."""
    told = both[name].notna() & both[f"{name}_other"].notna()
    apart = told & (both[name] != both[f"{name}_other"])
    if apart.any():
        raise TableError(f"{int(apart.sum())} scans with another {name} in each run, such as {both.index[apart][0][1]}",
                         wanted="the same people in the same sets",
                         remedy="train the second with --set split=FIRST/split.csv")  # fmt: skip


def _keyed(first: pd.DataFrame, second: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both by person and session, a row each."""
    tables = [table.assign(person_id=table["person_id"].astype(str)) for table in (first, second)]
    single = [set(people.index[people == 1]) for people in (t["person_id"].value_counts() for t in tables)]
    found = []
    for table in tables:
        session = table["scan_id"].str.replace(r"[_-]T[12]w?$", "", regex=True, case=False)
        alone = table["person_id"].isin(single[0] & single[1])  # whatever its scans are called
        keyed = table.assign(session=session.where(~alone, table["person_id"])).set_index(list(BY))
        if keyed.index.duplicated().any():
            twice = keyed.index[keyed.index.duplicated()][0][1]
            raise TableError(f"two scans of {twice}", wanted="one of each session")
        found.append(keyed)
    return found[0], found[1]


def fuse(first: Path, second: Path, *, out: Path, overwrite: bool = False) -> int:
    """Joins two runs' predictions; leaves fusion.json, predictions.csv and diagnosis.csv in a folder.

    Where the folder holds the two runs themselves, as ``T1w`` and ``T2w``, it is a model that answers a person's two
    scans together. Returns the exit status.

    Raises
    ------
    UsageError
        If the runs are of one weighting or of different diseases, or the folder holds other results.
    InputError
        If a folder holds no run that learned a disease.
    TableError
        As :func:`fused`.
    """
    networks = [_network(run) for run in (first, second)]
    if networks[0]["sequence"] == networks[1]["sequence"] or networks[0]["disease"] != networks[1]["disease"]:
        told = " and ".join(f"{n['name']} ({n['sequence'] or 'no weighting'}, {n['disease']})" for n in networks)
        raise UsageError(f"the networks {told}", wanted="two of one disease, of different weightings")
    require_room(out, mark=FILE, what="two joined runs", overwrite=overwrite)
    if (out / "network.json").exists():
        raise UsageError(f"{out} is a run itself", wanted="a folder of its own, or the one that holds both runs")
    found = fused(*(_predictions(run) for run in (first, second)))
    out.mkdir(parents=True, exist_ok=True)
    found.table.to_csv(out / "predictions.csv", index=False, float_format="%.4f")
    test = found.table[found.table["set"] == "test"].dropna(subset=["probability_first", "probability_second"])
    card = diagnosis_card(test) if len(test) else diagnosis_card(found.table)
    card.to_csv(out / "diagnosis.csv", index=False, float_format="%.4f")
    write_json(out / FILE, plain({"schema": SCHEMA, "command": command(), **found.model.as_dict(),
                                  "threshold": found.threshold, "threshold_rule": YOUDEN,
                                  "networks": networks, "caution": found.model.caution}))  # fmt: skip
    print(f"{'test' if len(test) else 'all, validation people too'}, both scans: {sentence(card.iloc[0])}")
    if found.model.caution:
        print(f"caution: {found.model.caution}")
    return 0


def _network(run: Path) -> dict[str, str]:
    """Which network a run's folder holds."""
    from spineclock.nets.described import described
    from spineclock.nets.diagnosis_folder import KEYS
    from spineclock.nets.diagnosis_folder import SCHEMA as NETWORK
    from spineclock.nets.weights import sha256

    about = described(run, keys=KEYS, schema=NETWORK)
    return {"sequence": str(about["sequence"]), "disease": str(about["head"]["name"]), "name": str(about["name"]),
            "weights_sha256": sha256(run / "weights.safetensors")}  # fmt: skip


def _predictions(run: Path) -> pd.DataFrame:
    path = run / "predictions.csv"
    if not path.is_file():
        raise InputError(f"{path} is not there", wanted="the folder of a run that learned a disease")
    return pd.read_csv(path, dtype={"person_id": str, "scan_id": str})
