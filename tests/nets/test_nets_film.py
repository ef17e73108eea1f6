"""Networks of films: shapes, precision, where their features lie, that they learn, and where they begin."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spineclock.core.errors import UsageError
from spineclock.core.volume import Volume
from spineclock.nets import film
from spineclock.nets.age_head import AgeHead
from spineclock.nets.film import EfficientNetFilm, FilmHead, FilmNet, LocalContrast, begin_from_imagenet
from spineclock.nets.networks import channels_last, network
from spineclock.nets.weights import load_into, save
from spineclock.run.training.device import computes_in_bfloat16


@pytest.fixture(scope="module")
def used() -> FilmNet:
    """A network whose batch norms have seen data."""
    torch.manual_seed(0)
    net = FilmNet(60)
    with torch.no_grad():
        for _ in range(20):
            net(torch.rand(8, 1, 1, 64, 32))
    return net.eval()


@pytest.mark.parametrize("shape", [(1, 256, 128), (1, 100, 37), (1, 32, 32)])
@pytest.mark.parametrize("outputs", [1, 60])
def test_films_of_any_size_get_as_many_numbers_as_asked(shape, outputs):
    net = network("film_small", outputs=outputs, shape=shape).eval()
    x = torch.rand(2, 1, *shape)
    assert net(x).shape == (2, outputs)
    assert net.blocks(x).shape == (2, 128, 1, shape[1] // 16, shape[2] // 16)


def test_parameters_are_what_the_page_says_layer_by_layer():
    net = FilmNet(60)
    assert 0.5e6 < sum(p.numel() for p in net.parameters()) < 1e6
    halves = [16 * a * b + 2 * b for a, b in ((1, 16), (16, 32), (32, 64), (64, 128))]
    residual = [n * 2 * (9 * c * c + 2 * c) for n, c in ((1, 32), (2, 64), (2, 128))]
    head = 2 * 128 * 128 + 2 * 128 + (128 * 60 + 60)  # averages and largest values
    assert sum(p.numel() for p in net.parameters()) == sum(halves) + sum(residual) + head


def test_local_contrast_is_the_difference_from_the_neighbourhood_in_its_sds():
    x = torch.rand(2, 1, 20, 14, generator=torch.Generator().manual_seed(0))
    padded = np.pad(x[:, 0].numpy().astype(float), ((0, 0), (2, 2), (2, 2)), constant_values=np.nan)
    away = x[:, 0].numpy() - _around(padded)
    padded = np.pad(away**2, ((0, 0), (2, 2), (2, 2)), constant_values=np.nan)
    wanted = away / (np.sqrt(_around(padded)) + LocalContrast.LEAST)
    assert LocalContrast(5)(x)[:, 0].numpy() == pytest.approx(wanted, abs=1e-4)


def _around(padded):
    """Means of 5 × 5 pixels, of those that lie on the film."""
    return np.nanmean(np.lib.stride_tricks.sliding_window_view(padded, (5, 5), axis=(1, 2)), axis=(3, 4))


def test_brightness_and_contrast_of_a_film_change_no_answer(used):
    film = torch.rand(3, 1, 1, 64, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        once, other = used(film), used(0.7 * film + 0.1)
    assert float((once - other).abs().max()) < 0.15 * float(once.std())


def test_the_head_is_the_papers():
    head = FilmHead(8, 60, dropout=0.3)
    assert head.dropout.p == 0.3
    assert FilmHead(8, 60).dropout.p == 0.5
    head.eval()
    x = torch.randn(4, 8, 1, 3, 2)
    by_hand = nn.Sequential(head.fc, head.norm, nn.ReLU(), head.dropout, head.linear)(x.mean((2, 3, 4)))
    torch.testing.assert_close(head(x), by_hand)


def test_bfloat16_is_as_good_as_float32(used):
    x = torch.rand(8, 1, 1, 128, 64)
    head = AgeHead("mean_variance", 60.0, 10.0, 40, 99)
    with torch.inference_mode():
        wanted = head.age_years(used(x))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            raw = used(x)
            found = head.age_years(raw)
    assert raw.dtype == found.dtype == torch.float32
    assert found.numpy() == pytest.approx(wanted.numpy(), abs=0.02)
    assert wanted.std() > 0


def test_channels_last_and_a_loss_in_bfloat16_give_float32s_gradient():
    torch.manual_seed(1)
    net = FilmNet(60, dropout=0).train()
    x = torch.rand(8, 1, 1, 64, 32)
    ages, head = torch.linspace(45, 90, 8), AgeHead("mean_variance", 60.0, 10.0, 40, 99)
    gradients = []
    for fast in (False, True):
        if fast:
            net = channels_last(net)
        net.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast):
            raw = net(x)
        head.cost(raw, ages).backward()
        gradients.append(torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None]).clone())
    assert net.layers[3].conv.weight.is_contiguous(memory_format=torch.channels_last)
    # rounding each layer's output to bfloat16 in a float32 network gives 0.95 too: no kernel is to blame for the
    # rest, but for a largest value that is another cell's once rounded
    assert float(torch.cosine_similarity(*gradients, dim=0)) > 0.9


def test_channels_last_lays_out_volumes_and_pictures_and_changes_no_answer():
    mixed = nn.ModuleList([nn.Conv2d(3, 4, 3), nn.Conv3d(3, 4, 3), nn.Linear(3, 4)])
    wanted = {name: t.clone() for name, t in mixed.state_dict().items()}
    same = channels_last(mixed)
    assert same is mixed
    assert mixed[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert mixed[1].weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert all(torch.equal(t, wanted[name]) for name, t in mixed.state_dict().items())


def test_a_cell_of_features_lies_where_four_pools_would_put_it(used):
    """Seen from behind: which pixels move a cell, and where their middle is; 16 pixels a cell, 7.5 its first middle."""
    x = torch.rand(1, 1, 1, 256, 256, requires_grad=True)
    for cell in (5, 8, 11):
        (gradient,) = torch.autograd.grad(used.layers(x[:, :, 0])[0, :, cell, cell].square().sum(), x)
        weight = gradient[0, 0, 0].square()
        middle = [float((weight.sum(1 - a) * torch.arange(256)).sum() / weight.sum()) for a in (0, 1)]
        assert middle == pytest.approx([16 * cell + 7.5] * 2, abs=5)


def test_grad_cam_finds_what_raises_the_age():
    from spineclock.explain.gradcam import attention

    net = FilmNet(1)
    nn.init.zeros_(net.head.fc.weight)
    net.eval()
    with torch.no_grad():  # feature 3 of the last block is the age
        net.head.fc.weight[0, 3] = 1.0
        net.head.linear.weight.zero_()[0, 0] = 1.0
    rng = np.random.default_rng(0)
    prepared = Volume(rng.random((1, 128, 64)).astype(np.float32), np.diag([1.0, 0.5, 0.5, 1.0]))
    found = attention(net, prepared, prepared)
    with torch.inference_mode():
        feature = net.blocks(torch.from_numpy(prepared.array.copy())[None, None])[0, 3]
    assert found.cells.shape == (1, 8, 4)
    assert found.cells.spacing_mm[1:] == pytest.approx((8.0, 8.0))  # 16 pixels of half a millimetre
    assert found.cells.array / found.cells.array.max() == pytest.approx((feature / feature.max()).numpy(), abs=1e-4)


@pytest.mark.slow
def test_it_learns_the_size_of_a_gap():
    """Rows of bright blocks whose distance is the age; a new draw is read to a fraction of their spread."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)

    def draw(n: int) -> tuple[torch.Tensor, torch.Tensor]:
        ages = rng.uniform(45, 90, n)
        rows = np.arange(96)[None] + rng.uniform(0, 8, (n, 1))
        bright = ((rows % 16) < (ages[:, None] - 45) / 45 * 8 + 4)[:, :, None] * np.ones((1, 1, 48))
        noisy = bright * 0.5 + rng.normal(0, 0.15, bright.shape) + rng.uniform(0, 0.3, (n, 1, 1))
        return torch.tensor(noisy, dtype=torch.float32)[:, None, None], torch.tensor(ages, dtype=torch.float32)

    net, head = channels_last(FilmNet(60)).train(), AgeHead("mean_variance", 67.5, 13.0, 40, 99)
    optimiser = torch.optim.Adam(net.parameters(), 2e-3)
    for _ in range(60):
        x, ages = draw(16)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=computes_in_bfloat16("cpu")):
            raw = net(x)
        cost = head.cost(raw, ages)
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
    x, ages = draw(64)
    with torch.inference_mode():
        found = head.age_years(net.eval()(x))
    assert float((found - ages).abs().mean()) < 8  # 4 to 6 by the processor; 11 for whoever says 67.5


