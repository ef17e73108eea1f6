"""The spine-age papers' own numbers, to be set beside a study's.

Source: "An Artificial Intelligence Framework for Measuring Human Spine Aging Using MRI": Table 1 (series by bracket,
sex and normality), Table 3 (models on 1,069 normal test series), Table 4 (repeat scans), and what its section 4.5 says
of Figure 6; and of "Spine age estimation using deep learning in lateral spine radiographs and DXA VFA to predict
incident fracture and mortality", npj Aging 2025 (s41514-025-00271-8), Table 2 (radiograph_hazards). Table 5 and the
Appendix of the former stand in :mod:`spineclock.stats.association.paper_terms`, with the models.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Literal

import pandas as pd

Name = Literal["table1", "table3", "table4", "figure6", "radiograph_hazards"]


def published(name: Name) -> pd.DataFrame:
    """One of the papers' tables as printed; ages and effects in years.

    >>> int(published("table1")[["normal", "abnormal"]].to_numpy().sum())
    18070
    """
    with (files("spineclock.report.paper") / f"{name}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, keep_default_na=False)
