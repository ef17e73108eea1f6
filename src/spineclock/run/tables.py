"""Frames as Markdown tables, for the results pages."""

from __future__ import annotations

import pandas as pd


def markdown(frame: pd.DataFrame, *, digits: int = 2) -> str:
    """The frame as a Markdown table, floats with so many digits; NaN is left empty.

    >>> print(markdown(pd.DataFrame({"a": [1.234, float("nan")], "b": ["x", "y"]})))
    | a | b |
    |---|---|
    | 1.23 | x |
    |  | y |
    """

    def cell(value: object) -> str:
        if isinstance(value, float):
            return "" if value != value else f"{value:.{digits}f}"
        return str(value)

    rows = [list(frame.columns), ["---"] * frame.shape[1], *frame.itertuples(index=False, name=None)]
    lines = ["| " + " | ".join(cell(v) for v in row) + " |" for row in rows]
    lines[1] = "|" + "---|" * frame.shape[1]
    return "\n".join(lines)
