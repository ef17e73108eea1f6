"""Makes data.csv: six measurements of 180 training and 60 test people on five scanners of unlike shift and spread."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

FEATURES = ("height", "signal", "area", "angle", "width", "depth")


def data() -> pd.DataFrame:
    rng = np.random.default_rng(29)
    n = 240
    scanner = rng.choice(["A", "B", "C", "D", "E"], n, p=[0.35, 0.25, 0.2, 0.12, 0.08])
    at = pd.Series(range(5), index=list("ABCDE"))[scanner].to_numpy()
    # whole years, as neuroCombat keeps covariates in single precision only
    age = rng.integers(25, 85, n) + 3 * at
    sex = rng.choice(["F", "M"], n)
    shift, spread = rng.normal(0, 0.8, (5, len(FEATURES))), rng.uniform(0.6, 1.6, (5, len(FEATURES)))
    truth = 10 + 0.03 * age[:, None] + 0.7 * (sex == "M")[:, None]
    values = truth + shift[at] + spread[at] * rng.normal(0, 1, (n, len(FEATURES)))
    table = pd.DataFrame(values.round(4), columns=list(FEATURES))
    table.insert(0, "person_id", np.arange(n))
    gap = rng.normal(0, 4, n) + 1.5 * np.array([0.5, -1, 0.2, 1, -0.4])[at]
    split = np.where(np.arange(n) < 180, "train", "test")
    return table.assign(scanner=scanner, age_years=age, sex=sex, split=split, gap_years=gap.round(3))


if __name__ == "__main__":
    data().to_csv(Path(__file__).parent / "data.csv", index=False)