def test_weights_in_half_precision_answer_the_same(used, tmp_path):
    save(used, tmp_path / "w.safetensors")
    again = network("film_small", outputs=60, shape=(1, 64, 32)).eval()
    load_into(again, tmp_path / "w.safetensors")
    x = torch.rand(4, 1, 1, 64, 32)
    with torch.inference_mode():
        torch.testing.assert_close(again(x), used(x), atol=2e-2, rtol=0)


def test_predicting_needs_no_monai():
    code = (
        "import sys, torch; from spineclock.nets.networks import network;"
        "network('film_small', outputs=60, shape=(1, 64, 32)).eval()(torch.zeros(1, 1, 1, 64, 32));"
        "print('monai' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize("name", ["film_small", "efficientnet_b4"])
@pytest.mark.parametrize("shape", [(16, 128, 64), (1, 16, 128)])
def test_networks_of_films_want_one_slice(name, shape):
    with pytest.raises(UsageError, match=rf"{name} reads films.*wanted: one slice of at least 32 rows.*table2, resnet"):
        network(name, outputs=1, shape=shape)


@pytest.mark.parametrize("name", ["table2", "resnet", "transformer"])
def test_networks_of_scans_want_many(name):
    with pytest.raises(UsageError, match=rf"{name} reads scans.*at least 16 slices.*film_small, efficientnet_b4"):
        network(name, outputs=1, shape=(1, 1024, 512))


@pytest.fixture(scope="module")
def b4() -> Any:
    torch.manual_seed(0)
    return network("efficientnet_b4", outputs=60, shape=(1, 64, 32), dropout=0.2).eval()


@pytest.mark.slow
def test_efficientnet_b4_is_monais_with_another_end(b4):
    from monai.networks.nets.efficientnet import EfficientNetBN

    plain = EfficientNetBN("efficientnet-b4", pretrained=False, spatial_dims=2, in_channels=1, num_classes=1000)
    plain.load_state_dict(
        {**b4.net.state_dict(), **{n: t for n, t in plain.state_dict().items() if n.startswith("_fc")}}
    )
    plain._fc = nn.Identity()
    x = torch.rand(2, 1, 1, 64, 32)
    with torch.inference_mode():
        torch.testing.assert_close(b4.blocks(x).mean((2, 3, 4)), plain.eval()(x[:, :, 0]))
        assert b4(x).shape == (2, 60)
    assert b4.head.dropout.p == 0.2
    assert 17e6 < sum(p.numel() for p in b4.parameters()) < 19e6


def test_without_a_connection_it_says_that_weights_are_random(b4, monkeypatch):
    before = b4.net._conv_stem.weight.clone()

    def no_connection() -> Any:
        raise OSError("<urlopen error [Errno -3] Temporary failure in name resolution>")

    monkeypatch.setattr(film, "_imagenet", no_connection)
    start = begin_from_imagenet(b4)
    assert not start.imagenet
    assert "random weights: those of ImageNet cannot be had (<urlopen error" in start.sentence
    assert torch.equal(b4.net._conv_stem.weight, before)


@pytest.mark.slow
def test_imagenets_weights_answer_to_grey_as_the_colours_did(monkeypatch):
    from monai.networks.nets.efficientnet import EfficientNetBN

    torch.manual_seed(3)
    coloured = EfficientNetBN("efficientnet-b4", pretrained=False, spatial_dims=2).eval()
    monkeypatch.setattr(film, "_imagenet", lambda: coloured)
    net = EfficientNetFilm(60).eval()
    start = begin_from_imagenet(net)
    assert start.imagenet
    x = torch.rand(1, 1, 1, 64, 32)
    coloured._fc = nn.Identity()
    with torch.inference_mode():
        wanted = coloured(x[:, :, 0].expand(-1, 3, -1, -1))
        torch.testing.assert_close(net.blocks(x).mean((2, 3, 4)), wanted, atol=1e-4, rtol=1e-3)
