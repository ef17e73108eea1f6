"""How far a measurement repeats itself: within-person SD, coefficient of variation, intraclass correlation."""

from __future__ import annotations

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.measure.section import Floats

FOUND = ("structure", "name", "unit", "mean", "within_sd", "cv_percent", "icc", "people", "levels")
NEEDED = ("person_id", "repeat", "structure", "level", "name", "value", "unit")


def icc_agreement(values: Floats) -> float:
    """Intraclass correlation ICC(A,1): two-way, absolute agreement, a single measurement.

    ``values`` has shape (people, repeats). NaN for fewer than 2 of either, or where nobody differs.

    Source: McGraw & Wong, Psychol Methods 1:30 (1996), table 4; ICC(2,1) of Shrout & Fleiss,
    Psychol Bull 86:420 (1979).

    Examples
    --------
    >>> shrout_fleiss = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    >>> round(icc_agreement(np.array(shrout_fleiss, dtype=float)), 2)
    0.29
    """
    n, k = values.shape
    if n < 2 or k < 2:
        return float("nan")
    grand = values.mean()
    rows = k * float(((values.mean(axis=1) - grand) ** 2).sum()) / (n - 1)
    columns = n * float(((values.mean(axis=0) - grand) ** 2).sum()) / (k - 1)
    rest = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0, keepdims=True) + grand
    error = float((rest**2).sum()) / ((n - 1) * (k - 1))
    total = rows + (k - 1) * error + k / n * (columns - error)
    return (rows - error) / total if total > 0 else float("nan")


def repeatability(repeats: pd.DataFrame) -> pd.DataFrame:
    """How each measurement repeats itself, one row for each structure and name.

    Parameters
    ----------
    repeats : DataFrame
        Tables of :class:`~spineclock.measure.Measurements` under each other, with ``person_id`` and ``repeat``
        (which look at the person: the first, a turned one, …).

    Returns
    -------
    DataFrame
        ``structure``, ``name``, ``unit``; ``mean``; ``within_sd``, the root mean square over people and levels of
        the SD between repeats; ``cv_percent`` = within_sd ÷ |mean| (nonsense for what lies round 0, such as angles);
        ``icc``, the median over levels of ICC(A,1) between people; ``people`` and ``levels`` that went in. Of each
        level only people measured in every repeat count, and only levels with at least 5 of them.

    Raises
    ------
    TableError
        If a column is missing.
    """
    missing = [column for column in NEEDED if column not in repeats]
    if missing:
        raise TableError(f"no column {', '.join(missing)}", wanted=f"the columns {', '.join(NEEDED)}")
    rows = []
    for (structure, name, unit), part in repeats.groupby(["structure", "name", "unit"], sort=False):
        levels = [values for _, level in part.groupby("level") if len(values := _crossed(level)) >= 5]
        if not levels:
            continue
        variances = np.concatenate([values.var(axis=1, ddof=1) for values in levels])
        within, mean = float(np.sqrt(variances.mean())), float(np.concatenate(levels).mean())
        iccs = np.array([icc_agreement(values) for values in levels])
        rows.append(
            {
                "structure": structure,
                "name": name,
                "unit": unit,
                "mean": mean,
                "within_sd": within,
                "cv_percent": 100 * within / abs(mean) if mean else float("nan"),
                "icc": float(np.median(iccs[np.isfinite(iccs)])) if np.isfinite(iccs).any() else float("nan"),
                "people": part["person_id"].nunique(),
                "levels": len(levels),
            }
        )
    return pd.DataFrame(rows, columns=list(FOUND))


def _crossed(level: pd.DataFrame) -> Floats:
    """Values of one level as (people, repeats), people with a gap left out."""
    table = level.pivot_table(index="person_id", columns="repeat", values="value", dropna=False)
    return np.asarray(table.dropna().to_numpy(dtype=np.float64))
