"""Cox's partial likelihood and baseline: by hand, and as lifelines, statistics of our own and torchsurv have them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from lifelines import CoxPHFitter

from spineclock.core.errors import TableError, UsageError
from spineclock.nets.cox_head import CoxHead
from spineclock.stats.survival import cox

TORCHSURV = {
    "efron": 12.0764799118042,
    "breslow": 12.82091236114502,
    "survival": [[0.8047106862068176, 0.41726982593536377], [0.5539904748670208, 0.09293651354928309]],
}
"""torchsurv 0.2.0 of :func:`few`: neg_partial_log_likelihood (summed), and survival_function_cox of people of log
hazard ratios 0 and 1, at 2.5 and 5 years, by baseline_survival_function; it computes in float32."""


def few() -> tuple[torch.Tensor, torch.Tensor]:
    """Twelve people with tied times, and log hazard ratios that are round."""
    years = [1, 1, 1, 2, 2, 3, 3, 3, 4, 5, 5, 6]
    ended = [1, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 0]
    score = [0.5, -0.3, 0.2, 1.0, -1.0, 0.4, 0.0, 0.8, -0.6, 0.3, -0.2, 0.1]
    return torch.tensor(score, dtype=torch.float64)[:, None], torch.tensor([years, ended], dtype=torch.float64).T


def cohort(n: int = 400, *, seed: int = 0) -> tuple[np.ndarray, torch.Tensor]:
    """Columns, and tied follow-up with death in the way."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    fracture = rng.exponential(8 * np.exp(-x @ [0.7, -0.4]))
    death, lost = rng.exponential(10 * np.exp(-x @ [0.1, 0.5])), rng.uniform(1, 8, n)
    years = np.minimum(np.minimum(fracture, death), lost)
    cause = np.where(years == fracture, 1, np.where(years == death, 2, 0))
    return x, torch.tensor(np.column_stack([np.maximum(years.round(1), 0.1), cause]))


def coefficients(head: CoxHead, x: np.ndarray, targets: torch.Tensor) -> torch.Tensor:
    """(columns, outputs) at the partial likelihood's highest point."""
    design = torch.tensor(x)
    b = torch.zeros(x.shape[1], head.outputs, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([b], max_iter=100, tolerance_grad=1e-10, tolerance_change=0,
                                  line_search_fn="strong_wolfe")  # fmt: skip

    def cost() -> torch.Tensor:
        optimiser.zero_grad()
        loss = head.cost(design @ b, targets)
        loss.backward()
        return loss

    optimiser.step(cost)
    return b.detach()


def test_ties_by_hand() -> None:
    """Two events at one time, four at risk: the second has half of both taken out (Efron), or nothing (Breslow)."""
    score = torch.tensor([0.1, 0.4, -0.2, 0.3], dtype=torch.float64)
    targets = torch.tensor([[2.0, 1], [2, 1], [2, 0], [5, 0]], dtype=torch.float64)
    w = score.exp().numpy()
    efron = 0.5 - math.log(w.sum()) - math.log(w.sum() - 0.5 * (w[0] + w[1]))
    assert CoxHead().cost(score[:, None], targets).item() == pytest.approx(-efron / 2)
    assert CoxHead(ties="breslow").cost(score[:, None], targets).item() == pytest.approx(
        -(0.5 - 2 * math.log(w.sum())) / 2
    )


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_the_partial_likelihood_is_torchsurvs(ties: str) -> None:
    found = 7 * CoxHead(ties=ties).cost(*few())  # type: ignore[arg-type]
    assert found.item() == pytest.approx(TORCHSURV[ties], rel=1e-6)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_the_partial_likelihood_and_its_slope_are_the_statistics_own(ties: str) -> None:
    x, targets = cohort(200)
    fit = cox(x, targets[:, 0], targets[:, 1] == 1, ties=ties)  # type: ignore[arg-type]
    raw = torch.tensor(x @ fit.coefficients)[:, None]
    events = int((targets[:, 1] == 1).sum())
    head = CoxHead(ties=ties)  # type: ignore[arg-type]
    assert -events * head.cost(raw, targets).item() == pytest.approx(fit.log_likelihood)
    b = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(head.cost((torch.tensor(x) @ b)[:, None], targets), b)
    assert (-events * slope).numpy() == pytest.approx(fit.sets.gradient(np.zeros(2)))


def test_gradients_are_those_of_small_differences() -> None:
    raw, targets = few()
    raw = raw.repeat(1, 2).requires_grad_()
    targets[2, 1] = targets[8, 1] = 2
    assert torch.autograd.gradcheck(lambda z: CoxHead(2).cost(z, targets), raw)


def test_coefficients_and_baseline_are_lifelines() -> None:
    x, targets = cohort()
    table = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "years": targets[:, 0], "had": targets[:, 1] == 1})
    theirs = CoxPHFitter().fit(table, "years", "had", fit_options={"precision": 1e-10})
    b = coefficients(CoxHead(), x, targets)
    assert b[:, 0].numpy() == pytest.approx(theirs.params_.to_numpy(), rel=1e-6)
    raw = torch.tensor(x) @ b
    head = CoxHead().with_baseline(raw, targets)
    survival = theirs.predict_survival_function(table.iloc[:20], times=[2.0, 5.0]).to_numpy().T
    assert 1 - head.risks(raw[:20], [2.0, 5.0]).numpy() == pytest.approx(survival, rel=1e-6)


