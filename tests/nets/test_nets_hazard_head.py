"""Hazards by interval: the likelihood by hand, the example of censoring, lifelines' fits, and death in the way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from lifelines import AalenJohansenFitter, KaplanMeierFitter, PiecewiseExponentialFitter

from spineclock.core.errors import TableError, UsageError
from spineclock.nets.hazard_head import HazardHead
from spineclock.stats.survival import concordance as of_table

RATE = 0.02
TORCHSURV = {
    "cost": 1.8297258615493774,
    "survival": [
        [0.9091947073090108, 0.31013510413917084],
        [0.964215449818862, 0.33377366145237886],
        [0.5268884443748448, 0.3163313856310861],
        [0.790613331589789, 0.1995941011315697],
        [0.9425490668286494, 0.17545492062987278],
    ],
}
"""torchsurv 0.2.0, neg_log_likelihood and survival_function of loss.survival: the rates log(1 + eᶻ) over the widths, at
quarters of a year and 1e-6 after each edge, where its trapezoids are exact but for that millionth."""


def fitted(head: HazardHead, targets: torch.Tensor, steps: int = 60) -> torch.Tensor:
    """The one answer, (1, outputs), that suits everybody best: the likelihood's highest point."""
    raw = torch.full((1, head.outputs), -3.0, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [raw], max_iter=steps, tolerance_grad=1e-9, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def cost() -> torch.Tensor:
        optimiser.zero_grad()
        loss = head.cost(raw.expand(len(targets), -1), targets)
        loss.backward()
        return loss

    optimiser.step(cost)
    return raw.detach()


def lost_evenly(events: int = 2000, losses: int = 50) -> torch.Tensor:
    """Events at a constant rate, people lost evenly over ten years, both at even quantiles: no noise."""
    at, by = ((np.arange(n) + 0.5) / n for n in (events, losses))
    event, lost = (x.ravel() for x in np.meshgrid(-np.log1p(-at) / RATE, 10 * by))
    return torch.tensor(np.column_stack([np.minimum(event, lost), event <= lost]))


def two_causes(n: int, seed: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    fracture, death, lost = rng.exponential(12, n), rng.exponential(9, n), rng.uniform(0, 8, n)
    years = np.minimum(np.minimum(fracture, death), lost)
    return torch.tensor(np.column_stack([years, np.where(years == fracture, 1, np.where(years == death, 2, 0))]))


def test_likelihood_by_hand() -> None:
    head = HazardHead((0.0, 1.0, 2.0, 4.0))
    h = np.array([0.1, 0.2, 0.3])
    raw = torch.logit(torch.tensor(h)).expand(4, -1)
    targets = torch.tensor([[1.5, 1.0], [1.25, 0.0], [4.0, 1.0], [9.0, 1.0]], dtype=torch.float64)
    rate = -np.log(1 - h) / [1, 1, 2]
    wanted = [
        np.log(1 - h[0]) + np.log(rate[1]) + 0.5 * np.log(1 - h[1]),  # an event half way through the second
        np.log(1 - h[0]) + 0.25 * np.log(1 - h[1]),  # lost a quarter into it
        np.log(1 - h).sum() + np.log(rate[2]),  # at the last edge
        np.log(1 - h).sum(),  # after it: free of the event throughout
    ]
    each = [float(head.cost(raw[i : i + 1], targets[i : i + 1])) for i in range(4)]
    assert each == pytest.approx([-w for w in wanted])
    assert float(head.cost(raw, targets)) == pytest.approx(-np.mean(wanted))


def test_an_event_whose_interval_alone_counts_is_one_conditional_hazard() -> None:
    head = HazardHead((0.0, 1.0, 2.0), timing="interval")
    raw = torch.logit(torch.tensor([[0.1, 0.2]], dtype=torch.float64))
    for years, ended, wanted in ((1.5, 1, 0.9 * 0.2), (2.0, 1, 0.9 * 0.2), (0.0, 1, 0.1), (1.0, 0, 0.9)):
        found = head.cost(raw, torch.tensor([[years, ended]], dtype=torch.float64))
        assert float(found) == pytest.approx(-math.log(wanted))


def test_either_of_two_causes_in_an_interval_by_hand() -> None:
    """(1 − exp(−H))·Hₖ/H, and a product of a rate and a survival where the time counts."""
    each = np.array([[0.2, 0.1], [0.3, 0.4]])  # cumulative hazards: causes, intervals
    raw = torch.tensor(np.log(np.expm1(each))).reshape(1, 4)
    targets = torch.tensor([[1.5, 2.0]], dtype=torch.float64)
    wanted = np.exp(-0.5) * (1 - np.exp(-0.5)) * 0.4 / 0.5
    assert float(HazardHead((0, 1, 2), 2, "interval").cost(raw, targets)) == pytest.approx(-math.log(wanted))
    wanted = np.exp(-0.5) * np.exp(-0.25) * 0.4
    assert float(HazardHead((0, 1, 2), 2).cost(raw, targets)) == pytest.approx(-math.log(wanted))


def test_probabilities_of_all_that_can_happen_sum_to_one() -> None:
    head = HazardHead((0.0, 1.0, 3.0), 2)
    raw = torch.randn(5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    at = [0.0, 0.3, 1.0, 2.2, 3.0]
    total = head.risks(raw, at) + head.risks(raw, at, cause=2) + head.event_free(raw, at)
    assert total.numpy() == pytest.approx(np.ones((5, 5)))
    assert (head.risks(raw, at).diff(dim=1) > 0).all()


@pytest.mark.parametrize("timing", ["exact", "interval"])
@pytest.mark.parametrize("causes", [1, 2])
def test_gradients_are_those_of_small_differences(timing: str, causes: int) -> None:
    head = HazardHead((0.0, 0.5, 2.0, 3.0), causes, timing)  # type: ignore[arg-type]
    raw = torch.randn(6, head.outputs, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    targets = two_causes(6, seed=1)
    assert torch.autograd.gradcheck(lambda z: head.cost(z, targets), raw.requires_grad_())
    assert torch.autograd.gradcheck(lambda z: head.risks(z, [0.7, 2.5]), raw)


@pytest.mark.parametrize("timing", ["exact", "interval"])
def test_answers_far_out_have_a_finite_cost_and_gradient(timing: str) -> None:
    head = HazardHead((0.0, 1.0, 2.0), 2, timing)  # type: ignore[arg-type]
    raw = torch.tensor([[-300.0, -90.0, 40.0, -30.0], [300.0, -16.0, -90.0, 80.0]], requires_grad=True)
    loss = head.cost(raw, torch.tensor([[0.5, 1.0], [1.5, 2.0]]))
    (gradient,) = torch.autograd.grad(loss, raw)
    assert torch.isfinite(loss)
    assert torch.isfinite(gradient).all()


def test_people_without_a_follow_up_teach_nothing() -> None:
    head = HazardHead((0.0, 1.0, 2.0))
    raw = torch.randn(2, 2, generator=torch.Generator().manual_seed(2), requires_grad=True)
    targets = torch.tensor([[1.5, 1.0], [math.nan, 0.0]])
    loss = head.cost(raw, targets)
    assert loss.item() == pytest.approx(head.cost(raw[:1], targets[:1]).item())
    (gradient,) = torch.autograd.grad(loss, raw)
    assert gradient[1].tolist() == [0, 0]
    nobody = head.cost(raw, torch.full((2, 2), math.nan))
    assert nobody.item() == 0
    assert torch.autograd.grad(nobody, raw)[0].abs().sum() == 0


def test_the_true_risk_where_masked_cross_entropy_is_biased() -> None:
    """METHODS D: with 2% a year and people lost evenly over ten years, 13.7% for a true 9.5% by five years."""
    targets = lost_evenly()
    truth = 1 - math.exp(-5 * RATE)
    assert truth == pytest.approx(0.095, abs=5e-4)
    for edges in ((0, 1, 2, 3, 4, 5), (0, 5), (0, 2.5, 3, 5)):
        head = HazardHead(tuple(map(float, edges)))
        assert float(head.risk(fitted(head, targets), 5.0)) == pytest.approx(truth, abs=3e-4)
    years, event = targets.T.numpy()
    known = (years >= 5) | (event == 1)  # what a masked label "event by five years" has: 1, or followed to five years
    masked = (event == 1) & (years <= 5)
    assert masked[known].mean() == pytest.approx(0.137, abs=5e-4)  # the constant that cross-entropy is lowest at


def test_hazards_of_dated_events_are_lifelines_piecewise_exponential_ones() -> None:
    targets = two_causes(3000, seed=3)
    head = HazardHead((0.0, 1.0, 2.0, 5.0, 8.0))
    years, cause = targets.T.numpy()
    theirs = PiecewiseExponentialFitter([1.0, 2.0, 5.0]).fit(years, cause == 1)
    raw = fitted(head, targets)
    at = [0.5, 1.0, 1.7, 2.0, 4.0, 5.0, 7.5]
    assert head.risks(raw, at)[0].numpy() == pytest.approx(
        1 - theirs.survival_function_at_times(at).to_numpy(), rel=1e-4
    )
    events = np.histogram(years[cause == 1], head.edges_years)[0]
    spent = np.clip(years[:, None] - head.edges_years[:-1], 0, np.diff(head.edges_years)).sum(0)
    assert -torch.log1p(-head.hazards(raw))[0, 0].numpy() / np.diff(head.edges_years) == pytest.approx(events / spent)


def test_cost_and_survival_are_torchsurvs() -> None:
    head = HazardHead((0.0, 1.0, 2.0, 4.0))
    z = [[-2, -1, 0.5], [-3, 0, -0.5], [0.3, -1.5, -2], [-1, -1, 1], [-2.5, 0.7, 0.1]]
    raw = torch.tensor(z, dtype=torch.float64)
    targets = torch.tensor([[0.5, 1], [1.75, 0], [2, 1], [3.25, 1], [4, 0]], dtype=torch.float64)
    assert head.cost(raw, targets).item() == pytest.approx(TORCHSURV["cost"], rel=1e-6)
    assert 1 - head.risks(raw, [0.75, 3.5]).numpy() == pytest.approx(np.array(TORCHSURV["survival"]), rel=1e-6)


def test_hazards_of_yearly_visits_are_kaplan_and_meiers() -> None:
    """Events seen at the next visit, people lost between visits: exactly the life table's hazards."""
    targets = two_causes(2000, seed=4)
    targets[:, 0] = torch.where(targets[:, 1] == 1, targets[:, 0].ceil(), targets[:, 0].floor())
    targets = targets[targets[:, 0] > 0]
    head = HazardHead(tuple(map(float, range(9))), timing="interval")
    years, cause = targets.T.numpy()
    survival = KaplanMeierFitter().fit(years, cause == 1).survival_function_at_times(range(1, 8)).to_numpy()
    assert head.risks(fitted(head, targets), range(1, 8))[0].numpy() == pytest.approx(1 - survival, rel=1e-5)


def test_with_death_in_the_way_risks_are_aalen_and_johansens() -> None:
    targets = two_causes(2500, seed=5)
    years, cause = targets.T.numpy()
    narrow = tuple(np.linspace(0, 5, 26).tolist())
    alone, both = HazardHead(narrow), HazardHead(narrow, 2)
    johansen = AalenJohansenFitter(calculate_variance=False).fit(years, cause.astype(int), event_of_interest=1)
    meier = KaplanMeierFitter().fit(years, cause == 1)
    at = [1.0, 3.0, 5.0]
    raw = fitted(both, targets, steps=100)
    assert both.risks(raw, at)[0].numpy() == pytest.approx(johansen.predict(at).to_numpy(), abs=1e-3)
    single = alone.risks(fitted(alone, targets, steps=100), at)[0].numpy()
    assert single == pytest.approx(1 - meier.survival_function_at_times(at).to_numpy(), abs=1e-3)
    assert single[-1] > johansen.predict(5.0) + 0.03  # 1 − Kaplan–Meier tells too much where people die


def test_half_precision_answers_are_read_in_float32() -> None:
    head = HazardHead((0.0, 1.0, 2.0))
    raw = torch.tensor([[-4.0, -3.5]])
    half = head.risk(raw.bfloat16(), 2.0)
    assert half.dtype == torch.float32
    assert torch.equal(half, head.risk(raw, 2.0))
    assert head.cost(raw.bfloat16(), torch.tensor([[1.5, 1.0]])).dtype == torch.float32


def test_a_head_begins_with_the_training_peoples_rates_and_is_written_and_read() -> None:
    targets = lost_evenly()
    head = HazardHead.of(targets, edges_years=(0, 1, 2, 5))
    assert head.rates_per_year == pytest.approx([RATE] * 3, rel=0.03)
    last = torch.nn.Linear(4, head.outputs)
    head.begin(last)
    assert head.risk(last(torch.zeros(1, 4)), 5.0).item() == pytest.approx(1 - math.exp(-5 * RATE), rel=0.01)
    assert HazardHead.from_dict(head.as_dict()) == head


def test_training_is_watched_by_the_c_that_the_statistics_have() -> None:
    targets = two_causes(300, seed=6).numpy()
    targets[:, 0] = targets[:, 0].round(1)
    head = HazardHead()
    said = head.said(torch.randn(300, 5, generator=torch.Generator().manual_seed(6)))
    assert tuple(said.shape) == (300, 5)
    x = said.numpy().astype(float)
    x[:, -1] = x[:, -1].round(2)
    late = np.nextafter(5.0, 6.0)  # the statistics count events before a horizon
    theirs = of_table(x[:, -1], *targets.T, horizon=late).value
    assert head.figure(x, targets) == pytest.approx(theirs)
    assert math.isnan(head.figure(x[:2], np.array([[1.0, 0], [2, 0]])))
    assert head.measure.shown(0.6789) == "c 0.679"


def test_what_is_wrong_is_named() -> None:
    head = HazardHead()
    with pytest.raises(UsageError, match="0 first, then rising"):
        HazardHead((0.0, 2.0, 1.0))
    with pytest.raises(UsageError, match="3 causes"):
        HazardHead(causes=3)
    with pytest.raises(UsageError, match="answers of shape"):
        head.cost(torch.zeros(2, 4), torch.zeros(2, 2))
    with pytest.raises(UsageError, match="a horizon of 6 years; wanted: 0 to 5 years"):
        head.risk(torch.zeros(1, 5), 6.0)
    with pytest.raises(UsageError, match="the risk of cause 2"):
        head.risk(torch.zeros(1, 5), 5.0, cause=2)
    with pytest.raises(TableError, match="-1 years"):
        head.cost(torch.zeros(1, 5), torch.tensor([[-1.0, 0.0]]))
    with pytest.raises(TableError, match="ended with 3"):
        head.cost(torch.zeros(1, 5), torch.tensor([[1.0, 3.0]]))
    with pytest.raises(TableError, match=r"\[0\] events by cause"):
        HazardHead.of(torch.tensor([[1.0, 0.0], [6.0, 1.0]]))
