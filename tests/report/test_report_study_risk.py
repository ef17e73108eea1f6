from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from spineclock.report.ink import svg
from spineclock.report.paper import published
from spineclock.report.study_risk import decision_curves, incidence_curves


@pytest.fixture(scope="module")
def benefit() -> pd.DataFrame:
    thresholds = np.linspace(0.01, 0.2, 20)
    parts = [("everyone", 40 - 400 * thresholds), ("new", 40 - 150 * thresholds), ("old", 40 - 200 * thresholds)]
    return pd.concat(
        [pd.DataFrame({"threshold": thresholds, "strategy": name, "per_1000": values}) for name, values in parts]
    )


@pytest.fixture(scope="module")
def curves() -> pd.DataFrame:
    years = np.arange(0, 9.0)
    one = pd.DataFrame({"time_years": years, "estimate": years / 100, "low": years / 120, "high": years / 80,
                        "at_risk": [900, 800, 700, 600, 500, 400, 300, 200, 5]})  # fmt: skip
    return pd.concat([one.assign(group="low"), one.assign(group="high", estimate=years / 50, high=years / 40)])


def test_a_decision_curve_has_treat_all_treat_none_and_each_strategy_in_percent(benefit: pd.DataFrame) -> None:
    axes = decision_curves({"Osteoporosis": benefit}, strategies=["new", "old"], everyone="everyone").axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    assert {"treat all", "treat none", "new", "old"} <= set(lines)
    np.testing.assert_allclose(lines["new"].get_xdata(), np.linspace(1, 20, 20))
    np.testing.assert_allclose(lines["treat all"].get_ydata(), 40 - 4 * np.linspace(1, 20, 20))
    assert set(np.ravel(lines["treat none"].get_ydata())) == {0}
    low, high = axes.get_ylim()  # far below nobody's there is nothing to see
    assert -15 < low < 0 < 38.5 < high


def test_incidences_are_drawn_in_percent_over_the_numbers_still_followed(curves: pd.DataFrame) -> None:
    figure = incidence_curves({"Death": curves, "Fracture": curves}, groups={"low": "low gap", "high": "high gap"})
    axes = figure.axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose(lines["high gap"].get_ydata(), np.arange(0, 18.0, 2))
    told = [text.get_text() for text in axes.texts]
    assert [t for t in told if t.isdigit()] == ["900", "700", "500", "300"] * 2  # years 0, 2, 4, 6, of each group
    assert axes.get_xlim() == (0, 7)  # where fewer than ten are left nothing is drawn


def test_three_outcomes_leave_the_fourth_place_empty(curves: pd.DataFrame) -> None:
    figure = incidence_curves(dict.fromkeys("abc", curves), groups={"low": "low", "high": "high"})
    assert [axes.get_visible() for axes in figure.axes] == [True, True, True, False]


def test_the_same_bytes_each_time(benefit: pd.DataFrame, curves: pd.DataFrame) -> None:
    def drawn() -> list[bytes]:
        return [
            svg(decision_curves({"x": benefit}, strategies=["new"], everyone="everyone")),
            svg(incidence_curves({"x": curves}, groups={"low": "low", "high": "high"})),
        ]

    assert drawn() == drawn()


def test_the_radiograph_paper_s_ratios_are_as_printed() -> None:
    found = published("radiograph_hazards").set_index(["images", "event", "model"])
    first = found.loc[("lateral radiographs", "any_fracture", "M1")]
    assert (first["hazard_ratio"], first["low"], first["high"], first["people"]) == (1.74, 1.46, 2.07, 2063)
    assert found.loc[("DXA VFA", "non_vertebral_fracture", "M3"), "hazard_ratio"] == 1.15
    inside = np.sqrt(found["low"] * found["high"])  # an interval of a ratio is about even on the logarithmic scale
    np.testing.assert_allclose(inside, found["hazard_ratio"], rtol=0.012)
    assert len(found) == 18
