"""The embedded segmentation network of CT: a small 3-D U-Net.

As the one of MRI slices (:mod:`spineclock.nets.segmenter`) it folds two voxels of each axis into channels, so that its
first features live at 4 mm, where a CPU can afford them, and unfolds its answer to 2 mm. Our own choice; the published
systems use TotalSegmentator (Wasserthal et al., Radiol Artif Intell 5:e230024, 2023).
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
FOLD = 2


def folded(x: Tensor) -> Tensor:
    """Blocks of 2 × 2 × 2 voxels as channels: (N, C, I, J, K) → (N, 8 C, I/2, J/2, K/2).

    >>> folded(torch.arange(8.0).view(1, 1, 2, 2, 2)).flatten().tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]
    """
    n, c, i, j, k = x.shape
    parts = x.reshape(n, c, i // FOLD, FOLD, j // FOLD, FOLD, k // FOLD, FOLD)
    return parts.permute(0, 1, 3, 5, 7, 2, 4, 6).reshape(n, c * FOLD**3, i // FOLD, j // FOLD, k // FOLD)


def unfolded(x: Tensor) -> Tensor:
    """The inverse of :func:`folded`.

    >>> x = torch.rand(1, 2, 4, 6, 8)
    >>> bool((unfolded(folded(x)) == x).all())
    True
    """
    n, c, i, j, k = x.shape
    parts = x.reshape(n, c // FOLD**3, FOLD, FOLD, FOLD, i, j, k).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return parts.reshape(n, c // FOLD**3, i * FOLD, j * FOLD, k * FOLD)


class CtSegmenter(nn.Module):
    """Class scores of a block of CT.

    Parameters
    ----------
    channels : tuple of int
        Feature channels at 4, 8, 16, … mm.
    classes : int
        What it tells apart: ``core.anatomy.CT_CLASSES``.

    Examples
    --------
    >>> CtSegmenter((4, 8))(torch.zeros(1, 2, 8, 16, 8)).shape
    torch.Size([1, 8, 8, 16, 8])
    """

    def __init__(self, channels: tuple[int, ...] = (16, 32, 64, 96), *, classes: int = len(CT_CLASSES)) -> None:
        super().__init__()
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        c = WINDOWS * FOLD**3
        for width in channels:
            self.down.append(_double_conv(c, width))
            c = width
        for width in reversed(channels[:-1]):
            self.up.append(_double_conv(c + width, width))
            c = width
        self.head = nn.Conv3d(c, classes * FOLD**3, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (N, classes, I, J, K) from blocks (N, 2, I, J, K), multiples of 16 with the usual channels."""
        x = folded(x)
        skips: list[Tensor] = []
        for block in self.down:
            x = block(nn.functional.max_pool3d(x, 2) if skips else x)
            skips.append(x)
        for block, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            x = block(torch.cat([nn.functional.interpolate(x, scale_factor=2.0), skip], dim=1))
        return unfolded(self.head(x))


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
