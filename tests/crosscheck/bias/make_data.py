"""Makes data.csv: 240 validation and 160 test people whose predictions bend with age."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd


def data() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    n = 400
    split = np.where(np.arange(n) < 240, "validation", "test")
    age = np.where(split == "test", rng.uniform(28, 82, n), rng.uniform(25, 85, n)).round(2)
    predicted = 55 + 0.75 * (age - 55) - 0.004 * (age - 55) ** 2 + rng.normal(0, 5, n)
    return pd.DataFrame(
        {"person_id": np.arange(n), "age_years": age, "predicted_age_years": predicted.round(3), "split": split}
    )


if __name__ == "__main__":
    data().to_csv(Path(__file__).parent / "data.csv", index=False)
