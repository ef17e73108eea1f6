"""Makes data.csv: 260 follow-ups of 210 people, written to a tenth of a year (with ties) and to five digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def data() -> pd.DataFrame:
    rng = np.random.default_rng(43)
    people, n = 210, 260
    person = np.concatenate([np.arange(people), rng.choice(people, n - people, replace=False)])
    gap = rng.normal(0, 4, n).round(2)
    t = pd.DataFrame({"person_id": person, "gap_years": gap, "age_years": rng.uniform(50, 85, n).round(1)})
    t["sex"] = rng.choice(["F", "M"], n)
    t["site"] = rng.choice(["A", "B", "C"], n)
    t["prevalent"] = (rng.random(n) < 0.2).astype(int)
    log_rate = 0.1 * gap + 0.03 * (t["age_years"] - 65) + 0.5 * t["prevalent"]
    fracture, death = (
        rng.exponential(9 * np.exp(-log_rate)),
        rng.exponential(15 * np.exp(-0.05 * (t["age_years"] - 65))),
    )
    lost = rng.uniform(2, 9, n)
    end = np.minimum(np.minimum(fracture, death), lost)
    t["exact_years"] = end.round(5)
    t["fracture_years"] = np.maximum(end.round(1), 0.1)
    t["fracture"] = (fracture == end).astype(int)
    t["death"] = (death == end).astype(int)
    t["score"] = (log_rate + rng.normal(0, 0.7, n)).round(1)  # with ties
    t["other"] = (log_rate + rng.normal(0, 1.5, n)).round(3)
    for h in (2, 3, 5):
        t[f"risk_{h}"] = (1 - np.exp(-h / 9 * np.exp(t["other"]))).round(4).clip(0.001, 0.98)
    return t


if __name__ == "__main__":
    data().to_csv(Path(__file__).parent / "data.csv", index=False)
