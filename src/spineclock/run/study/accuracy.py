"""How right the ages are: bias correction, Table 3, Figure 4, repeat scans, scanners."""

from __future__ import annotations

import pandas as pd

from spineclock.core.errors import TableError
from spineclock.report import study_figures as figures
from spineclock.report.paper import published
from spineclock.report.study_page import Picture, Section
from spineclock.report.tables import Table, records
from spineclock.run.study.data import StudyData
from spineclock.run.study.words import interval
from spineclock.stats.accuracy import AgeAccuracy, ErrorByGroup
from spineclock.stats.bias import BiasCorrections
from spineclock.stats.repeat_scans import RepeatScans, repeat_pairs
from spineclock.stats.result import number
from spineclock.stats.scanner import ScannerShare

AGREEMENT = ("ICC(A,1)", "ICC(1)", "ICC(C,1)", "within-person SD", "repeatability coefficient")
TABLE_3 = ("MAE", "R²", "WMAE")
"""Its columns, without and with correction."""


def correction(data: StudyData, *, resamples: int, seed: int) -> Section:
    """Every bias correction, fitted on validation people and judged on the normal test people."""
    rows = data.scans[data.scans["set"].isin(["validation", "test"])]
    found = BiasCorrections(split="set", resamples=resamples, seed=seed)(rows)
    test = data.of("test")
    fit = data.correction
    said = (
        f"On {len(data.of('validation')):,} validation scans predictions rise by {fit.slope:.3f} years a year of age, "
        f"from {number(fit.intercept)} years at age 0. Cole's correction takes this line out; it needs no test age; "
        "every age, gap and effect below is corrected by it."
    )
    warned = found[found["caution"].fillna("") != ""].groupby("caution", sort=False)["correction"].unique()
    cautions = [f"{', '.join(names)}: {text}" for text, names in warned.items()]
    wide = found[found["measure"].notna()].pivot_table(
        index="correction", columns="measure", values="estimate", sort=False, aggfunc="first"
    )
    named = [
        m
        for m in ("MAE", "WMAE", "R²", "r", "mean gap", "slope of gap on age", "r of shuffled predictions")
        if m in wide
    ]
    body = tuple(
        (str(name), *(number(row[m], 3 if "slope" in m else 2) for m in named)) for name, row in wide.iterrows()
    )
    scores = [_of(found, "none", "R²"), _of(found, "Cole", "R²")]
    picture = figures.corrections(
        test["predicted_age_years"], test["corrected_age_years"], test["age_years"], r2=(scores[0], scores[1])
    )
    return Section(
        "bias",
        "Bias correction",
        (said,),
        tuple(cautions),
        (
            Table(
                "Normal test scans after each correction",
                ("correction", *named),
                body,
                "r of shuffled predictions: what the correction makes of predictions dealt out to other people, which "
                "know nothing. Beheshti, de Lange, age-level, LOWESS and age covariate use the age they are judged on.",
            ),
        ),
        (
            Picture(
                "correction",
                picture,
                "Predicted against chronological age of the normal test scans, before and after Cole's correction.",
            ),
        ),
        {"bias_corrections": found},
    )


def table_3(data: StudyData, *, resamples: int, seed: int) -> Section:
    """MAE, R² and WMAE of each model on the normal test scans, beside the paper's."""
    rows = data.models[data.models["set"] == "test"]
    found = AgeAccuracy(split="set", by="model", resamples=resamples, seed=seed)(rows)
    paper = published("table3").set_index("model")
    columns = ("mae_years", "r2", "wmae_years", "corrected_mae_years", "corrected_r2", "corrected_wmae_years")
    body: list[tuple[str, ...]] = []
    for model in data.models["model"].unique():
        own = found[found["group"] == model].set_index(["ages", "measure"])
        cells = [interval(own.loc[(ages, m)]) for ages in ("as predicted", "corrected") for m in TABLE_3]
        body.append((str(model) or "this model", *cells))
    body.append(("From the paper, on its own cohort",))
    body += [(str(name), *(number(row[c]) for c in columns)) for name, row in paper.iterrows()]
    main = found[found["group"] == data.model].set_index(["ages", "measure"])
    n = int(main["n"].iloc[0])
    drawn = f"; 95% intervals from {resamples:,} resamples of people" if resamples else ""
    head = ("model", "MAE, years", "R²", "WMAE, years", "corrected MAE", "corrected R²", "corrected WMAE")
    return Section(
        "table3",
        "Table 3: the ages' errors",
        tuple(str(main.loc[(ages, "MAE"), "sentence"]) for ages in ("as predicted", "corrected")),
        (),
        (
            Table(
                f"{n:,} normal test scans{drawn}",
                head,
                tuple(body),
                "R² is 1 − SSE/SST. WMAE is the mean over ten-year brackets of each bracket's MAE.",
            ),
        ),
        frames={"table3": found},
    )


