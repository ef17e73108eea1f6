"""Makes data.csv: 90 people of both sexes scanned twice, and a third reading of each."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def data() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 90
    gap, age = rng.normal(0.5, 4, n), rng.uniform(25, 83, n)
    apart = rng.uniform(0.5, 3, n)
    return pd.DataFrame({
        "person_id": np.arange(n), "sex": rng.choice(["F", "M"], n), "age_1": age.round(3),
        "age_2": (age + apart).round(3), "gap_1": (gap + rng.normal(0, 2, n)).round(3),
        "gap_2": (gap + 0.4 + rng.normal(0, 2.5, n)).round(3), "gap_3": (gap - 1 + rng.normal(0, 2, n)).round(3),
    })  # fmt: skip


if __name__ == "__main__":
    data().to_csv(Path(__file__).parent / "data.csv", index=False)
