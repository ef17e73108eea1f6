"""Grad-CAM on an untrained network and on one made by hand, whose attention is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import LayerGradCam
from torch import nn

from spineclock.core.errors import GeometryError, UsageError
from spineclock.core.volume import Mask, Volume
from spineclock.explain.gradcam import attention, contrast, share_off_spine
from spineclock.nets.band import Banded
from spineclock.nets.dcnn import AgeNet

AFFINE = np.array([[4.0, 0, 0, -62], [0, 0, -1, 90], [0, -1, 0, 250], [0, 0, 0, 1]])
"""Left → right, superior → inferior, anterior → posterior, at 4 × 1 × 1 mm."""


def by_hand(pool: str = "average") -> AgeNet:
    """A network that hands the brightness of its input through one channel: the brighter, the older."""
    net = AgeNet(pool=pool).eval()  # type: ignore[arg-type]
    with torch.no_grad():
        for p in net.parameters():
            p.zero_()
        for block in net.blocks:
            block.conv.weight[0, 0, 1, 1, 1] = 1
            block.norm.weight.fill_(1)
        net.top.weight[0, 0] = 1
        net.top_norm.weight.fill_(1)
        net.top_norm.bias.fill_(1)  # keeps the last ReLU open, so that the gradient is the same in every cell
        net.linear.weight[0, 0] = 1
    return net


def blob(shape, centre, radius=6.0) -> np.ndarray:
    index = np.indices(shape)
    away = sum((index[a] - centre[a]) ** 2 * (4.0 if a == 0 else 1.0) ** 2 for a in range(3))
    value = np.exp(-away / (2 * radius**2))
    return np.where(value > 1e-6, value, 0).astype(np.float32)  # denormal numbers would slow the network tenfold


def millimetres(volume: Volume, index) -> np.ndarray:
    return volume.affine[:3, :3] @ np.asarray(index) + volume.affine[:3, 3]


def peak_to(volume: Volume, point_mm) -> np.ndarray:
    """Millimetres in each axis from a point to the nearest voxel that holds the maximum (maps end in plateaus)."""
    peaks = np.argwhere(volume.array >= volume.array.max() * 0.999) @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    away = np.abs(peaks - point_mm)
    return away[away[:, 1:].max(axis=1).argmin()]


@pytest.mark.parametrize("row", [40, 111, 150])
def test_the_peak_is_where_the_bright_blob_is_to_the_blocks_resolution(row):
    prepared = Volume(blob((16, 160, 96), (8, row, 80)), AFFINE)
    a = attention(by_hand(), prepared, prepared)
    true_mm = millimetres(prepared, (8, row, 80))
    for name, volume in (("cells", a.cells), ("on scan", a.on_scan)):
        away = peak_to(volume, true_mm)
        assert (away[1:] <= 16).all(), (name, away)  # half a cell of 32 mm, up and down and front to back
    middle = np.linalg.inv(prepared.affine) @ [
        *millimetres(a.cells, np.unravel_index(a.cells.array.argmax(), a.cells.shape)),
        1,
    ]
    i, j, k = np.floor(middle[:3]).astype(int)
    assert a.on_scan.array[i, j, k] == pytest.approx(a.cells.array.max(), rel=0.05)


@pytest.mark.parametrize("row", [40, 111, 150])
def test_of_a_band_the_peak_is_where_the_blob_is_in_the_scan(row):
    array = blob((16, 160, 128), (8, row, 30 + row // 3), radius=4.0)
    for k in range(160):  # a faint spine that slants through the box
        array[:, k, 20 + k // 3 : 50 + k // 3] += 0.01
    prepared = Volume(array, AFFINE)
    a = attention(Banded(by_hand(), 32).eval(), prepared, prepared)
    assert a.cells.shape == (1, 5, 1)
    away = peak_to(a.on_scan, millimetres(prepared, (8, row, 30 + row // 3)))
    assert (away[1:] <= 16).all(), away
    beside = np.arange(128) - 20 - (np.arange(160) // 3)[:, None]
    assert not a.on_scan.array[:, (beside < -16) | (beside > 44)].any()  # nothing is said of what was not read


def test_the_value_is_the_weight_times_the_feature():
    # one channel of weight 1 with an average over 5 × 3 cells: the gradient is 1/15 everywhere, and the feature is the
    # brightest voxel of the cell (over √(1 + 1e-5) for each of six batch norms)
    array = np.zeros((16, 160, 96), np.float32)
    array[9, 100, 70] = 3.0
    a = attention(by_hand(), Volume(array, AFFINE), Volume(array, AFFINE))
    assert a.cells.shape == (1, 5, 3)
    assert a.cells.spacing_mm == pytest.approx((16 * 4, 32, 32))  # 16 slices are one after four pools of five
    expected = np.zeros((1, 5, 3))
    expected[0, 100 // 32, 70 // 32] = 3.0 / 15
    assert np.allclose(a.cells.array, expected, rtol=1e-3)


@pytest.mark.parametrize("pool", ["max", "average"])
def test_it_agrees_with_captum(pool):
    torch.manual_seed(1)
    net = AgeNet(pool=pool).eval()
    nn.init.normal_(net.linear.weight)
    array = np.random.default_rng(0).normal(size=(16, 96, 64)).astype(np.float32)
    x = torch.from_numpy(array)[None, None].requires_grad_()
    expected = LayerGradCam(net, net.blocks[-1]).attribute(x, relu_attributions=True)[0, 0].detach().numpy()
    got = attention(net, Volume(array, AFFINE), Volume(array, AFFINE)).cells.array
    assert expected.max() > 0
    assert np.allclose(got, expected, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("switched_off", [torch.no_grad, torch.inference_mode])
def test_it_works_where_gradients_are_switched_off(switched_off):
    volume = Volume(blob((16, 64, 64), (8, 30, 30)), AFFINE)
    net = by_hand()
    with switched_off():
        assert attention(net, volume, volume).cells.array.max() > 0


@pytest.mark.parametrize("pool", ["max", "average"])
def test_an_untrained_network_gives_a_finite_map_on_the_scans_grid(pool):
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    prepared = Volume(rng.normal(size=(17, 96, 67)).astype(np.float32), AFFINE)
    turned = np.array([[0, 0, 3.3, -70], [0, 0.8, 0.1, -10], [-0.8, 0, 0, 290], [0, 0, 0, 1]])
    scan = Volume(np.zeros((150, 130, 20), np.int16), turned)
    net = AgeNet(pool=pool).eval().requires_grad_(False)  # as loaded for prediction
    a = attention(net, prepared, scan)
    assert a.on_scan.shape == scan.shape
    assert np.array_equal(a.on_scan.affine, scan.affine)
    assert np.isfinite(a.on_scan.array).all()
    assert a.on_scan.array.min() >= 0
    assert a.on_scan.array.max() <= a.cells.array.max() * (1 + 1e-5)


class Elsewhere(nn.Module):
    """A network whose parameters lie on PyTorch's device without memory, and which computes nothing there."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, device="meta"))

    def blocks(self, x: torch.Tensor) -> torch.Tensor:
        (x * self.weight).sum()  # fails where the two lie on different devices
        assert x.device == self.weight.device
        return torch.arange(8.0).reshape(1, 1, 2, 2, 2)

    def head(self, features: torch.Tensor) -> torch.Tensor:
        return features.sum(dim=(2, 3, 4))


