"""The ablations as a page, beside the paper's Table 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from spineclock.report.paper import published
from spineclock.run.ablation.rows import ABLATIONS, PROPOSED
from spineclock.run.ablation.table import GROUPS
from spineclock.run.tables import markdown


def page(
    found: pd.DataFrame, about: Mapping[str, Mapping[str, Any]], simulated: str, *, left_out: Sequence[str] = ()
) -> str:
    """Markdown: a table for each group of test people, the paper's rows beside ours, and how each was trained.

    ``left_out``: a sentence for each training that is not in the table.
    """
    lines = ["# Ablations", ""]
    if simulated:
        lines += [f"**{simulated}**", ""]
    for group, words in GROUPS.items():
        part = found[found["group"] == group]
        if len(part):
            lines += [f"## On {words}", "", markdown(_shown(part, _paper() if group == "normal" else {})), ""]
            lines += _oracle(part)
    lines += ["MAE, WMAE in years with 95% intervals (BCa, people resampled); R² = 1 − SSE/SST. Difference: how much "
              f"larger the error is than that of `{PROPOSED}` on the same scans, or of the row that is named; p: "
              "Wilcoxon's signed ranks over people, beside it adjusted after Holm for all rows of a table held against "
              "the same one. Corrected: Cole's correction, fitted on validation people. Each row is one training with "
              "one seed: intervals and p hold the chance by which these people were tested, not that of the training; "
              "another seed gives another row.", ""]  # fmt: skip
    lines += [*left_out, ""] if left_out else []
    lines += ["## How they were trained", "", markdown(_trained(found, about)), ""]
    return "\n".join(lines)


def _paper() -> dict[str, pd.Series]:
    return {str(row["model"]): row for _, row in published("table3").iterrows()}


def _shown(part: pd.DataFrame, paper: Mapping[str, pd.Series]) -> pd.DataFrame:
    of = {row.name: row for row in ABLATIONS}
    shown = []
    for _, row in part.iterrows():
        ablation = of[str(row["name"])]
        told = paper.get(ablation.paper)
        cells = {"model": ablation.words, "scans": f"{int(row['train_scans']):,}",
                 **{name: _interval(row, key) for name, key in (("MAE", "mae"), ("R²", "r2"), ("WMAE", "wmae"))},
                 **{f"corrected {name}": _interval(row, f"corrected_{key}")
                    for name, key in (("MAE", "mae"), ("R²", "r2"))}}  # fmt: skip
        if "mae_difference" in row:
            whose = "" if pd.isna(row["against"]) or row["against"] == PROPOSED else f" to `{row['against']}`"
            cells["difference"] = _interval(row, "mae_difference", sign=True) + whose
            cells |= {words: "" if pd.isna(row[key]) else f"{row[key]:.2g}"
                      for words, key in (("p", "p"), ("p (Holm)", "p_holm"))}  # fmt: skip
        if "gap_r" in row:
            cells["r with true gap"] = f"{row['gap_r']:.2f}" if pd.notna(row["gap_r"]) else ""
        if paper:
            cells["paper: MAE / R²"] = "" if told is None else f"{told['mae_years']:.2f} / {told['r2']:.2f}"
        shown.append(cells)
    return pd.DataFrame(shown)


def _interval(row: pd.Series, key: str, *, sign: bool = False) -> str:
    value, low, high = (row.get(f"{key}{end}", float("nan")) for end in ("", "_low", "_high"))
    if pd.isna(value):
        return ""
    form = "{:+.2f}" if sign else "{:.2f}"
    ends = "" if pd.isna(low) else f" ({form.format(low)} to {form.format(high)})"
    return (form.format(value) + ends).replace("-", "−")


def _oracle(part: pd.DataFrame) -> list[str]:
    if "oracle_r2" not in part:
        return []
    first = part.iloc[0]
    return [f"Answering with each true spine age gives an MAE of {first['oracle_mae']:.2f} years and an R² of "
            f"{first['oracle_r2']:.3f} on these {int(first['scans']):,} scans; drawn to the mean age as a "
            f"least-squares line draws it, an R² of {first['oracle_line_r2']:.3f}, which no honest model exceeds "
            "but by chance.", ""]  # fmt: skip


def _trained(found: pd.DataFrame, about: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    once = found.drop_duplicates("name")
    return pd.DataFrame({
        "name": once["name"], "command": [f"`{about[n]['command']}`" for n in once["name"]],
        "seed": [about[n]["settings"]["seed"] for n in once["name"]], "epochs": once["epochs"],
        "minutes": once["minutes"].round(1), "ended": [str(about[n]["ended"])[:16] for n in once["name"]],
    })  # fmt: skip
