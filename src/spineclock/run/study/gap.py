"""What the gap goes with: Table 5 and the Appendix, Figures 6 and 7, and the scans with the largest gaps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from spineclock.core.errors import TableError
from spineclock.ingest.cohort import read_table
from spineclock.report import study_figures as figures
from spineclock.report.forest import forest
from spineclock.report.paper import published
from spineclock.report.study_page import Picture, Section
from spineclock.report.tables import Table, records
from spineclock.run.study.data import StudyData
from spineclock.run.study.truth import Truth
from spineclock.run.study.words import interval, share
from spineclock.stats.association.interaction import AgeInteraction
from spineclock.stats.association.odds import OddsByGapBand
from spineclock.stats.association.paper import PaperEffects
from spineclock.stats.association.paper_terms import PAPER_BLOCKS
from spineclock.stats.association.smooth import GapByAge
from spineclock.stats.result import number, p_text
from spineclock.stats.review import VERDICTS, ReviewCounts, ReviewSheet

LARGE_GAP_YEARS = 15.0


def effects(data: StudyData, truth: Truth) -> list[Section]:
    """Table 5 and the Appendix: each block's model, without and with age, sex and site, beside paper and truth."""
    covariates = tuple(c for c in ("age_years", "sex", "site") if c in data.full_test)
    try:
        found = PaperEffects(covariates=covariates)(data.full_test)
    except TableError as reason:
        return [Section("table5", "Table 5: effects on the gap", (), (str(reason),))]
    for covariates_of, rows in found.groupby("adjusted_for"):
        found.loc[rows.index, "truth"] = rows["key"].map(truth.effects(str(covariates_of))).astype(float)
    return [
        _effects(found[found["table"] == table], key, f"{table}: effects on the spine age gap")
        for table, key in (("Table 5", "table5"), ("Appendix", "appendix"))
        if (found["table"] == table).any()
    ]


def _effects(found: pd.DataFrame, key: str, title: str) -> Section:
    plain, adjusted = found[found["adjusted_for"] == ""], found[found["adjusted_for"] != ""]
    n, blocks = int(plain["n"].max()), list(plain.groupby("block", sort=False))
    return Section(
        key,
        title,
        (
            f"One linear model a block on {n:,} scans of the full test set, standard errors clustered by person; a "
            "scan counts in the most severe category of a condition that it reaches. q: false-discovery rate within "
            "the model (Benjamini–Hochberg).",
            *plain.loc[plain["q"] < 0.05, "sentence"].head(3),
        ),
        tuple(
            f"{warning!s}: {'; '.join(rows['term'])}."
            for warning, rows in plain.groupby("warning", sort=False)
            if warning
        ),
        (_effects_table(blocks, adjusted, title),),
        tuple(
            Picture(
                f"{key}_{str(block).split()[0].lower()}",
                forest(rows.assign(label=rows["term"], n=rows["n_with"]), title=str(block), unit="years of gap"),
                f"{block}: effects on the gap in one model of all its terms, with 95% intervals; in brackets the "
                "scans with it.",
            )
            for block, rows in blocks
        ),
        {key: found},
    )


def _effects_table(blocks: list[tuple[Any, pd.DataFrame]], adjusted: pd.DataFrame, title: str) -> Table:
    """Each block's terms, one effect a row; columns that are empty throughout are left out."""
    beside = {(row.block, row.key): interval(row) for row in records(adjusted)}
    body: list[tuple[str, ...]] = []
    for block, rows in blocks:
        body.append((str(block),))
        body += [
            (
                str(row.term),
                f"{row.n_with:,}",
                interval(row),
                beside.get((row.block, row.key), ""),
                share(row.q),
                f"{row.paper_n:,.0f}" if row.paper_n == row.paper_n else "",
                interval(row, "paper_"),
                number(row.truth) if row.truth == row.truth else "",
            )
            for row in records(rows)
        ]
    covariates = next(iter(adjusted["adjusted_for"]), "").replace("_years", "")
    head = ("condition", "n", "effect, years (95% CI)", f"with {covariates}", "q", "paper: n", "paper: effect", "truth")
    kept = [k for k in range(len(head)) if any(len(row) > 1 and row[k] for row in body)]
    cut = tuple(row if len(row) == 1 else tuple(row[k] for k in kept) for row in body)
    note = "Truth: the same model on a million simulated people." if 7 in kept else ""
    return Table(title, tuple(head[k] for k in kept), cut, note)