def test_survival_by_breslows_baseline_is_torchsurvs() -> None:
    raw, targets = few()
    found = CoxHead().with_baseline(raw, targets).risks(torch.tensor([[0.0], [1.0]]).double(), [2.5, 5.0])
    assert 1 - found.numpy() == pytest.approx(np.array(TORCHSURV["survival"]), rel=1e-6)


def test_risks_of_two_causes_by_hand() -> None:
    """Three people alike: a fracture at one year, a death at two, and one of each at three, among the last two."""
    targets = torch.tensor([[1.0, 1], [2, 2], [3, 1], [3, 2]], dtype=torch.float64)
    raw = torch.zeros(4, 2, dtype=torch.float64)
    head = CoxHead(2).with_baseline(raw, targets)
    a, b, c = 1 / 4, 1 / 3, 1 / 2 + 1 / 2
    fracture = [1 - math.exp(-a), 1 - math.exp(-a), 1 - math.exp(-a) + math.exp(-a - b) * (1 - math.exp(-c)) / 2]
    death = [0, math.exp(-a) * (1 - math.exp(-b))]
    assert head.risks(raw[:1], [1.0, 2.9, 3.0])[0].tolist() == pytest.approx(fracture)
    assert head.risks(raw[:1], [1.5, 2.0], cause=2)[0].tolist() == pytest.approx(death)
    total = head.risk(raw, 3.0) + head.risk(raw, 3.0, cause=2)
    assert total.tolist() == pytest.approx([1 - math.exp(-a - b - c)] * 4)


def test_a_shift_of_all_answers_changes_nothing() -> None:
    raw, targets = few()
    head = CoxHead()
    assert head.cost(raw + 300, targets).item() == pytest.approx(head.cost(raw, targets).item())
    a, b = head.with_baseline(raw, targets), head.with_baseline(raw + 50, targets)
    assert b.risk(raw + 50, 3.0).numpy() == pytest.approx(a.risk(raw, 3.0).numpy())


def test_batches_without_an_event_or_a_follow_up_teach_nothing() -> None:
    raw = torch.randn(4, 1, generator=torch.Generator().manual_seed(0), requires_grad=True)
    nothing = CoxHead().cost(raw, torch.tensor([[1.0, 0], [2, 2], [math.nan, 1], [3, 0]]))
    assert nothing.item() == 0
    assert torch.autograd.grad(nothing, raw)[0].abs().sum() == 0
    with_event = torch.tensor([[1.0, 1], [2, 2], [math.nan, 1], [3, 0]])
    (slope,) = torch.autograd.grad(CoxHead().cost(raw, with_event), raw)
    assert slope[2] == 0
    assert CoxHead().cost(raw.bfloat16(), with_event).dtype == torch.float32


def test_a_head_is_written_and_read_with_its_baseline() -> None:
    raw, targets = few()
    head = CoxHead(ties="breslow").with_baseline(raw, targets)
    assert CoxHead.from_dict(head.as_dict()) == head
    assert head.figure(head.said(raw).numpy(), targets.numpy()) == pytest.approx(0.6, abs=0.4)


def test_what_is_wrong_is_named() -> None:
    raw, targets = few()
    with pytest.raises(UsageError, match="after with_baseline"):
        CoxHead().risk(raw, 2.0)
    with pytest.raises(UsageError, match="ties 'exact'"):
        CoxHead(ties="exact")  # type: ignore[arg-type]
    with pytest.raises(TableError, match="ended with cause 2"):
        CoxHead(2).with_baseline(raw.repeat(1, 2), targets)
    with pytest.raises(UsageError, match="a horizon of -1 years"):
        CoxHead().with_baseline(raw, targets).risk(raw, -1.0)
    with pytest.raises(UsageError, match="answers of shape"):
        CoxHead(2).cost(raw, targets)
