"""A network that reads, of each row of a scan, the columns round the spine alone.

A spine is a curve in a box wide enough for every curve: most of what a network computes on is 0. Each row is
moved so that the front of the spine's margin runs straight, and only so many columns are read from there on. Nothing
is interpolated, and where each row came from is known, so that maps of the band can be laid back.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spineclock.core.errors import UsageError
from spineclock.nets.band_numpy import AHEAD, smoothed_rows


def firsts(x: Tensor, columns: int) -> Tensor:
    """The column that each row's band begins with, shape (N, H), from prepared volumes (N, 1, D, H, W), 0 outside.

    >>> x = torch.zeros(1, 1, 1, 80, 64)
    >>> for row in range(80):
    ...     x[..., row, 10 + row // 4 : 40 + row // 4] = 1.0  # a slanting spine
    >>> firsts(x, 32)[0, [0, 40, 79]].tolist()
    [8, 18, 27]
    """
    inside = (x != 0).any(dim=2)[:, 0]  # N H W
    some = inside.any(dim=2).float()  # N H
    front = inside.float().argmax(dim=2).float()  # the first column of a row that is not 0
    reach = smoothed_rows(x.shape[3])
    summed = F.avg_pool1d(torch.stack([front * some, some], 1), 2 * reach + 1, 1, reach)
    mean = summed[:, 0] / summed[:, 1].clamp(min=1e-6)  # rows far from the spine are empty wherever they begin
    begin = torch.floor(mean + 0.501).long() - round(columns * AHEAD)  # of a straight front the same wherever it lies
    return begin.clamp(0, x.shape[-1] - columns)


def band(x: Tensor, first: Tensor, columns: int) -> Tensor:
    """So many columns of each row from its first one on: (N, 1, D, H, W) → (N, 1, D, H, columns)."""
    at = first[:, :, None] + torch.arange(columns, device=x.device)  # N H columns
    return x.gather(4, at[:, None, None].expand(-1, -1, x.shape[2], -1, -1))


def laid_back(banded: Tensor, first: Tensor, width: int) -> Tensor:
    """The inverse of :func:`band`: each row where it was, 0 beside it; (N, 1, D, H, columns) → (N, 1, D, H, width)."""
    n, c, d, h, columns = banded.shape
    at = first[:, :, None] + torch.arange(columns, device=banded.device)
    wide = banded.new_zeros(n, c, d, h, width)
    return wide.scatter_(4, at[:, None, None].expand(-1, c, d, -1, -1), banded)


class Banded(nn.Module):
    """A network before which scans are narrowed to the band round their spine.

    Parameters
    ----------
    net : module
        (N, 1, D, H, columns) → (N, outputs).
    columns : int
        How many of each row it reads; at a sample of 2 mm 40 reach from before the bodies to behind the canal.

    Examples
    --------
    >>> from spineclock.nets.dcnn import AgeNet
    >>> tuple(Banded(AgeNet(), 32).eval()(torch.zeros(2, 1, 16, 64, 80)).shape)
    (2, 1)
    """

    def __init__(self, net: nn.Module, columns: int) -> None:
        super().__init__()
        self.net = net
        self.columns = columns

    def forward(self, x: Tensor) -> Tensor:
        """What the network says of the bands of prepared volumes (N, 1, D, H, W)."""
        answer: Tensor = self.net(self.narrowed(x)[0])
        return answer

    def narrowed(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The bands, and the first column of each of their rows.

        Raises
        ------
        UsageError
            If the volumes have fewer columns than the band.
        """
        if x.shape[-1] < self.columns:
            raise UsageError(f"a band of {self.columns} columns of {x.shape[-1]}", wanted="at most as many")
        first = firsts(x, self.columns)
        return band(x, first, self.columns), first


def inner(net: nn.Module) -> nn.Module:
    """The network that reads, behind a band or without one.

    >>> inner(Banded(nn.Linear(1, 1), 48)), inner(nn.ReLU())
    (Linear(in_features=1, out_features=1, bias=True), ReLU())
    """
    return net.net if isinstance(net, Banded) else net
