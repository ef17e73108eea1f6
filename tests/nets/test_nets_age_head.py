"""What an answer means and what training makes small, each computed again by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import xlogy

from spineclock.core.errors import UsageError
from spineclock.nets.age_head import AgeHead
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
