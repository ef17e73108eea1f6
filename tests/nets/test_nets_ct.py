"""Networks of CT: missing vertebrae change nothing, heads in float32, attention, and learning both tasks from boxes."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from spineclock.core.errors import UsageError
from spineclock.core.volume import Volume
from spineclock.explain.gradcam import attention
from spineclock.nets import ct
from spineclock.nets.ct import CtNet, begin_from_imagenet, ct_network
from spineclock.nets.detection_head import DetectionHead
from spineclock.nets.follow_up import concordance
from spineclock.nets.hazard_head import HazardHead
from spineclock.nets.multitask import MultitaskHead
from spineclock.nets.networks import channels_last, last_layer

EACH = MultitaskHead(DetectionHead(3), HazardHead((0.0, 1.0, 2.0)))
PERSON = MultitaskHead(DetectionHead(), HazardHead((0.0, 1.0, 2.0)), "uncertainty")


def scans(n: int = 2, *, seed: int = 0, h: int = 32, w: int = 48) -> torch.Tensor:
    return torch.rand(n, 1, 27, h, w, generator=torch.Generator().manual_seed(seed))


def small(head: MultitaskHead = EACH, *, dropout: float = 0.0) -> CtNet:
    torch.manual_seed(0)
    return ct_network("ct_small", head, dropout=dropout)


def test_it_is_small_and_shares_one_encoder() -> None:
    net = small()
    assert sum(p.numel() for p in net.parameters()) < 2_000_000
    net.eval()
    x = scans(1)
    x[:, :, 24:] = x[:, :, :3]  # the last picture is the first
    features = net.blocks(x)
    assert tuple(features.shape) == (1, 128, 9, 2, 3)
    assert torch.equal(features[:, :, 8], features[:, :, 0])
    assert torch.equal(net.head(features), net(x))
    assert torch.equal(net(x), net(x.view(1, 9, 3, 32, 48)))


@pytest.mark.parametrize("training", [False, True])
def test_what_lies_where_a_vertebra_is_missing_changes_nothing(training: bool) -> None:
    net, x = small().train(training), scans(3)
    x[1, :, 9:18] = 0
    wanted = net(x)
    statistics = [b.clone() for b in net.buffers()]
    present = torch.tensor([[1, 1, 1], [1, 0, 1], [1, 1, 1]])
    filled = x.clone()
    filled[1, :, 9:18] = math.nan
    net = small().train(training)
    assert torch.equal(net(filled, present), wanted)
    assert all(torch.equal(a, b) for a, b in zip(net.buffers(), statistics, strict=True))
    assert wanted[:, :3].isneginf().tolist() == [[False] * 3, [False, True, False], [False] * 3]


def test_the_other_vertebrae_are_answered_as_if_the_missing_one_were_there() -> None:
    net, x = small().eval(), scans(2)
    without = x.clone()
    without[:, :, :9] = 0
    answers, fewer = net(x), net(without)
    assert torch.allclose(fewer[:, 1:3], answers[:, 1:3], atol=1e-6)
    assert fewer[:, 0].isneginf().all()
    assert fewer[:, 3:].isfinite().all()  # the person's risk knows of two vertebrae only
    targets = torch.tensor([[1.0, 0, 1, 1.5, 1]] * 2)
    loss = EACH.cost(net.train()(without), targets)
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_each_vertebra_is_answered_from_its_own_pictures() -> None:
    net, x = small().eval(), scans(1)
    other = x.clone()
    other[:, :, 9:18] = scans(1, seed=1)[:, :, 9:18]
    changed = (net(x) != net(other))[0]
    assert changed[:3].tolist() == [False, True, False]
    assert changed[3:].all()
    swapped = torch.cat([x[:, :, 18:], x[:, :, 9:18], x[:, :, :9]], 2)
    assert torch.allclose(net(swapped)[:, :3].flip(1), net(x)[:, :3], atol=1e-6)  # one layer for all three


def test_a_scan_in_which_nothing_is_there_has_an_answer_and_no_detection() -> None:
    net = small().eval()
    answers = net(torch.zeros(1, 1, 27, 32, 48))
    assert EACH.probability(answers).isnan().all()
    assert EACH.risks(answers, [2.0]).isfinite().all()


def test_batch_norm_learns_from_the_pictures_that_are_there() -> None:
    """Its statistics are those of the seven pictures' features, whatever else the batch holds."""
    net, x = small(), scans(2)
    x[0, :, :9] = 0
    net.train()(x)
    first = net.encoder.layers[0]  # type: ignore[index,union-attr]
    pictures = x.view(18, 3, 32, 48)[3:]
    features = first.conv(pictures).detach()
    assert first.norm.running_mean.numpy() == pytest.approx(0.1 * features.mean((0, 2, 3)).numpy(), abs=1e-6)


