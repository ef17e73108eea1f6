from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spineclock.report.forest import forest
from spineclock.report.html import RunInfo
from spineclock.report.ink import svg
from spineclock.report.paper import published
from spineclock.report.study_figures import ages, corrections, errors, gap_by_age, repeats
from spineclock.report.study_page import Picture, Section, page, write_folder
from spineclock.report.tables import Table

RUN = RunInfo("1.2", "spineclock study <&>", "2026-01-02")


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    age = rng.uniform(25, 85, 400)
    table = pd.DataFrame({"age_years": age, "sex": rng.choice(["F", "M"], 400), "gap_years": rng.normal(0, 4, 400)})
    return table.assign(
        bracket=(np.floor((age - 25) / 10) * 10 + 30).astype(int), work=rng.choice(["light", "heavy"], 400)
    )


@pytest.fixture(scope="module")
def effects() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "label": ["mild bulge", "severe bulge"], "n": [801, 12], "estimate": [1.27, 2.96], "low": [0.92, 0.27],
            "high": [1.63, 5.65], "paper_estimate": [1.0, np.nan], "paper_low": [0.5, np.nan],
            "paper_high": [1.5, np.nan], "truth": [1.2, 2.0],
        }
    )  # fmt: skip


def test_a_forest_draws_each_estimate_and_its_interval_where_it_lies(effects: pd.DataFrame) -> None:
    axes = forest(effects, title="t", unit="years").axes[0]
    ours = next(c for c in axes.containers if c.get_label() == "this study")
    np.testing.assert_allclose(ours[0].get_xdata(), effects["estimate"])
    spans = [segment[:, 0] for segment in ours[2][0].get_segments()]
    np.testing.assert_allclose(spans, effects[["low", "high"]])
    paper = next(c for c in axes.containers if c.get_label() == "the paper")
    np.testing.assert_allclose(paper[0].get_xdata(), [1.0])
    truth = next(line for line in axes.lines if "truth" in str(line.get_label()))
    np.testing.assert_allclose(truth.get_xdata(), effects["truth"])
    assert axes.get_yticklabels()[0].get_text() == "mild bulge  (801)"


def test_odds_are_drawn_on_a_logarithmic_axis_that_holds_them(effects: pd.DataFrame) -> None:
    axes = forest(effects, title="t", unit="odds ratio", neutral=1).axes[0]
    assert axes.get_xscale() == "log"
    low, high = axes.get_xlim()
    assert low < 0.5 < effects["estimate"].max() < high


def test_one_endless_interval_does_not_squeeze_the_others(effects: pd.DataFrame) -> None:
    many = pd.concat([effects.iloc[[0]]] * 30 + [effects.iloc[[1]].assign(low=-1e3, high=1e3)])
    low, high = forest(many, title="t", unit="years").axes[0].get_xlim()
    assert high - low < 10


def test_endless_odds_are_told_by_an_arrow(effects: pd.DataFrame) -> None:
    endless = effects.assign(estimate=[2.0, np.inf], low=[1.0, 1.5], high=[4.0, np.inf])
    axes = forest(endless, title="t", unit="odds ratio", neutral=1).axes[0]
    ours = next(c for c in axes.containers if c.get_label() == "this study")
    np.testing.assert_allclose(ours[0].get_xdata(), [2.0])
    beyond = [line.get_ydata() for line in axes.lines if line.get_marker() == ">"]
    assert any(np.abs(y - 1).min() < 0.2 for y in beyond if len(y))


def test_figures_are_the_same_bytes_each_time(people: pd.DataFrame) -> None:
    def drawn() -> list[bytes]:
        curve = pd.DataFrame({"age_years": [30, 80], "estimate": [0, 1], "low": [-1, 0], "high": [1, 2]})
        curves = pd.concat([curve.assign(group="light"), curve.assign(group="heavy")])
        limits = pd.DataFrame({"term": ["bias", "lower limit", "upper limit"], "estimate": [0.0, -7, 7],
                               "low": [-0.5, -8, 6], "high": [0.5, -6, 8]})  # fmt: skip
        age, gap = people["age_years"], people["gap_years"]
        figures = [
            ages({"train": people, "test": people}),
            corrections(age + gap, age + 0.5 * gap, age, r2=(0.8, 0.9)),
            errors(people, error="gap_years"),
            repeats(gap[:200], gap[200:], limits),
            gap_by_age(curves, people, group="work", names={"light": "light work", "heavy": "heavy work"}),
        ]
        return [svg(figure) for figure in figures]

    first = drawn()
    assert first == drawn()
    assert all(picture.startswith(b"<?xml") for picture in first)


def test_boxes_hold_the_absolute_errors_of_their_bracket_and_sex(people: pd.DataFrame) -> None:
    axes = errors(people, error="gap_years").axes[0]
    own = people[(people["bracket"] == 30) & (people["sex"] == "M")]["gap_years"].abs()
    medians = [
        line.get_ydata()[0] for line in axes.lines if np.ptp(line.get_ydata()) == 0 and line.get_linewidth() == 2
    ]
    assert any(abs(m - own.median()) < 1e-9 for m in medians)


def test_the_page_escapes_what_it_is_told_and_fetches_nothing(effects: pd.DataFrame) -> None:
    figure = forest(effects, title="t", unit="years")
    section = Section(
        "table5", "Effects <b>", ("said & done",), ("careful <i>",),
        (Table("Table 5", ("term", "effect"), (("Lumbar",), ("mild <u>", "1.27")), "a note"),),
        (Picture("table5", figure, "what it shows"),), {"table5": effects},
    )  # fmt: skip
    text = page([section], run=RUN, title="A study", statements=["Simulated people.", ""])
    for told in ("Effects &lt;b&gt;", "said &amp; done", "careful &lt;i&gt;", "mild &lt;u&gt;", "study &lt;&amp;&gt;"):
        assert told in text
    assert text.count("Please note.") == 1
    assert "data:image/svg+xml;base64," in text
    assert 'colspan="2"' in text  # a row of one cell is a heading
    assert not any(word in text.lower() for word in ("<script", 'src="http', "@import", "url("))


def test_the_folder_holds_the_numbers_in_full_and_the_figures_as_vectors(effects: pd.DataFrame, tmp_path: Path) -> None:
    section = Section("t", "T", pictures=(Picture("f", forest(effects, title="t", unit="years"), "c"),),
                      frames={"effects": effects})  # fmt: skip
    write_folder(tmp_path, [section])
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "tables" / "effects.csv"), effects)
    assert (tmp_path / "figures" / "f.svg").read_bytes().startswith(b"<?xml")
    assert (tmp_path / "figures" / "f.png").read_bytes().startswith(b"\x89PNG")


def test_the_papers_tables_add_up_to_what_its_text_says() -> None:
    counts = published("table1")
    assert counts["normal"].sum() == 10_611
    assert counts["normal"].sum() + counts["abnormal"].sum() == 18_070
    by_bracket = counts.groupby("bracket")[["normal", "abnormal"]].sum()
    share = by_bracket["abnormal"] / by_bracket.sum(axis=1)
    np.testing.assert_allclose([share.min(), share.max()], [0.341, 0.552], atol=5e-4)
    repeat = published("table4").set_index("subgroup")["n"]
    assert repeat["M"] + repeat["F"] == repeat["all"]
