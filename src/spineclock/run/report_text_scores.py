"""How well findings are read from reports, against what the reports are known to say."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from spineclock.core.findings import CONDITIONS, Findings


@dataclass(frozen=True, eq=False)
class Scores:
    """Precision and recall, and how exact levels and severities are."""

    by_condition: pd.DataFrame
    """condition, gold, read, both, precision, recall; the last row is all of them."""
    level_exact: float
    """Of the conditions of a scan that were both known and read, the share with exactly the right levels."""
    level_exact_of: int
    severity_exact: float
    """Of the graded findings that were both known and read, the share with the right severity."""
    severity_exact_of: int
    detected: tuple[float, float]
    """Precision and recall of which conditions a scan has, whatever the level."""
    mistakes: pd.DataFrame
    """scan_id, condition, level, mistake (missed, invented)."""

    @property
    def precision(self) -> float:
        """Of the findings read, the share that is there."""
        return float(self.by_condition["precision"].iloc[-1])

    @property
    def recall(self) -> float:
        """Of the findings that are there, the share that was read."""
        return float(self.by_condition["recall"].iloc[-1])


def scores(read: Findings, gold: Findings) -> Scores:
    """Compares findings of the same scans.

    >>> from spineclock.core.findings_tables import findings_from_long
    >>> known = pd.DataFrame({"scan_id": ["a", "a"], "condition": ["disc_bulge", "scoliosis"], "level": ["L4", ""],
    ...                       "severity": ["mild", ""]})
    >>> one = scores(findings_from_long(known.head(1)), findings_from_long(known))
    >>> one.precision, one.recall, one.severity_exact
    (1.0, 0.5, 1.0)
    """
    ours, known = (_rows(f) for f in (read.take(gold.scan_ids), gold))
    key = ["scan_id", "condition", "level"]
    joined = ours.merge(known, on=key, how="outer", suffixes=("_read", "_gold"), indicator=True)
    both = joined[joined["_merge"] == "both"]
    table = pd.DataFrame(
        [_line(name, joined[joined["condition"] == name]) for name in CONDITIONS if (joined["condition"] == name).any()]
        + [_line("all", joined)]
    )
    graded = both[both["condition"].map(lambda name: CONDITIONS[name].grades > 0)]
    levels = [
        f.groupby(["scan_id", "condition"])["level"].agg(lambda names: " ".join(sorted(names))) for f in (ours, known)
    ]
    shared = levels[0].index.intersection(levels[1].index)
    exact = sum(levels[0][at] == levels[1][at] for at in shared)
    wrong = joined[joined["_merge"] != "both"]
    mistake = wrong["_merge"].astype(str).map({"left_only": "invented", "right_only": "missed"})
    return Scores(
        table,
        exact / max(len(shared), 1),
        len(shared),
        float((graded["severity_read"] == graded["severity_gold"]).mean()) if len(graded) else float("nan"),
        len(graded),
        (len(shared) / max(len(levels[0]), 1), len(shared) / max(len(levels[1]), 1)),
        wrong[key].assign(mistake=mistake).reset_index(drop=True),
    )


def _rows(findings: Findings) -> pd.DataFrame:
    long = findings.long()
    return long[long["condition"] != "none"]


def _line(name: str, joined: pd.DataFrame) -> dict[str, object]:
    both = int((joined["_merge"] == "both").sum())
    read, gold = (
        both + int((joined["_merge"] == "left_only").sum()),
        both + int((joined["_merge"] == "right_only").sum()),
    )
    return {
        "condition": name, "gold": gold, "read": read, "both": both,
        "precision": both / read if read else float("nan"), "recall": both / gold if gold else float("nan"),
    }  # fmt: skip