def test_the_input_goes_where_the_network_is():
    volume = Volume(np.zeros((4, 4, 4), np.float32), np.eye(4))
    assert attention(Elsewhere().eval(), volume, volume).cells.array.tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_gives_the_same_map():
    volume = Volume(blob((16, 64, 64), (8, 30, 30)), AFFINE)
    here, there = (attention(by_hand().to(device), volume, volume).on_scan.array for device in ("cpu", "cuda"))
    assert here.max() > 0
    assert np.allclose(there, here, rtol=1e-2, atol=1e-2 * here.max())  # convolutions in TF32


def test_a_scan_stored_otherwise_gets_the_same_map_at_the_same_millimetre():
    prepared = Volume(blob((16, 128, 64), (8, 70, 30)), AFFINE)
    scan = Volume(
        np.zeros((40, 150, 90)), np.diag([3.0, 1.0, 2.0, 1.0]) + np.array([[0] * 3 + [v] for v in (-70, 0, 90, 0)])
    )
    flipped = np.array(scan.affine)
    flipped[:3, 3] += flipped[:3, 2] * 89
    flipped[:3, 2] *= -1
    net = by_hand()
    there, back = (attention(net, prepared, Volume(np.zeros(scan.shape), a)).on_scan for a in (scan.affine, flipped))
    assert there.array.max() > 0
    assert np.allclose(there.array, back.array[:, :, ::-1], atol=1e-6)
    # row 70 and column 30 lie 250 − 70 mm up and 90 − 30 mm to the front; cells are 32 mm
    assert (peak_to(there, (0, 60, 180))[1:] <= 16 + 2).all()


def test_beyond_the_networks_input_there_is_no_attention():
    prepared = Volume(np.ones((16, 64, 64), np.float32), np.diag([4.0, 1.0, 1.0, 1.0]))
    affine = np.diag([4.0, 1.0, 1.0, 1.0])
    affine[1:3, 3] = -30
    on_scan = attention(by_hand(), prepared, Volume(np.zeros((16, 124, 124)), affine)).on_scan.array
    assert (on_scan[2:-2, 31:93, 31:93] > 0).all()
    assert not on_scan[:, :29].any()
    assert not on_scan[:, 95:].any()
    assert not on_scan[:, :, :29].any()


def test_share_off_spine_counts_attention_not_voxels():
    on_scan = Volume(np.array([1.0, 2.0, 5.0, 0.0]).reshape(4, 1, 1), np.eye(4))
    spine = Mask(np.array([0, 22, 22, 0]).reshape(4, 1, 1), np.eye(4))
    assert share_off_spine(on_scan, spine) == pytest.approx(1 / 8)
    assert np.isnan(share_off_spine(on_scan.with_array(np.zeros((4, 1, 1))), spine))
    with pytest.raises(GeometryError, match="shape \\(4, 1, 1\\) and a mask of \\(4, 2, 1\\)"):
        share_off_spine(on_scan, Mask(np.zeros((4, 2, 1), int), np.eye(4)))


def test_a_network_that_looks_at_a_corner_is_told_from_one_that_looks_at_the_spine():
    spine = np.zeros((16, 160, 96), np.uint8)
    spine[4:12, 16:144, 32:96] = 1
    mask, net = Mask(spine, AFFINE), by_hand()
    shares = {}
    for name, centre in (("spine", (8, 80, 80)), ("corner", (8, 20, 12))):
        prepared = Volume(blob(spine.shape, centre), AFFINE)
        shares[name] = share_off_spine(attention(net, prepared, prepared).on_scan, mask)
    assert shares["spine"] < 0.7 < 0.9 < shares["corner"]


def test_contrast_of_a_flat_map_is_nought():
    flat = Volume(np.full((2, 2, 2), 3.0), np.eye(4))
    assert not contrast(flat).array.any()


def test_a_network_in_training_mode_is_an_error():
    volume = Volume(np.zeros((16, 16, 16)), np.eye(4))
    with pytest.raises(UsageError, match="training mode"):
        attention(AgeNet(), volume, volume)