def figure_4(data: StudyData, *, resamples: int, seed: int) -> Section:
    """The absolute error by bracket and sex on the normal test scans."""
    found = ErrorByGroup(split="set", resamples=resamples, seed=seed)(data.scans)
    body = tuple(
        (
            f"{row.bracket}, {'women' if row.sex == 'F' else 'men'}",
            f"{row.n:,}",
            interval(row),
            number(row.median),
            f"{number(row.quartile_1)}–{number(row.quartile_3)}",
            number(row.mean_gap),
        )
        for row in records(found.sort_values(["bracket", "sex"], ascending=[True, False]))
    )
    test = data.of("test")
    picture = figures.errors(test.assign(error_years=test["gap_years"]))
    return Section(
        "figure4",
        "Figure 4: the error by age and sex",
        (),
        (),
        (
            Table(
                "Absolute error of corrected ages, years",
                ("bracket, sex", "scans", "mean (95% CI)", "median", "quartiles", "mean gap"),
                body,
            ),
        ),
        (
            Picture(
                "figure4",
                picture,
                "Absolute error of the corrected age in the normal test set by ten-year bracket and "
                "sex: median, quartiles, and whiskers from the 5th to the 95th percentile.",
            ),
        ),
        {"figure4": found},
    )


def table_4(data: StudyData) -> Section:
    """Agreement of two scans of a person in the full test set, beside the paper's."""
    full, title = data.full_test, "Table 4: repeat scans"
    pairs = repeat_pairs(full, values=("gap_years",))
    if len(pairs) < 3:
        return Section("table4", title, (f"{len(pairs)} people of the full test set have two scans: too few.",))
    found = RepeatScans()(full)
    gap = found[found["value"] == "gap_years"]
    everyone = gap[gap["group"] == "all"]
    shown = gap[gap["measure"].isin(AGREEMENT)]
    body: list[tuple[str, ...]] = [
        (row.term.replace(", gap", ""), f"{row.n:,}", f"{row.years_apart:.2f}", interval(row)) for row in records(shown)
    ]
    body.append(("From the paper; which ICC it is, is not said",))
    words = {"all": "everyone", "M": "men", "F": "women"}
    body += [
        (f"ICC, {words[r.subgroup]}", f"{r.n:,}", f"{r.years_apart:.2f}", f"{r.icc:.2f} ({r.low:.2f} to {r.high:.2f})")
        for r in records(published("table4"))
    ]
    picture = figures.repeats(
        pairs["first_gap_years"],
        pairs["second_gap_years"],
        everyone[everyone["measure"].isin(["bias", "lower limit", "upper limit"])].assign(term=lambda t: t["measure"]),
    )
    return Section(
        "table4",
        title,
        tuple(everyone.loc[everyone["measure"].isin(["ICC(A,1)", "repeatability coefficient"]), "sentence"]),
        (),
        (Table("Of the gap, years", ("measure", "people", "years apart", "estimate (95% CI)"), tuple(body)),),
        (
            Picture(
                "repeats",
                picture,
                "Second minus first gap of people scanned twice, with bias and limits of agreement; bands are the 95% "
                "intervals of these lines.",
            ),
        ),
        {"table4": found},
    )


def scanners(data: StudyData) -> Section | None:
    """How much of the gap is the scanner; None where scanners are not known."""
    columns = [c for c in ("scanner", "site") if c in data.scans and data.scans[c].nunique() > 1]
    if not columns:
        return None
    try:
        found = pd.concat([ScannerShare(scanner=c)(data.full_test).assign(of=c) for c in columns], ignore_index=True)
    except TableError as reason:
        return Section("scanner", "Scanners", (), (str(reason),))
    shares = found[~found.duplicated("of")]  # of each, the share comes first
    said = [
        str(text).replace("gap_years", "the gap").replace("scanners", f"{of}s")
        for text, of in zip(shares["sentence"], shares["of"], strict=True)
    ]
    each = found[found.duplicated("of")]
    body = tuple((str(r.scanner), f"{r.n:,}", interval(r)) for r in records(each))
    table = Table(
        "Mean gap less that of all, age and sex taken out, years", ("", "people", "difference (95% CI)"), body
    )
    return Section("scanner", "Scanners and sites", tuple(said), (), (table,), frames={"scanners": found})


def _of(found: pd.DataFrame, name: str, measure: str) -> float:
    return float(found.loc[(found["correction"] == name) & (found["measure"] == measure), "estimate"].iloc[0])
