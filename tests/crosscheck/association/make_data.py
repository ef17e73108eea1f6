"""Makes data.csv: 400 scans of 340 people, some answers missing. ``python make_data.py`` writes it again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def data() -> pd.DataFrame:
    rng = np.random.default_rng(20)
    people, n = 340, 400
    person = np.concatenate([np.arange(people), rng.choice(people, n - people, replace=False)])
    age = rng.uniform(25, 85, people)[person] + np.where(np.arange(n) < people, 0, 1.6)
    true = rng.normal(0, 4, people)[person]
    t = pd.DataFrame({"scan_id": np.arange(n), "person_id": person, "age_years": age.round(2)})
    t["sex"] = rng.choice(["F", "M"], people)[person]
    t["site"] = rng.choice(["A", "B", "C"], n)
    for name, share in (("bulge", 0.3), ("fracture", 0.04), ("scoliosis", 0.2)):
        t[name] = (rng.random(n) < share + 0.01 * true.clip(-3, 3)).astype(int)
    t["packs_per_day"] = np.where(rng.random(n) < 0.3, rng.gamma(2, 0.3, n), 0).round(2)
    t["work"] = rng.choice(["light", "moderate", "heavy"], people, p=[0.6, 0.25, 0.15])[person]
    heavy = (t["work"] == "heavy") * (55 - t["age_years"]) / 3
    t["gap_years"] = (true + rng.normal(0, 2, n) + heavy + 1.5 * t["bulge"] + 2 * t["fracture"]).round(3)
    t.loc[rng.random(n) < 0.03, "packs_per_day"] = np.nan
    t.loc[rng.random(n) < 0.02, "gap_years"] = np.nan
    return t


if __name__ == "__main__":
    data().to_csv(Path(__file__).parent / "data.csv", index=False)