def figure_6(data: StudyData, truth: Truth) -> Section:
    """Odds of each condition with gaps above +5 against gaps below −5 years."""
    named = {t.key: t.name for b in PAPER_BLOCKS for t in b.terms if b.table == "Table 5"}
    terms = [key for key in named if key in data.full_test and "=" not in key and _yes_no(data.full_test[key])]
    title = "Figure 6: odds of conditions by band of the gap"
    if not terms:
        return Section("figure6", title, ("No findings are known.",))
    try:
        found = OddsByGapBand(terms, names=named)(data.full_test)
    except TableError as reason:
        return Section("figure6", title, (), (str(reason),))
    found["truth"] = found["key"].map(truth.odds()).astype(float)
    paper = published("figure6")
    said = "; ".join(f"{r.severity} {r.condition}".strip().replace("_", " ") + f" {r.words}" for r in records(paper))
    body = tuple(
        (
            row.term,
            f"{row.with_above:,}/{row.with_above + row.without_above:,}",
            f"{row.with_below:,}/{row.with_below + row.without_below:,}",
            interval(row),
            p_text(row.p),
            row.method,
        )
        for row in records(found)
    )
    drawn = found.rename(columns={"term": "label"}).assign(n=found["with_above"] + found["with_below"])
    return Section(
        "figure6",
        title,
        (f"The paper's text says of its own cohort: {said}.",),
        (),
        (
            Table(
                "Odds ratios", ("condition", "gap above +5", "gap below −5", "odds ratio (95% CI)", "p", "method"), body
            ),
        ),
        (
            Picture(
                "figure6",
                forest(drawn, title="Gap above +5 years against below −5", unit="odds ratio", neutral=1),
                "Odds ratio of each condition in scans with a gap above +5 years against those below −5, with 95% "
                "intervals.",
            ),
        ),
        {"figure6": found},
    )


def figure_7(data: StudyData) -> Section | None:
    """Mean gap against age of people with and without physically heavy work; None where work is not known."""
    title = "Figure 7: the gap against age by physical work"
    if "work" not in data.full_test:
        return None
    scans = data.full_test
    try:
        curves, tests = GapByAge("work", value="heavy")(scans), AgeInteraction("work", value="heavy")(scans)
    except TableError as reason:
        return Section("figure7", title, (), (str(reason),))
    labels = list(dict.fromkeys(curves["group"]))
    in_words = f"{labels[1]} against {labels[0]}", "heavy against other work"
    tests["sentence"] = tests["sentence"].str.replace(*in_words, regex=False)
    own = scans.dropna(subset=["work"])
    own = own.assign(group=own["work"].eq("heavy").map({False: labels[0], True: labels[1]}))
    words = dict(zip(labels, ("other work", "physically heavy work"), strict=True))
    picture = figures.gap_by_age(curves, own, group="group", names=words)
    body = tuple((row.term, interval(row), p_text(row.p) if row.p == row.p else "") for row in records(tests))
    return Section(
        "figure7",
        title,
        tuple(tests.loc[tests["term"].isin(["change of difference per decade", "crossing age"]), "sentence"]),
        (),
        (Table("Heavy against other work", ("statistic", "estimate (95% CI)", "p"), body),),
        (
            Picture(
                "figure7",
                picture,
                "Mean gap by age with and without physically heavy work: natural splines with 95% bands; dots are "
                "means of ten-year brackets with 95% intervals.",
            ),
        ),
        {"figure7_curves": curves, "figure7_tests": tests},
    )


def large_gaps(data: StudyData, review: Path | None) -> Section:
    """The scans an expert should look at, and what the expert said where a filled-in sheet is given."""
    sheet = ReviewSheet(limit_years=LARGE_GAP_YEARS)(data.full_test)
    said = [
        f"{len(sheet)} of {len(data.full_test):,} scans of the full test set. tables/review.csv has an empty column "
        f"for a verdict on each ({', '.join(VERDICTS)}); filled in and given back with --review it is counted here."
    ]
    frames: dict[str, pd.DataFrame] = {"review": sheet}
    body: tuple[Table, ...] = ()
    if review is not None:
        counts = ReviewCounts(sheet)(read_table(review))
        frames["review_counts"] = counts
        said += list(counts["sentence"])
        body = (
            Table(
                "What the reader said of them",
                ("verdict", "scans", "share (95% CI)"),
                tuple((row.term, f"{row.count}", interval(row)) for row in records(counts)),
                "The paper's 30: 23 as an expert would expect, artefact 2, segmentation 1, age model 4.",
            ),
        )
    return Section("review", f"Gaps beyond {LARGE_GAP_YEARS:g} years", tuple(said), (), body, frames=frames)


def _yes_no(column: pd.Series) -> bool:
    return bool(column.dropna().isin([0, 1]).all())
