"""Where a spine-age network looks: Grad-CAM on its last convolutional block, on the scan's own grid.

Source: Selvaraju et al., Grad-CAM (ICCV 2017), as used by the spine-age paper. The paper's contrast function is lost;
min–max followed by a power of 0.5 is our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor

from spineclock.core.errors import GeometryError, UsageError
from spineclock.core.geometry import resample_like
from spineclock.core.volume import Array, Mask, Volume
from spineclock.nets.band import Banded, laid_back


@dataclass(frozen=True, eq=False)
class Attention:
    """What raised the predicted age, and where.

    Attributes
    ----------
    on_scan : Volume, float32
        The map on the scan's grid, 0 and up, in the network's units; 0 outside the prepared box, and of a network that
        reads a band outside this: its :func:`share_off_spine` is smaller by construction.
    cells : Volume, float32
        The same on the block's own grid, before interpolation: of the paper's network one value per 32 × 32 × 32
        prepared voxels (at 4 × 1 × 1 mm the slices of a scan share one cell). Nothing finer is known. Of a network that
        reads a band the cells of the band, whose place from front to back is not the patient's.
    """

    on_scan: Volume
    cells: Volume


class Seen(Protocol):
    """A network in two pieces: ``blocks`` makes the last convolutional features of a volume, ``head`` the answer."""

    training: bool

    def parameters(self) -> Iterator[Tensor]:
        """The learned numbers: where they lie, the network computes."""
        ...

    def blocks(self, x: Tensor, /) -> Tensor:
        """(1, 1, D, H, W) → (1, C, d, h, w)."""
        ...

    def head(self, features: Tensor, /) -> Tensor:
        """(1, C, d, h, w) → (1, outputs)."""
        ...


def attention(
    net: Seen | Banded, prepared: Volume, scan: Volume, *, age: Callable[[Tensor], Tensor] = torch.sum
) -> Attention:
    """The Grad-CAM map of the last block: features weighted by their mean gradient, summed, negative parts set to 0.

    So it shows what speaks for a *higher* age, not what speaks for a lower one.

    Parameters
    ----------
    net : AgeNet, FilmNet or another of their form, or such a one that reads a band
        In evaluation mode, on any device.
    prepared : Volume, shape (D, H, W)
        The network's input with the affine that leads back to the patient.
    scan : Volume
        Whose grid the map is wanted on.
    age : function
        From the network's answer to the age, as :meth:`spineclock.nets.age_head.AgeHead.age_years`; where the answer is
        the standardised age the map differs by a factor only.

    Raises
    ------
    UsageError
        If the network is in training mode, where batch norm would use this one scan's statistics.

    Examples
    --------
    >>> scan = Volume(np.random.default_rng(0).normal(size=(16, 64, 64)), np.diag([4.0, 1.0, 1.0, 1.0]))
    >>> from spineclock.nets.dcnn import AgeNet
    >>> a = attention(AgeNet().eval(), scan, scan)
    >>> a.on_scan.shape, a.cells.shape, a.cells.spacing_mm
    ((16, 64, 64), (1, 2, 2), (64.0, 32.0, 32.0))
    """
    if net.training:
        raise UsageError("a network in training mode", wanted="evaluation mode", remedy="call net.eval() first")
    seen = cast(Seen, net.net) if isinstance(net, Banded) else net
    # gradients are needed from the last block on only, which saves the memory of everything before it
    with torch.inference_mode(False), torch.no_grad():
        x = torch.from_numpy(np.array(prepared.array, dtype=np.float32))[None, None]
        x = x.to(next(net.parameters()).device)
        x, first = net.narrowed(x) if isinstance(net, Banded) else (x, None)
        features = seen.blocks(x)  # 1 C d h w
    with torch.inference_mode(False), torch.enable_grad():
        features.requires_grad_()
        (gradient,) = torch.autograd.grad(age(seen.head(features)).sum(), features)
        weights = gradient.mean(dim=(2, 3, 4), keepdim=True)
        cam = torch.relu((weights * features).sum(dim=1))[0]
    read = x.shape[2:]
    cells = _cells(cam.detach().cpu().numpy(), read, prepared.affine)
    fine = resample_like(_bordered(cells, mode="edge"), tuple(read), prepared.affine)
    if first is not None:
        banded = torch.from_numpy(np.array(fine.array))[None, None]
        fine = fine.with_array(laid_back(banded, first.cpu(), prepared.shape[2])[0, 0].numpy())
    # a rim of 0 ends the map where the network's input ends
    on_scan = resample_like(_bordered(fine, mode="constant"), scan.shape, scan.affine)
    return Attention(on_scan, cells)


def contrast(volume: Volume, *, power: float = 0.5) -> Volume:
    """The map brought to 0…1 and brightened by a power, for drawing; all 0 where it has only one value.

    >>> contrast(Volume(np.array([2.0, 3.0, 6.0]).reshape(3, 1, 1), np.eye(4))).array.ravel().tolist()
    [0.0, 0.5, 1.0]
    """
    low, high = float(volume.array.min()), float(volume.array.max())
    if high <= low:
        return volume.with_array(np.zeros_like(volume.array))
    return volume.with_array(((volume.array - low) / (high - low)) ** power)


def share_off_spine(on_scan: Volume, spine: Mask) -> float:
    """The share of attention that lies outside the (dilated) spine mask, 0…1; NaN where there is no attention at all.

    The block's cells are about 32 mm wide, so a map that is right still spills over a mask; compare people, or
    one person's repeat scans, rather than look for 0.

    Parameters
    ----------
    on_scan : Volume
        An attention map before :func:`contrast`.
    spine : Mask
        Not 0 where the network was meant to look; the same grid.
    """
    if on_scan.shape != spine.shape:
        raise GeometryError(
            f"an attention map of shape {on_scan.shape} and a mask of {spine.shape}", wanted="one grid for both"
        )
    total = float(on_scan.array.sum(dtype=np.float64))
    outside = float(on_scan.array[spine.array == 0].sum(dtype=np.float64))
    return outside / total if total > 0 else float("nan")


def _cells(values: Array, shape: tuple[int, ...], affine: Array) -> Volume:
    """The block's values in space: each pool by two joins samples 2i and 2i + 1 and drops a spare last one."""
    stride, left = np.ones(3), np.array(shape)
    while (more := left > values.shape).any():
        stride, left = np.where(more, stride * 2, stride), np.where(more, left // 2, left)
    affine = np.array(affine)
    affine[:3, 3] += affine[:3, :3] @ ((stride - 1) / 2)
    affine[:3, :3] = affine[:3, :3] * stride
    return Volume(values, affine)


def _bordered(volume: Volume, *, mode: str) -> Volume:
    """The volume with one more sample at each end of each axis: the last one again ("edge") or 0 ("constant")."""
    affine = np.array(volume.affine)
    affine[:3, 3] -= affine[:3, :3].sum(axis=1)
    array = np.pad(volume.array, 1, mode="edge") if mode == "edge" else np.pad(volume.array, 1)
    return Volume(array, affine)