def test_heads_are_float32_under_bfloat16_and_answers_stay_near() -> None:
    net, x = channels_last(small()).eval(), scans(4, h=64, w=112)
    wanted = net(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        pictures = x.view(36, 3, 64, 112).contiguous(memory_format=torch.channels_last)
        features, answers = net.encoder(pictures), net(x)
    assert features.dtype == torch.bfloat16
    assert features.is_contiguous(memory_format=torch.channels_last)
    assert answers.dtype == torch.float32
    assert answers.detach().numpy() == pytest.approx(wanted.detach().numpy(), abs=0.05)


@pytest.mark.filterwarnings("error")
def test_a_network_of_vertebrae_alone_answers_for_each_and_for_nobody() -> None:
    net = small(MultitaskHead(DetectionHead(3), None)).eval()
    net.begin(torch.zeros(3))
    assert tuple(net(scans()).shape) == (2, 3)


def test_learned_weights_of_tasks_are_parameters_of_the_network() -> None:
    net = small(PERSON).eval()
    assert net.weights is not None
    answers = net(scans())
    assert tuple(answers.shape) == (2, PERSON.outputs) == (2, 5)
    PERSON.cost(answers, torch.tensor([[1.0, 1.5, 1.0], [0, 2.5, 0]])).backward()
    gradient = net.weights.log_variances.grad
    assert gradient is not None
    assert gradient.abs().min() > 0
    assert "weights.log_variances" in net.state_dict()


def test_it_begins_with_prevalence_and_rates() -> None:
    for places in (1, 3):
        head = MultitaskHead(DetectionHead(places, prevalence=0.2), HazardHead((0.0, 1.0), rates_per_year=(0.02,)))
        net = small(head).eval()
        net.begin(head.start)
        with torch.no_grad():
            last_layer(net).weight.zero_()
            if net.head.vertebra is not None:
                net.head.vertebra.weight.zero_()
        answers = net(scans(1))
        assert head.probability(answers)[0].tolist() == pytest.approx([0.2] * places)
        assert head.risks(answers, [1.0]).item() == pytest.approx(1 - math.exp(-0.02))
    assert last_layer(small(PERSON)).out_features == PERSON.answers


def test_attention_sees_every_picture() -> None:
    """Grad-CAM by hand: the features of each cell, by the mean gradient of their channel, summed, cut at 0."""
    net, x = small().eval(), scans(1)
    volume = Volume(x[0, 0].numpy(), np.eye(4))
    cells = attention(net, volume, volume, age=lambda raw: EACH.risks(raw, [2.0])[:, 0]).cells.array
    features = net.blocks(x).detach().requires_grad_()
    (slope,) = torch.autograd.grad(EACH.risks(net.head(features), [2.0]).sum(), features)
    wanted = F.relu((slope.mean((2, 3, 4), keepdim=True) * features).sum(1))[0].detach().numpy()
    assert cells.shape == (9, 2, 3)
    assert cells == pytest.approx(wanted, rel=1e-4, abs=1e-8)
    assert wanted.max() > 0


def boxes(n: int, *, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Scans whose vertebrae are fractured where they are dark, and whose people fracture sooner the darker all are."""
    rng = np.random.default_rng(seed)
    bone = rng.uniform(0.2, 1, (n, 3))
    x = rng.normal(0, 0.05, (n, 3, 9, 16, 16)) + bone[:, :, None, None, None]
    years = rng.exponential(np.exp(12 * (bone.mean(1) - 0.6)))
    lost = rng.uniform(2, 6, n)
    follow_up = np.column_stack([np.minimum(years, lost), years <= lost])
    targets = torch.tensor(np.column_stack([bone < 0.4, follow_up]), dtype=torch.float32)
    return torch.tensor(x, dtype=torch.float32).view(n, 1, 27, 16, 16), targets


def test_both_tasks_are_learned_together() -> None:
    torch.manual_seed(0)
    head = MultitaskHead(DetectionHead(3), HazardHead((0.0, 1.0, 2.0, 3.0)))
    net = ct_network("ct_small", head, dropout=0.0)
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    x, targets = boxes(96, seed=0)
    for step in range(20):
        part = torch.arange(16) + 16 * (step % 6)
        optimiser.zero_grad()
        head.cost(net.train()(x[part]), targets[part]).backward()
        optimiser.step()
    fresh, told = boxes(64, seed=1)
    with torch.no_grad():
        said = head.said(net.eval()(fresh)).numpy()
    ceiling = concordance(-fresh.mean((1, 2, 3, 4)), told[:, 3:].numpy(), until_years=3)
    assert ceiling - 0.05 < head.figure(said, told.numpy()) < ceiling + 0.02
    assert DetectionHead(3).figure(said[:, :3], told[:, :3].numpy()) > 0.97


class ConvNextLike(nn.Module):
    """Stands in for timm's network, which the tests do without."""

    def __init__(self, fill: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 768, 32, stride=32)
        nn.init.constant_(self.conv.weight, fill)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


def test_convnext_is_asked_of_timm_and_takes_imagenet_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def create(name: str, *, pretrained: bool, num_classes: int, drop_path_rate: float) -> nn.Module:
        asked.append((name, num_classes))
        return ConvNextLike(0.01 if pretrained else 0.0)

    monkeypatch.setattr("spineclock.nets.timm_extra.timm", lambda wanted_for: SimpleNamespace(create_model=create))
    net = ct_network("ct_convnext_tiny", EACH).eval()
    assert tuple(net(scans(1, h=64, w=64)).shape) == (1, 5)
    assert begin_from_imagenet(net).imagenet
    assert net.encoder.net.conv.weight.max().item() == pytest.approx(0.01)  # type: ignore[union-attr]
    assert asked == [("convnext_tiny", 0)] * 2

    def offline(*, pretrained: bool) -> nn.Module:
        raise OSError("no connection")

    monkeypatch.setattr(ct, "_convnext", offline)
    assert begin_from_imagenet(net).sentence.endswith("cannot be had (no connection).")


def test_what_is_wrong_is_named() -> None:
    with pytest.raises(UsageError, match="no network of CT is called 'ct_large'"):
        ct_network("ct_large", EACH)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="detection at 2 places"):
        ct_network("ct_small", MultitaskHead(DetectionHead(2), None))
    with pytest.raises(UsageError, match=r"\(N, 1, 27, H, W\)"):
        small()(torch.zeros(1, 1, 26, 32, 32))
    with pytest.raises(UsageError, match="not ConvNeXt-Tiny"):
        begin_from_imagenet(small())
