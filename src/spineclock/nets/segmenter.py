"""The embedded segmentation network: a 2-D U-Net over three sagittal slices.

Pixel-unshuffled input and pixel-shuffled output let it read and write 0.47 mm pixels while its
first features live at 0.94 mm, which is where a CPU can afford them. It is our own choice; the published
systems use TotalSpineSeg or SPINEPS.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from spineclock.core.anatomy import CLASSES
from spineclock.nets.weights import load_into, read_arrays

Floats = npt.NDArray[np.float32]


def double_conv(c_in: int, c_out: int) -> nn.Sequential:
    """Two 3 × 3 convolutions, each with batch norm and ReLU."""
    layers: list[nn.Module] = []
    for c in (c_in, c_out):
        layers += [nn.Conv2d(c, c_out, 3, padding=1, bias=False), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class Segmenter(nn.Module):
    """Class scores for the middle one of three neighbouring sagittal slices.

    Parameters
    ----------
    channels : tuple of int
        Feature channels at each level, each level half the resolution of the one before.
    classes : int
        What it tells apart: all of ``core.anatomy.CLASSES``, or its first four as in weights made before the sacrum.
    """

    def __init__(self, channels: tuple[int, ...] = (16, 48, 96, 160, 224), *, classes: int = len(CLASSES)) -> None:
        super().__init__()
        self.fold = nn.PixelUnshuffle(2)
        self.down = nn.ModuleList()
        c = 3 * 4
        for width in channels:
            self.down.append(double_conv(c, width))
            c = width
        self.up = nn.ModuleList()
        for width in reversed(channels[:-1]):
            self.up.append(double_conv(c + width, width))
            c = width
        self.head = nn.Conv2d(c, classes * 4, 1)
        self.unfold = nn.PixelShuffle(2)

    def forward(self, x: Tensor) -> Tensor:
        """Scores, shape (N, classes, H, W), from slices, shape (N, 3, H, W), rows downwards, columns backwards."""
        x = self.fold(x)  # N 12 H/2 W/2
        skips: list[Tensor] = []
        for block in self.down:
            x = block(nn.functional.max_pool2d(x, 2) if skips else x)
            skips.append(x)
        for block, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            x = block(torch.cat([nn.functional.interpolate(x, scale_factor=2.0), skip], dim=1))
        scores: Tensor = self.unfold(self.head(x))
        return scores


def read_segmenter(path: Path) -> Segmenter:
    """The network of a weights file, in evaluation mode, with as many classes as the file has scores for.

    Raises
    ------
    InputError
        If the file is not safetensors, or holds other tensors than the network has.
    """
    head = read_arrays(path).get("head.bias")
    net = Segmenter() if head is None else Segmenter(classes=max(1, len(head) // 4))
    load_into(net, path)
    return net


def torch_scorer(net: nn.Module) -> Callable[[Floats], Floats]:
    """The network as a function from pictures to class probabilities, evaluated by PyTorch: the reference."""
    net = net.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stubs lack it

    def score(pictures: Floats) -> Floats:
        with torch.inference_mode():
            x = torch.from_numpy(pictures).contiguous(memory_format=torch.channels_last)
            out: Floats = net(x).float().softmax(1).contiguous().numpy()
        return out

    return score
