"""Figures and the waterfall behind one of them: what they show must be what they were given."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from PIL import Image

from spineclock.core.records import AgePrediction, Contribution, Interval
from spineclock.report import figures, ink
from spineclock.report.waterfall import described, readable, waterfall


def prediction(years: tuple[float, ...], *, mean: float = 58.3, network: float | None = None) -> AgePrediction:
    names = [f"disc.L{i % 5 + 1}/L{i % 5 + 2}.height_mm" for i in range(len(years))]
    measured = mean + sum(years)
    predicted = measured if network is None else (measured + network) / 2
    components = {"measurements": measured} | ({} if network is None else {"network": network})
    return AgePrediction(
        predicted,
        predicted + 2.5,
        Interval(predicted - 13, predicted + 13, 0.9),
        4.0,
        components,
        tuple(Contribution(n, 8.0, y) for n, y in zip(names, years, strict=True)),
    )


YEARS = tuple(float(y) for y in np.random.default_rng(4).normal(0, 2, 20))


@pytest.mark.parametrize("network", [None, 71.0])
def test_steps_lead_from_the_mean_to_the_prediction(network: float | None) -> None:
    given = prediction(YEARS, network=network)
    steps = waterfall(given, most=12)
    assert len(steps) == 13 + (network is not None)
    assert steps[0].start_years == pytest.approx(58.3)
    assert steps[-1].end_years == pytest.approx(given.predicted_age_years)
    for before, after in itertools.pairwise(steps):
        assert before.end_years == after.start_years
    assert [abs(s.years) for s in steps[:12]] == sorted(np.abs(YEARS), reverse=True)[:12]
    assert steps[12].label == "the 8 others"
    assert steps[12].years == pytest.approx(sum(sorted(YEARS, key=abs)[:8]))


def test_bars_and_marks_are_the_steps() -> None:
    given = prediction((5.0, -2.0, 0.5))
    axes = figures.contributions(given).axes[0]
    bars = sorted((p for p in axes.patches if isinstance(p, Rectangle)), key=lambda p: p.get_y())
    assert [(round(b.get_x(), 6), round(b.get_width(), 6)) for b in bars] == [(58.3, 5.0), (63.3, -2.0), (61.3, 0.5)]
    assert next(b.get_facecolor()[:3] for b in bars) != bars[1].get_facecolor()[:3]
    written = [t.get_text() for t in axes.texts]
    assert written == ["+5.0", "−2.0", "+0.5", "58.3 y", "61.8 y"]
    assert [t.get_text() for t in axes.get_yticklabels()][1] == "L1/L2 disc height: 8.00 mm"
    assert axes.yaxis_inverted()


def test_no_contributions_give_one_age_and_no_bar() -> None:
    given = prediction(())
    assert waterfall(given) == ()
    assert not figures.contributions(given).axes[0].patches


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("sex.male", 0.0, "female sex"),
        ("sex.male", 1.0, "male sex"),
        ("disc.mean.height_mm", 7.123, "disc height, mean: 7.12 mm"),
        ("vertebra.L4.wedge_deg", -3.5, "L4 vertebra wedge: −3.50°"),
        ("canal.L4/L5.area_mm2", 181.6, "L4/L5 canal area: 182 mm²"),
        ("disc.L5/S1.signal", float("nan"), "L5/S1 disc signal: not measured"),
        ("spine.csf_spread", 0.21345, "CSF spread: 0.213"),
    ],
)
def test_measurements_are_named_in_words_with_units(name: str, value: float, said: str) -> None:
    assert described(Contribution(name, value, 1.0)) == said


def test_given_names_win() -> None:
    assert described(Contribution("disc.mean.height_mm", 7.0, 1.0), {"disc.mean.height_mm": "mean disc height"}) == (
        "mean disc height: 7.00 mm"
    )
    assert readable("plain") == ("plain", "")


def test_interval_shows_every_age_given() -> None:
    given = prediction((5.0, -2.0))
    axes = figures.interval(given, age_years=57.0, training_ages_years=(14, 84)).axes[0]
    labels = [t.get_text() for t in axes.get_legend().get_texts()]
    assert labels == ["90% interval 48–74", "predicted 61.3", "corrected 63.8", "chronological 57.0"]
    xs = [float(x) for line in axes.lines for x in line.get_xdata()]
    assert xs == pytest.approx([48.3, 74.3, 61.3, 63.8, 57.0, 57.0])
    low, high = axes.get_xlim()
    assert low < 14
    assert high > 84
    without = figures.interval(given).axes[0]
    assert [t.get_text() for t in without.get_legend().get_texts()] == labels[:3]


def test_heat_lies_where_the_weights_are_superior_up_and_anterior_left() -> None:
    back, weights = np.linspace(0, 1, 60 * 40).reshape(60, 40), np.zeros((60, 40))
    weights[5:10, 2:5] = 2.0  # top, front
    figure = figures.heat(back, weights, spacing_mm=(1.0, 2.0))
    axes = figure.axes[0]
    shown = axes.images[1]
    np.testing.assert_array_equal(np.argwhere(np.asarray(shown.get_array()) == 1.0).min(axis=0), (5, 2))
    assert axes.images[1].origin == "upper"
    assert shown.get_extent() == [0, 80, 60, 0]
    assert np.asarray(shown.get_alpha()).max() == pytest.approx(0.65)
    assert np.asarray(shown.get_alpha())[0, 0] == 0
    assert not np.asarray(figures.heat(back, weights * 0, spacing_mm=(1, 1)).axes[0].images[1].get_array()).any()
    tall = figures.heat(np.tile(back, (5, 1)), np.tile(weights, (5, 1)), spacing_mm=(1, 1)).get_size_inches()
    assert tall[1] > tall[0]
    assert tall[1] < 10


def test_scatter_and_bland_altman_plot_the_numbers_given() -> None:
    age, predicted = np.array([20.0, 40, 60]), np.array([30.0, 41, 55])
    axes = figures.scatter(age, predicted, note="MAE 5.3 y").axes[0]
    np.testing.assert_array_equal(np.asarray(axes.lines[1].get_xydata()), np.c_[age, predicted])
    assert axes.get_xlim() == axes.get_ylim() == (10.0, 70.0)
    agreement = figures.bland_altman(predicted, age, bias=2.0, limits=(-10.0, 14.0)).axes[0]
    np.testing.assert_array_equal(
        np.asarray(agreement.lines[1].get_xydata()), np.c_[(age + predicted) / 2, predicted - age]
    )
    assert [t.get_text() for t in agreement.texts] == ["bias +2.0", "lower limit −10.0", "upper limit +14.0"]


def test_pictures_are_kept_under_their_limit_and_small_ones_untouched() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (450, 600, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, format="PNG")
    for limit in (80_000, 20_000):
        small = ink.compact(out.getvalue(), limit_bytes=limit)
        assert len(small) <= limit
        image = Image.open(io.BytesIO(small))
        assert image.format == "JPEG"
        assert image.width / image.height == pytest.approx(600 / 450, rel=0.02)
    assert ink.compact(out.getvalue(), limit_bytes=10**8) == out.getvalue()


def test_the_same_figure_gives_the_same_bytes() -> None:
    given = prediction((5.0, -2.0))
    assert ink.png(figures.interval(given)) == ink.png(figures.interval(given))
