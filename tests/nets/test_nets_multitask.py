"""Detection and both tasks together: costs by hand, weights that settle where they should, single tasks as limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss, roc_auc_score

from spineclock.core.errors import TableError, UsageError
from spineclock.nets.cox_head import CoxHead
from spineclock.nets.detection_head import DetectionHead
from spineclock.nets.hazard_head import HazardHead
from spineclock.nets.multitask import MultitaskHead, TaskWeights

NAN = math.nan
BOTH = MultitaskHead(DetectionHead(3), HazardHead((0.0, 1.0, 2.0), 2))


def answers(n: int, columns: int, *, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def people(n: int, places: int = 3) -> torch.Tensor:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, (n, places)).astype(float)
    labels[0, 0] = NAN
    follow_up = np.column_stack([rng.uniform(0, 3, n), rng.integers(0, 3, n)])
    follow_up[1] = NAN
    return torch.tensor(np.column_stack([labels, follow_up]))


def test_detection_is_the_mean_cross_entropy_of_known_places() -> None:
    head, raw = DetectionHead(2), torch.tensor([[0.3, -1.2], [2.0, -math.inf]], dtype=torch.float64)
    labels = torch.tensor([[1.0, NAN], [0.0, 1.0]], dtype=torch.float64)
    p = 1 / (1 + np.exp([-0.3, -2.0]))
    assert head.cost(raw, labels).item() == pytest.approx(log_loss([1, 0], p))
    assert head.probability(raw)[1].tolist() == pytest.approx([p[1], NAN], nan_ok=True)
    (slope,) = torch.autograd.grad(head.cost(raw.requires_grad_(), labels), raw)
    assert slope.numpy() == pytest.approx(np.array([[(p[0] - 1) / 2, 0], [p[1] / 2, 0]]))


def test_grades_are_learned_by_cross_entropy() -> None:
    head, raw = DetectionHead(2, classes=4), answers(3, 8)
    labels = torch.tensor([[0.0, 3.0], [1.0, NAN], [2.0, 2.0]], dtype=torch.float64)
    z = raw.numpy().reshape(3, 2, 4)
    p = np.exp(z) / np.exp(z).sum(2, keepdims=True)
    wanted = -np.log([p[0, 0, 0], p[0, 1, 3], p[1, 0, 1], p[2, 0, 2], p[2, 1, 2]]).mean()
    assert head.cost(raw, labels).item() == pytest.approx(wanted)
    assert head.probability(raw).numpy() == pytest.approx(1 - p[:, :, 0])


@pytest.mark.parametrize("classes", [2, 4])
def test_detection_begins_with_the_prevalence(classes: int) -> None:
    head = DetectionHead.of(torch.tensor([[0.0, 1.0], [0.0, NAN]]), classes=classes)
    assert head.probability(head.start[None]).tolist() == [pytest.approx([1 / 3, 1 / 3])]
    assert DetectionHead.from_dict(head.as_dict()) == head


def test_detection_is_judged_by_the_area_over_all_known_places() -> None:
    said = DetectionHead(3).said(answers(8, 3)).numpy()
    targets = people(8)[:, :3].numpy()
    said[2, 1] = NAN
    known = np.isfinite(said) & np.isfinite(targets)
    assert DetectionHead(3).figure(said, targets) == pytest.approx(roc_auc_score(targets[known], said[known]))


def test_fixed_weights_add_the_tasks() -> None:
    raw, targets = answers(6, 7), people(6)
    detection = DetectionHead(3).cost(raw[:, :3], targets[:, :3]).item()
    survival = HazardHead((0.0, 1.0, 2.0), 2).cost(raw[:, 3:], targets[:, 3:]).item()
    assert BOTH.cost(raw, targets).item() == pytest.approx(detection + survival)
    for weight in (0.0, 0.3):
        head = MultitaskHead(BOTH.detection, BOTH.survival, survival_weight=weight)
        assert head.cost(raw, targets).item() == pytest.approx(detection + weight * survival)


def test_single_tasks_are_the_limits_on_the_same_targets() -> None:
    raw, targets = answers(6, 7), people(6)
    detection, survival = (c.item() for c in BOTH.costs(raw, targets))
    alone = MultitaskHead(BOTH.detection, None)
    assert alone.outputs == 3
    assert alone.cost(raw[:, :3], targets).item() == pytest.approx(detection)
    assert MultitaskHead(None, BOTH.survival).cost(raw[:, 3:], targets).item() == pytest.approx(survival)
    untaught = MultitaskHead(BOTH.detection, BOTH.survival, survival_weight=0.0)
    (slope,) = torch.autograd.grad(untaught.cost(raw.requires_grad_(), targets), raw)
    assert slope[:, 3:].abs().sum() == 0
    assert slope[:, :3].abs().sum() > 0
    assert [h.measure.name for h in (BOTH, alone, untaught)] == ["c", "auroc", "auroc"]


def test_uncertainty_weights_are_kendalls_and_settle_at_twice_the_cost() -> None:
    """exp(−s)·L + s/2 is lowest at s = log 2L, where it is (1 + log 2L)/2."""
    head = MultitaskHead(BOTH.detection, BOTH.survival, "uncertainty")
    raw, targets = answers(6, 7), people(6)
    weights = TaskWeights().double()
    costs = np.array([c.item() for c in BOTH.costs(raw, targets)])
    assert head.outputs == 9
    assert head.cost(weights(raw), targets).item() == pytest.approx(costs.sum())  # s = 0
    with torch.no_grad():
        weights.log_variances.copy_(torch.tensor([0.5, -0.2]))
    wanted = np.exp(-0.5) * costs[0] + 0.25 + np.exp(0.2) * costs[1] - 0.1
    assert head.cost(weights(raw), targets).item() == pytest.approx(wanted)
    optimiser = torch.optim.LBFGS(weights.parameters(), max_iter=50, line_search_fn="strong_wolfe")

    def cost() -> torch.Tensor:
        optimiser.zero_grad()
        loss = head.cost(weights(raw), targets)
        loss.backward()
        return loss

    optimiser.step(cost)
    assert weights.log_variances.tolist() == pytest.approx(np.log(2 * costs), rel=1e-4)
    assert cost().item() == pytest.approx(((1 + np.log(2 * costs)) / 2).sum())


def test_gradients_are_those_of_small_differences() -> None:
    head = MultitaskHead(DetectionHead(3), CoxHead(2), "uncertainty")
    targets = people(6)
    assert torch.autograd.gradcheck(lambda z: head.cost(z, targets), answers(6, 7).requires_grad_())


def test_what_is_said_lies_side_by_side_and_is_judged_by_follow_up() -> None:
    raw, targets = answers(20, 7), people(20)
    said = BOTH.said(raw)
    assert said[:, :3].numpy() == pytest.approx(BOTH.probability(raw).numpy())
    assert said[:, 3:].numpy() == pytest.approx(BOTH.risks(raw, [1.0, 2.0]).numpy())
    assert BOTH.survival is not None
    assert BOTH.figure(said.numpy(), targets.numpy()) == BOTH.survival.figure(
        said[:, 3:].numpy(), targets[:, 3:].numpy()
    )
    assert BOTH.cost(raw.bfloat16(), targets.float()).dtype == torch.float32


def test_a_head_is_written_and_read_with_its_baseline_and_begins_with_what_is_known() -> None:
    targets = people(12)
    head = MultitaskHead(DetectionHead.of(targets[:, :3]), CoxHead(), survival_weight=0.5)
    head = head.with_baseline(answers(12, 4), targets)
    again = MultitaskHead.from_dict(head.as_dict())
    assert again == head
    assert torch.equal(again.risks(answers(2, 4), [1.0]), head.risks(answers(2, 4), [1.0]))
    last = torch.nn.Linear(5, head.answers)
    head.begin(last)
    prevalence = head.probability(last(torch.zeros(1, 5)))
    assert prevalence[0].tolist() == pytest.approx([targets[:, :3].nanmean().item()] * 3)
    for one in (MultitaskHead(DetectionHead(), None), MultitaskHead(None, HazardHead(rates_per_year=(0.1,) * 5))):
        assert MultitaskHead.from_dict(one.as_dict()) == one


def test_what_is_wrong_is_named() -> None:
    with pytest.raises(UsageError, match="0 tasks"):
        MultitaskHead(None, None)
    with pytest.raises(UsageError, match="weighted against nothing"):
        MultitaskHead(DetectionHead(), None, "uncertainty")
    with pytest.raises(UsageError, match="weighted by -1"):
        MultitaskHead(DetectionHead(), HazardHead(), survival_weight=-1)
    with pytest.raises(UsageError, match="without follow-up"):
        MultitaskHead(DetectionHead(), None).risks(torch.zeros(1, 1), [1.0])
    with pytest.raises(TableError, match="labels from 0 to 2"):
        DetectionHead(2).cost(torch.zeros(1, 2), torch.tensor([[0.0, 2.0]]))
    with pytest.raises(UsageError, match="makes 4 of 7 answers"):
        BOTH.begin(torch.nn.Linear(2, 4))
    with pytest.raises(UsageError, match="0 of 2 known places"):
        DetectionHead.of(torch.zeros(2, 1))
