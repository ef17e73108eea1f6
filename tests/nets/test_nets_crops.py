"""Networks of crops: a level that is not there changes nothing, and the others are what they say they are."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from spineclock.core.errors import UsageError
from spineclock.nets.crops import crop_network
from spineclock.nets.diagnosis_head import DiagnosisHead
from spineclock.nets.names import CROP_NETWORKS
from spineclock.nets.networks import network

SHAPE = (4, 32, 32)


def crops(n: int = 3) -> torch.Tensor:
    return torch.randn(n, 1, *SHAPE, generator=torch.Generator().manual_seed(0))


def trained_step(x: torch.Tensor, net: torch.nn.Module) -> list[torch.Tensor]:
    """Gradients of a step, and batch norm's statistics after it."""
    head = DiagnosisHead("osteoporosis", ("L1", "L2", "L3", "L4"))
    torch.manual_seed(1)
    head.cost(net.train()(x), torch.tensor([1.0, 0.0, 1.0])).backward()
    return [*(p.grad for p in net.parameters() if p.grad is not None), *net.buffers()]


def test_a_level_that_is_not_there_changes_nothing() -> None:
    net = crop_network("crop_small", levels=4, slices=1).eval()
    x = crops()
    whole = net(x)
    x[1, 0, 2] = 0
    without = net(x)
    assert bool(without[1, 2].isneginf())
    rest = torch.ones(3, 4, dtype=torch.bool)
    rest[1, 2] = False
    assert torch.allclose(whole[rest], without[rest], atol=1e-6)


def test_nor_do_all_levels_of_nobody_in_training() -> None:
    """Batch norm's statistics and gradients are those of the vertebrae that there are alone."""

    def made() -> torch.nn.Module:
        torch.manual_seed(0)
        return crop_network("crop_small", levels=4, slices=1, dropout=0.0)

    x = crops()
    x[:, 0, 2:] = 0
    torch.manual_seed(0)
    two = crop_network("crop_small", levels=2, slices=1, dropout=0.0)
    head = DiagnosisHead("osteoporosis", ("L1", "L2"))
    head.cost(two.train()(x[:, :, :2]), torch.tensor([1.0, 0.0, 1.0])).backward()
    alone = [*(p.grad for p in two.parameters() if p.grad is not None), *two.buffers()]
    for one, other in zip(trained_step(x, made()), alone, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_nobody_at_all_is_answered_with_nothing() -> None:
    net = crop_network("crop_small", levels=4, slices=1).train()
    assert bool(net(torch.zeros(2, 1, *SHAPE)).isneginf().all())


@pytest.mark.parametrize(
    ("name", "millions"), [("crop_small", 0.4), ("crop_efficientnet_b4", 17.6), ("crop_resnet50", 23.5)]
)
def test_each_answers_a_number_a_level_and_can_be_looked_into(name: str, millions: float) -> None:
    net = network(name, outputs=4, shape=(8, 64, 64)).eval()  # type: ignore[arg-type]
    assert net.slices == 2
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)
    x = torch.randn(1, 1, 8, 64, 64)
    with torch.inference_mode():
        answer = net(x)
        single = net.head(net.blocks(x[:, :, 2:4]))
    assert answer.shape == (1, 4)
    assert float(single[0, 0]) == pytest.approx(float(answer[0, 1]), abs=1e-4)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="wanted: as many slices for each level"):
        network("crop_small", outputs=4, shape=(6, 64, 64))
    with pytest.raises(UsageError, match="at least 32 rows"):
        network("crop_small", outputs=4, shape=(4, 16, 64))


@pytest.mark.skipif(importlib.util.find_spec("timm") is not None, reason="timm is installed here")
def test_the_network_of_the_extra_names_what_is_wanted() -> None:
    assert "crop_inception_resnet_v2" in CROP_NETWORKS
    with pytest.raises(
        UsageError, match=r"crop_inception_resnet_v2 needs the package timm.*pip install 'spineclock\[timm\]'"
    ):
        network("crop_inception_resnet_v2", outputs=4, shape=(4, 96, 96))


class Sizes(torch.nn.Module):
    """A network of timm's kind that tells what it is shown."""

    num_features = 2

    def __init__(self) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 2, 1)
        self.shown: list[tuple[int, ...]] = []

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        self.shown.append(tuple(x.shape[2:]))
        return self.conv(x)


def test_inception_resnet_is_shown_crops_of_96_pixels_at_least(monkeypatch: pytest.MonkeyPatch) -> None:
    made = SimpleNamespace(create_model=lambda *_, **__: Sizes())
    monkeypatch.setattr("spineclock.nets.timm_extra.timm", lambda wanted_for: made)
    net = crop_network("crop_inception_resnet_v2", levels=1, slices=1).eval()
    for size in ((64, 64), (64, 80), (128, 128)):
        net(torch.ones(1, 1, 1, *size))
    assert net.encoder.net.shown == [(96, 96), (96, 120), (128, 128)]


def test_a_torchvision_for_another_pytorch_can_be_imported(tmp_path: Path) -> None:
    package = tmp_path / "torchvision"
    package.mkdir()
    (package / "__init__.py").write_text(  # as torchvision 0.28 does where its operators could not be loaded
        "import torch\n@torch.library.register_fake('torchvision::nms')\ndef nms(dets, scores, threshold): ...\n"
    )
    code = (
        "import importlib, sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "try: importlib.import_module('torchvision'); raise SystemExit('the stand-in can be imported as it is')\n"
        "except RuntimeError: pass\n"
        "from spineclock.nets.timm_extra import make_torchvision_importable\n"
        "make_torchvision_importable()\n"
        "importlib.import_module('torchvision')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
