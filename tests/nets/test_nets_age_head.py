"""What an answer means and what training makes small, each computed again by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import xlogy

from spineclock.core.errors import UsageError
from spineclock.nets.age_head import AgeHead
from spineclock.nets.names import RADIOGRAPH_CLASSES
from spineclock.nets.networks import network

AGES = torch.tensor([41.0, 70.4])
SCALE = {"mean_years": 50.0, "sd_years": 10.0, "youngest": 30, "oldest": 80}
CLASSES = np.arange(30, 81)


@pytest.fixture
def raw() -> torch.Tensor:
    return torch.randn(2, 51, generator=torch.Generator().manual_seed(0))


def softmax(x: torch.Tensor) -> np.ndarray:
    p = np.exp(x.numpy().astype(float))
    return p / p.sum(1, keepdims=True)


def test_squared_error_is_of_standardised_ages() -> None:
    head = AgeHead("mse", **SCALE)
    raw = torch.tensor([[-0.5], [1.2]])
    assert head.age_years(raw).tolist() == pytest.approx([45.0, 62.0])
    assert float(head.cost(raw, AGES)) == pytest.approx(((0.4**2) + (0.84**2)) / 2)


def test_smooth_l1_is_linear_beyond_a_year() -> None:
    head = AgeHead("smooth_l1", **SCALE)
    raw = torch.tensor([[-0.85], [1.2]])  # 41.5 and 62: half a year, and 8.4 years off
    assert float(head.cost(raw, AGES)) == pytest.approx((0.5 * 0.5**2 + (8.4 - 0.5)) / 2 / 10, rel=1e-5)


def test_soft_labels_are_a_normal_distribution_of_a_year(raw: torch.Tensor) -> None:
    head, p = AgeHead("soft_label", **SCALE), softmax(raw)
    q = np.exp(-0.5 * (CLASSES - AGES.numpy()[:, None]) ** 2)
    q /= q.sum(1, keepdims=True)
    assert float(head.cost(raw, AGES)) == pytest.approx((xlogy(q, q) - q * np.log(p)).sum(1).mean(), rel=1e-4)
    assert head.age_years(raw).numpy() == pytest.approx((p * CLASSES).sum(1), rel=1e-5)


def test_mean_variance_is_pan_2018s(raw: torch.Tensor) -> None:
    head, p, y = AgeHead("mean_variance", **SCALE), softmax(raw), AGES.numpy()
    mean = (p * CLASSES).sum(1)
    variance = (p * (CLASSES - mean[:, None]) ** 2).sum(1)
    entropy = -np.log(p[[0, 1], [11, 40]])  # the classes of 41 and 70
    wanted = entropy.mean() + 0.2 * 0.5 * ((mean - y) ** 2).mean() + 0.05 * variance.mean()
    assert float(head.cost(raw, AGES)) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("loss", ["mse", "smooth_l1", "soft_label", "mean_variance"])
def test_gradients_are_those_of_small_differences(loss: str) -> None:
    head = AgeHead(loss, **SCALE)  # type: ignore[arg-type]
    raw = torch.randn(3, head.outputs, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    ages = torch.tensor([41.3, 55.0, 86.0], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: head.cost(x, ages), raw.requires_grad_())
    assert torch.autograd.gradcheck(head.age_years, raw)
    if head.binned:
        assert torch.autograd.gradcheck(head.predicted_sd_years, raw)


def test_gradient_of_mean_variance_is_pan_2018s_formulas(raw: torch.Tensor) -> None:
    """Their equations of ∂L_m/∂z and ∂L_v/∂z, over a batch: p(a)(a − m)(m − y) and p(a)((a − m)² − v)."""
    head, p, y = AgeHead("mean_variance", **SCALE), softmax(raw), AGES.numpy().astype(float)
    m = (p * CLASSES).sum(1, keepdims=True)
    v = (p * (CLASSES - m) ** 2).sum(1, keepdims=True)
    one_hot = np.array([[41], [70]]) == CLASSES
    wanted = (p - one_hot) + 0.2 * p * (CLASSES - m) * (m - y[:, None]) + 0.05 * p * ((CLASSES - m) ** 2 - v)
    z = raw.double().requires_grad_()
    head.cost(z, AGES.double()).backward()
    assert z.grad is not None
    assert z.grad.numpy() == pytest.approx(wanted / 2, abs=1e-6)


def test_a_distribution_gives_its_mean_its_rounded_mean_and_its_spread() -> None:
    head = AgeHead.of(torch.tensor([41.0, 98.0]), "mean_variance", classes=RADIOGRAPH_CLASSES)
    assert (head.youngest, head.oldest, head.outputs) == (40, 99, 60)
    years = torch.arange(40, 100)
    raw = -0.5 * ((years - torch.tensor([[62.3], [71.6]])) / torch.tensor([[3.0], [5.0]])).square()
    assert head.age_years(raw).numpy() == pytest.approx([62.3, 71.6], abs=0.01)
    assert head.whole_years(raw).tolist() == [62, 72]
    assert head.predicted_sd_years(raw).numpy() == pytest.approx([3, 5], abs=0.01)
    with pytest.raises(UsageError, match="trained by mse answers with an age, not with a distribution"):
        AgeHead("mse", **SCALE).predicted_sd_years(torch.zeros(2, 1))


def test_answers_in_bfloat16_lose_no_more_than_was_lost_in_them() -> None:
    head = AgeHead("mean_variance", 60.0, 10.0, 40, 99)
    raw = (torch.randn(64, 60, generator=torch.Generator().manual_seed(0)) * 3).bfloat16()
    for read in (head.age_years, head.predicted_sd_years, lambda x: head.cost(x, torch.full((64,), 70.0))):
        torch.testing.assert_close(read(raw), read(raw.double()).float(), atol=1e-4, rtol=1e-5)


def test_people_outside_told_classes_are_refused_and_cost_as_the_nearest_class() -> None:
    ages = torch.tensor([22.0, 60.0, 99.9])
    with pytest.raises(UsageError, match=r"1 of 3 people outside the classes 40–99 years, such as one of 22;.*leave"):
        AgeHead.of(ages, "mean_variance", classes=RADIOGRAPH_CLASSES)
    head = AgeHead.of(ages[1:], "mean_variance", classes=RADIOGRAPH_CLASSES)
    at_40 = torch.full((1, 60), -50.0)
    at_40[0, 0] = 50.0
    assert float(head.cost(at_40, torch.tensor([22.0]))) == pytest.approx(0.2 * 0.5 * (40 - 22) ** 2)
    assert AgeHead.of(ages, "mse", classes=RADIOGRAPH_CLASSES).outputs == 1  # has no classes to lie outside of


@pytest.mark.parametrize("loss", ["mse", "smooth_l1", "soft_label", "mean_variance"])
def test_a_better_answer_costs_less_and_the_head_survives_json(loss: str) -> None:
    head = AgeHead(loss, **SCALE)  # type: ignore[arg-type]
    good, bad = (
        torch.tensor([[(a - 50) / 10] for a in ages])
        if head.outputs == 1
        else torch.tensor(-0.5 * (CLASSES - np.array(ages)[:, None]) ** 2, dtype=torch.float32)
        for ages in ([41.0, 70.0], [60.0, 50.0])
    )
    assert head.cost(good, AGES) < head.cost(bad, AGES)
    assert head.age_years(good).numpy() == pytest.approx([41, 70], abs=0.1)
    assert AgeHead.from_dict(head.as_dict()) == head


@pytest.mark.parametrize("name", ["table2", "resnet", "transformer"])
@pytest.mark.parametrize("outputs", [1, 61])
def test_every_network_answers_with_as_many_numbers_as_asked(name: str, outputs: int) -> None:
    net = network(name, outputs=outputs, shape=(16, 32, 32)).eval()  # type: ignore[arg-type]
    with torch.inference_mode():
        assert net(torch.zeros(2, 1, 16, 32, 32)).shape == (2, outputs)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="do not fall into patches"):
        network("transformer", outputs=1, shape=(16, 33, 32))
    with pytest.raises(UsageError, match="no network is called 'vgg'"):
        network("vgg", outputs=1, shape=(16, 32, 32))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="finite ages that differ"):
        AgeHead.of(torch.tensor([50.0, 50.0]), "mse")
