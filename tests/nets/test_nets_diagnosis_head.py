"""The head of a disease: its cost by hand, levels that are not there, weights, and its description."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from spineclock.core.errors import UsageError
from spineclock.nets.crops import ABSENT
from spineclock.nets.diagnosis_head import DiagnosisHead, area

LEVELS = ("L1", "L2", "L3")


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def test_the_cost_is_the_one_worked_by_hand() -> None:
    head = DiagnosisHead("osteoporosis", LEVELS, with_weight=2.0, without_weight=0.5)
    raw = torch.tensor([[1.0, -2.0, ABSENT], [0.5, ABSENT, ABSENT]], dtype=torch.float64)
    # with it: mean of −log σ(z); without: of −log(1 − σ(z)); each over the levels there are, then over people
    ill = 2.0 * (softplus(-1.0) + softplus(2.0)) / 2
    well = 0.5 * softplus(0.5)
    assert float(head.cost(raw, torch.tensor([1.0, 0.0], dtype=torch.float64))) == pytest.approx((ill + well) / 2)


def test_its_gradient_is_that_of_differences_and_none_where_a_level_is_not_there() -> None:
    head = DiagnosisHead("osteoporosis", LEVELS, 1.7, 0.6)
    targets = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    raw = torch.tensor(np.random.default_rng(0).normal(size=(3, 3)), requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: head.cost(z, targets), (raw,))
    there = raw.detach().clone()
    there[1, 2] = ABSENT
    there.requires_grad_()
    head.cost(there, targets).backward()
    assert there.grad is not None
    assert float(there.grad[1, 2]) == 0.0
    assert bool(there.grad.isfinite().all())


def test_a_diverged_network_does_not_pass_for_one_without_levels() -> None:
    head = DiagnosisHead("osteoporosis", LEVELS)
    assert math.isnan(float(head.cost(torch.full((2, 3), float("nan")), torch.tensor([1.0, 0.0]))))


def test_both_groups_weigh_as_much_together_and_a_person_one_on_average() -> None:
    labels = torch.tensor([1.0] * 3 + [0.0] * 9)
    head = DiagnosisHead.of(labels, "osteoporosis", LEVELS)
    assert 3 * head.with_weight == pytest.approx(9 * head.without_weight)
    assert (3 * head.with_weight + 9 * head.without_weight) / 12 == pytest.approx(1)
    assert head.log_weights == pytest.approx(math.log(3))
    assert DiagnosisHead.of(labels, "osteoporosis", LEVELS, weighted=False).with_weight == 1
    with pytest.raises(UsageError, match="0 of 4 scans to train on are of people with osteoporosis"):
        DiagnosisHead.of(torch.zeros(4), "osteoporosis", LEVELS)


def test_the_figure_is_the_area_of_the_mean_over_levels_there_are() -> None:
    rng = np.random.default_rng(1)
    said, ill = rng.normal(size=(40, 3)), rng.random(40) < 0.4
    said[ill] += 0.7
    said[rng.random((40, 3)) < 0.2] = np.nan
    said[:, 0] = np.where(np.isnan(said).all(axis=1), 0.0, said[:, 0])
    head = DiagnosisHead("osteoporosis", LEVELS)
    assert head.figure(said, ill.astype(float)) == pytest.approx(roc_auc_score(ill, np.nanmean(said, axis=1)))
    ties = np.round(said[:, 0])
    assert area(np.nan_to_num(ties), ill) == pytest.approx(roc_auc_score(ill, np.nan_to_num(ties)))
    assert math.isnan(area(ties, np.zeros(40, bool)))


def test_it_is_told_and_read_again() -> None:
    head = DiagnosisHead("osteoporosis", LEVELS, 2.0, 0.5)
    assert head.as_dict()["kind"] == "diagnosis"
    assert DiagnosisHead.from_dict(head.as_dict()) == head
    with pytest.raises(UsageError, match="wanted: a name, levels and weights above 0"):
        DiagnosisHead.from_dict({"name": "osteoporosis", "levels": [], "with_weight": 1.0})
