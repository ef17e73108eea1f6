"""A sheet of the people whose gap is very large, for a radiologist to say why, and its counts once filled in.

In the spine-age paper 30 people had a gap beyond 15 years: 23 as an expert would expect, artefact 2, segmentation 1,
age model 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from spineclock.core.errors import TableError
from spineclock.stats.result import number, results
from spineclock.stats.rows import complete, has_columns

VERDICTS = ("as expected", "artefact", "segmentation", "age model", "unclear")
"""What a reader may write: the spine looks so; the picture, the outlines or the age model failed; none can be told."""

COLUMNS = ("scan_id", "age_years", "predicted_age_years", "gap_years", "share_off_spine", "verdict", "comment")
"""Of a sheet; the last two are empty, and ``share_off_spine`` is there where it is known."""


@dataclass(frozen=True)
class ReviewSheet:
    """The scans with a gap beyond some years, widest first, with columns to fill in.

    ``share_off_spine``, how much of the model's attention lies off the spine, is handed on where the table has it.

    Examples
    --------
    >>> table = pd.DataFrame({"scan_id": ["a", "b", "c"], "age_years": [77, 50, 61], "gap_years": [-40.0, 3, 16],
    ...                       "corrected_age_years": [37.0, 53, 77]})
    >>> ReviewSheet()(table)[["scan_id", "age_years", "predicted_age_years", "gap_years", "verdict"]]
      scan_id  age_years  predicted_age_years  gap_years verdict
    0       a       77.0                 37.0      -40.0
    1       c       61.0                 77.0       16.0
    """

    limit_years: float = 15.0
    scan: str = "scan_id"
    age: str = "age_years"
    predicted: str = "corrected_age_years"
    """The predicted age the gap is made of."""
    gap: str = "gap_years"
    attention: str = "share_off_spine"

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """The sheet, with the columns :data:`COLUMNS` whatever the table calls them; it may have no rows.

        Raises
        ------
        TableError
            If a column is missing, or a scan is there twice.
        """
        used = complete(table, numbers=[self.age, self.predicted, self.gap], names=[self.scan], at_least=0).table
        large = used[used[self.gap].abs() > self.limit_years]
        twice = large[self.scan][large[self.scan].duplicated()]
        if len(twice):
            raise TableError(f"scan {twice.iloc[0]} in several rows", wanted="one row a scan")
        large = large.sort_values(self.gap, key=abs, ascending=False, kind="stable")
        sheet = pd.DataFrame({
            "scan_id": large[self.scan], "age_years": large[self.age], "predicted_age_years": large[self.predicted],
            "gap_years": large[self.gap],
        })  # fmt: skip
        if self.attention in table.columns:
            sheet["share_off_spine"] = large[self.attention]
        return sheet.assign(verdict="", comment="").reset_index(drop=True)


@dataclass(frozen=True)
class ReviewCounts:
    """How many of the large gaps are as a reader would expect, and how many each part of the program is to blame for.

    Parameters
    ----------
    asked : pandas.DataFrame
        The sheet as :class:`ReviewSheet` gave it; what comes back is held against it.
    tolerance_years : float
        How far an age may have been rounded on the way.

    Examples
    --------
    >>> asked = pd.DataFrame({"scan_id": ["a", "b"], "age_years": [77.0, 61], "predicted_age_years": [37.0, 77],
    ...                       "gap_years": [-40.0, 16], "verdict": "", "comment": ""})
    >>> filled = asked.assign(verdict=["As expected", "artefact"])
    >>> ReviewCounts(asked)(filled)[["term", "estimate", "count", "n"]].head(2)
              term  estimate  count  n
    0  as expected       0.5      1  2
    1     artefact       0.5      1  2
    """

    asked: pd.DataFrame
    tolerance_years: float = 0.51

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """One row a verdict: its share of the scans that were read, with the exact interval (Clopper and Pearson 1934).

        Capitals and blanks round a verdict do not matter; scans without one count as not read yet (column ``unread``).
        Further columns: ``verdict``, ``count``, ``scans`` (their ids), ``off_spine`` (mean share of attention off it).

        Raises
        ------
        TableError
            If no scan has been read, or, with every offending row as a spreadsheet numbers it (the heading is row 1): a
            verdict is unknown, a scan was not asked for, is there twice or is gone, or its ages were changed.
        """
        has_columns(table, ["scan_id", "verdict"])
        filled = table.assign(
            scan_id=table["scan_id"].astype(str).str.strip(), verdict=table["verdict"].map(_plain)
        ).reset_index(drop=True)
        wrong = self._wrong(filled)
        if wrong:
            raise TableError(
                "; ".join(wrong), wanted=f"the sheet as it was given, with a verdict of {', '.join(VERDICTS)} or none",
                remedy="mend those rows",
            )  # fmt: skip
        read = filled[filled["verdict"] != ""]
        if read.empty:
            raise TableError(f"no verdict on any of {len(filled)} scans", wanted=f"one of {', '.join(VERDICTS)}")
        return results(self._row(verdict, read, len(filled) - len(read)) for verdict in VERDICTS)

    def _wrong(self, filled: pd.DataFrame) -> list[str]:
        """What is wrong, row by row."""
        numbers = [c for c in COLUMNS[1:4] if c in filled]
        asked = {str(row["scan_id"]).strip(): row for row in self.asked.to_dict("records")}
        seen: dict[str, int] = {}
        wrong = []
        for i, row in filled.iterrows():
            at, scan = int(str(i)) + 2, str(row["scan_id"])
            if scan not in asked:
                wrong.append(f"row {at}: scan {scan} was not on the sheet")
            elif scan in seen:
                wrong.append(f"row {at}: scan {scan} is in row {seen[scan]} already")
            else:
                changed = [c for c in numbers if self._changed(row[c], asked[scan][c])]
                wrong += [f"row {at}: {c} of scan {scan} was {asked[scan][c]} and is {row[c]}" for c in changed]
            seen.setdefault(scan, at)
            if row["verdict"] not in ("", *VERDICTS):
                wrong.append(f"row {at}: verdict {row['verdict']!r} is unknown")
        gone = [scan for scan in asked if scan not in seen]
        return [*wrong, *([f"scan {', '.join(gone)} is gone from the sheet"] if gone else [])]

    def _changed(self, now: Any, before: Any) -> bool:
        value = pd.to_numeric(pd.Series([now]), errors="coerce").iloc[0]
        return not abs(value - before) <= self.tolerance_years

    def _row(self, verdict: str, read: pd.DataFrame, unread: int) -> dict[str, Any]:
        these, n = read[read["verdict"] == verdict], len(read)
        share = len(these) / n
        ends = stats.binomtest(len(these), n).proportion_ci(0.95, method="exact")
        waiting = f"; {unread} not read yet" if unread else ""
        off = these["share_off_spine"].astype(float).mean() if "share_off_spine" in these and len(these) else np.nan
        return {
            "term": verdict, "estimate": share, "low": float(ends.low), "high": float(ends.high), "p": np.nan, "n": n,
            "sentence": f"{len(these)} of {n} large gaps ({number(100 * share, 0)}%, 95% CI "
            f"{number(100 * ends.low, 0)} to {number(100 * ends.high, 0)}%) were judged {verdict!r}{waiting}.",
            "verdict": verdict, "count": len(these), "unread": unread, "scans": ", ".join(these["scan_id"]),
            "off_spine": float(off),
        }  # fmt: skip


def _plain(verdict: Any) -> str:
    return "" if pd.isna(verdict) else " ".join(str(verdict).casefold().split())
