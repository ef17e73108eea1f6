"""The frame every statistic returns: what was estimated, its interval, p, n, and the same as a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = ("term", "estimate", "low", "high", "p", "n", "sentence")
"""What each row holds first: whose estimate, its 95% confidence interval, p of no effect, rows behind it, in words.

NaN where there is none (a mean error has no p). Further columns may follow.
"""


def results(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows as a frame with :data:`COLUMNS` first, then what else they hold, in the order it first appears.

    >>> table = results([{"term": "MAE", "estimate": 3.5, "n": 1069, "brackets": 6}])
    >>> table.columns.to_list()
    ['term', 'estimate', 'low', 'high', 'p', 'n', 'sentence', 'brackets']
    """
    rows = list(rows)
    further = dict.fromkeys(name for row in rows for name in row if name not in COLUMNS)
    table = pd.DataFrame(rows, columns=[*COLUMNS, *further])
    for name in ("estimate", "low", "high", "p"):
        table[name] = table[name].astype(float)
    return table


def interval_text(estimate: float, low: float, high: float, *, unit: str = "", digits: int = 2) -> str:
    """An estimate and its interval as papers write them.

    >>> interval_text(1.274, 0.92, 1.63, unit="years"), interval_text(-0.001, -0.2, 0.2)
    ('1.27 years (95% CI 0.92 to 1.63)', '0.00 (95% CI −0.20 to 0.20)')
    """
    unit = f" {unit}" if unit else ""
    return f"{number(estimate, digits)}{unit} (95% CI {number(low, digits)} to {number(high, digits)})"


def p_text(p: float) -> str:
    """A p-value as journals ask for it.

    >>> p_text(0.00002), p_text(0.0123), p_text(0.4321)
    ('p < 0.001', 'p = 0.012', 'p = 0.43')
    """
    if not np.isfinite(p):
        return "p not known"
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def number(value: float, digits: int = 2) -> str:
    """A number with a proper minus sign, and none before a zero.

    >>> number(-3.14159), number(float("nan"))
    ('−3.14', 'not known')
    """
    if not np.isfinite(value):
        return "not known" if np.isnan(value) else ("∞" if value > 0 else "−∞")
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")
