"""The embedded segmentation network of CT: a small 3-D U-Net.

As the one of MRI slices (:mod:`spineclock.nets.segmenter`) it reads finer voxels than its first features have, which a
CPU can afford: 2 mm, and features of 4 × 4 × 2 mm. Our own choice; the published systems use TotalSegmentator
(Wasserthal et al., Radiol Artif Intell 5:e230024, 2023).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from spineclock.core.anatomy import CT_CLASSES
from spineclock.nets.convolution import trusted
from spineclock.nets.weights import load_into

Floats = npt.NDArray[np.float32]
WINDOWS = 2
"""Channels a block has: the same samples in the windows of soft tissue and of bone."""
PATCH = (2, 2, 1)
"""Voxels that share a feature; along the spine each has its own, for discs are thin."""
HEAD = 48


class CtSegmenter(nn.Module):
    """Class scores of a block of CT.

    Parameters
    ----------
    channels : tuple of int
        Feature channels at 4 × 4 × 2 mm, 8 × 8 × 4 mm, ….
    classes : int
        What it tells apart: ``core.anatomy.CT_CLASSES``.

    Examples
    --------
    >>> CtSegmenter((4, 8))(torch.zeros(1, 2, 8, 16, 8)).shape
    torch.Size([1, 8, 8, 16, 8])
    """

    def __init__(self, channels: tuple[int, ...] = (16, 32, 64, 96), *, classes: int = len(CT_CLASSES)) -> None:
        super().__init__()
        self.stem = nn.Conv3d(WINDOWS, channels[0], PATCH, PATCH)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        c = channels[0]
        for width in channels:
            self.down.append(_double_conv(c, width))
            c = width
        for width in reversed(channels[:-1]):
            self.up.append(_double_conv(c + width, width))
            c = width
        self.says = nn.ModuleList(nn.Conv3d(width, classes, 1) for width in reversed(channels))
        self.head = nn.Conv3d(2 * c, HEAD, 1)
        self.leaf = nn.ConvTranspose3d(HEAD, classes, PATCH, PATCH)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, classes, I, J, K) from blocks (N, 2, I, J, K), multiples of 16 with the usual channels."""
        seen = x = self.stem(x)
        skips: list[Tensor] = []
        for block in self.down:
            x = block(nn.functional.max_pool3d(x, 2) if skips else x)
            skips.append(x)
        says = list(self.says)
        scores: Tensor = says[0](x)  # where things lie is said from coarse to fine: so it is learned much sooner
        for block, skip, say in zip(self.up, reversed(skips[:-1]), says[1:], strict=True):
            x = block(torch.cat([nn.functional.interpolate(x, scale_factor=2.0), skip], dim=1))
            scores = nn.functional.interpolate(scores, scale_factor=2.0) + say(x)
        x = self.head(torch.cat([x, seen], dim=1)).relu()  # what was seen tells voxels of one patch apart
        scores = nn.functional.interpolate(scores, scale_factor=tuple(map(float, PATCH))) + self.leaf(x)
        return scores


def _double_conv(c_in: int, c_out: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for c in (c_in, c_out):
        layers += [nn.Conv3d(c, c_out, 3, padding=1, bias=False), nn.BatchNorm3d(c_out), nn.ReLU(inplace=True)]
    return trusted(nn.Sequential(*layers))


def read_ct_segmenter(path: Path) -> CtSegmenter:
    """The network of a weights file, in evaluation mode.

    Raises
    ------
    InputError
        If the file is not safetensors, or holds other tensors than the network has.
    """
    net = CtSegmenter()
    load_into(net, path)
    return net


def ct_torch_scorer(net: nn.Module) -> Callable[[Floats], Floats]:
    """The network as a function from blocks to class probabilities, evaluated by PyTorch: the reference."""
    net = net.eval()

    def score(blocks: Floats) -> Floats:
        with torch.inference_mode():
            out: Floats = net(torch.from_numpy(blocks)).float().softmax(1).numpy()
        return out

    return score
