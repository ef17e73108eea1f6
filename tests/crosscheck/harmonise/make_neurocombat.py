"""Writes neurocombat.json: neuroCombat 0.2.12 on data.csv. Run in this folder where that is installed.

neuroCombat has had no release for years and is no dependency, not even of the tests: install it elsewhere
(``pip install --no-deps neuroCombat==0.2.12`` beside numpy 2.4 and pandas 2.3) and run this file there.
Its iteration stops at a relative change of 1e-4; here it goes on to 1e-13, so that six digits can be compared.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pandas as pd

FEATURES = ["height", "signal", "area", "angle", "width", "depth"]
combat = importlib.import_module("neuroCombat.neuroCombat")
combat.it_sol.__defaults__ = (1e-13,)
# its int(array of one number) is an error since numpy 2.4
combat.int = lambda value: int(np.ravel(value)[0])


def run(table: pd.DataFrame, **more: object) -> list[list[float]]:
    """People × features, harmonised."""
    found = combat.neuroCombat(dat=table[FEATURES].to_numpy().T, covars=table, batch_col="scanner", **more)
    return found["data"].T.round(8).tolist()


if __name__ == "__main__":
    everyone = pd.read_csv("data.csv")
    train, test = (everyone[everyone["split"] == s].reset_index(drop=True) for s in ("train", "test"))
    both = {"categorical_cols": ["sex"], "continuous_cols": ["age_years"]}
    learned = combat.neuroCombat(dat=train[FEATURES].to_numpy().T, covars=train, batch_col="scanner")["estimates"]
    learned["batches"] = learned["batches"].astype(str)
    applied = combat.neuroCombatFromTraining(
        dat=test[FEATURES].to_numpy().T, batch=test["scanner"].to_numpy(str), estimates=learned
    )
    out = {
        "kept age and sex": run(train, **both),
        "kept sex": run(train, categorical_cols=["sex"]),
        "nothing kept": run(train),
        "no shrinking": run(train, eb=False, **both),
        "location only, no shrinking": run(train, eb=False, mean_only=True, **both),
        "test people, nothing kept": applied["data"].T.round(8).tolist(),
    }
    Path("neurocombat.json").write_text(json.dumps(out), encoding="utf-8")
