"""Who was in the study: Table 1, Figure 2, who was left out; and Table 2, what read their age."""

from __future__ import annotations

import pandas as pd

from spineclock.core.brackets import BRACKETS
from spineclock.ingest.study_table import StudyTable
from spineclock.report import study_figures as figures
from spineclock.report.paper import published
from spineclock.report.study_page import Picture, Section
from spineclock.report.tables import Table, records
from spineclock.run.study.data import StudyData

AGES = {b: f"{b} ({b - 5}–{b + 4})" for b in BRACKETS}


def table_1(data: StudyData, given: StudyTable) -> Section:
    """Series by bracket, sex and whether their spine is typical for the age, beside the paper's."""
    scans = data.scans[(data.scans["bracket"] > 0) & data.scans["normal"].notna()]
    normal = scans["normal"].astype(bool).map({True: "normal", False: "abnormal"})
    counts = scans.groupby(["bracket", "sex", normal]).size().unstack(fill_value=0).reset_index()
    counts = counts.reindex(columns=["bracket", "sex", "normal", "abnormal"], fill_value=0)
    both = counts.merge(published("table1"), on=["bracket", "sex"], how="outer", suffixes=("", "_paper")).fillna(0)
    numbers = ["normal", "abnormal", "normal_paper", "abnormal_paper"]
    both[numbers] = both[numbers].astype(int)
    body = [
        (f"{AGES.get(r.bracket, r.bracket)}, {'women' if r.sex == 'F' else 'men'}", *_counts(r))
        for r in records(both.sort_values(["bracket", "sex"], ascending=[True, False]))
    ]
    total = both[numbers].sum()
    body.append(("all", *_counts(total)))
    people, n = data.scans["person_id"].nunique(), len(data.scans)
    twice = int((data.scans["person_id"].value_counts() > 1).sum())
    words = {"train": "training", "validation": "validation", "test": "test"}
    said = (
        f"{n:,} scans of {people:,} people with a predicted and a chronological age, {twice:,} of whom have more than "
        f"one; {int(total['normal']):,} are typical for their age, {int(total['abnormal']):,} are not. The normal ones "
        f"are in {', '.join(f'{word} ({len(data.of(name)):,})' for name, word in words.items())}; the full test set "
        f"holds the normal test and all abnormal scans but {len(data.of('withheld')):,} of people in training or "
        f"validation: {len(data.full_test):,} scans."
    )
    sets = {**{s: data.of(s) for s in ("train", "validation", "test")}, "full test": data.full_test}
    picture = figures.ages({name: part for name, part in sets.items() if len(part)})
    left_out = given.left_out["reason"].value_counts().rename_axis("reason").reset_index(name="scans")
    tables = [
        Table(
            "Table 1: scans by age bracket, sex and normality",
            ("bracket, sex", "normal", "abnormal", "abnormal, %", "paper: normal", "abnormal", "abnormal, %"),
            tuple(body),
            "Normal: in a cluster of findings that more than 15% of the bracket have.",
        )
    ]
    if len(left_out):
        tables.append(
            Table("Left out", ("reason", "scans"), tuple((r.reason, f"{r.scans:,}") for r in records(left_out)))
        )
    return Section(
        "table1",
        "Table 1 and Figure 2: the people",
        (said,),
        (),
        tuple(tables),
        (
            Picture(
                "figure2",
                picture,
                "Ages of women and men in each set. Training, validation and test hold normal scans.",
            ),
        ),
        {"table1": both, "left_out": given.left_out},
    )


def table_2() -> Section:
    """The network of the paper, layer by layer."""
    from spineclock.nets.dcnn import layer_table

    frame = pd.DataFrame(layer_table())
    body = tuple(
        tuple(f"{v:,}" if isinstance(v, int) else str(v) for v in row) for row in frame.itertuples(index=False)
    )
    total = int(frame["parameters"].sum())
    said = f"{total:,} parameters, counted from the network; the paper prints 2,950,401."
    table = Table("Layers of the age network", tuple(frame.columns), body)
    return Section("table2", "Table 2: the network", (said,), (), (table,), frames={"table2": frame})


def _counts(row: object) -> tuple[str, ...]:
    cells = []
    for suffix in ("", "_paper"):
        normal, abnormal = (int(getattr(row, f"{name}{suffix}")) for name in ("normal", "abnormal"))
        share = f"{100 * abnormal / (normal + abnormal):.1f}" if normal + abnormal else "—"
        cells += [f"{normal:,}", f"{abnormal:,}", share]
    return tuple(cells)
