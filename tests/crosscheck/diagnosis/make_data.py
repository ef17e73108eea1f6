"""Makes data.csv: 300 scans of 240 people with two scores, a probability and a diagnosis, some missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def data() -> pd.DataFrame:
    rng = np.random.default_rng(41)
    people, n = 240, 300
    person = np.concatenate([np.arange(people), rng.choice(people, n - people, replace=False)])
    own = rng.normal(0, 1, people)[person]
    t = pd.DataFrame({"scan_id": np.arange(n), "person_id": person})
    t["split"] = np.where(person % 3 == 0, "validation", "test")
    t["ill"] = (own + rng.normal(0, 0.6, n) > 0.5).astype(int)
    t["spine_age"] = (60 + 6 * own + rng.normal(0, 6, n)).round(0)  # with ties
    t["age"] = (60 + 3 * own + rng.normal(0, 8, n)).round(2)
    t["risk"] = (1 / (1 + np.exp(0.9 - 1.6 * own - rng.normal(0, 0.7, n)))).round(4).clip(0.001, 0.999)
    t.loc[rng.random(n) < 0.02, "spine_age"] = np.nan
    return t


if __name__ == "__main__":
    data().to_csv(Path(__file__).parent / "data.csv", index=False)
