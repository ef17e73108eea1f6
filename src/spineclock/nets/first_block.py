"""The paper's first block as matrix products, for learning in float32 on a processor.

Of one channel at full resolution, convolution, batch norm and pool are bound by memory: PyTorch writes and
reads 32 features of every voxel a dozen times a step, more than half of the whole network's time. Yet a pool
takes one in eight, batch norm's statistics follow from those of the 27 grey values under the kernel, and
its gradient from the same (derived below); so no feature at full resolution is ever kept.

For the voxels v of the pooled grid, R holds the 4 × 4 × 4 grey values that the eight kernels of v's window lie on, and
K those kernels as columns. y = R·K are the features, u their maximum over the window. With n voxels at full
resolution, q the mean of the 27 grey values p under the kernel w and C = Σ (p − q)(p − q)ᵀ,

    mean(y) = w·q,   var(y) = w·C·w / n,   out = γ (u − w·q) / σ + β,   σ² = var(y) + ε,

and from g = ∂L/∂out, ŷ = (u − w·q) / σ, dβ = Σ g and dγ = Σ g·ŷ,

    ∂L/∂w = γ/σ · [ Σ g (p* − q) − dγ / n · C·w / σ ],   p*: the grey values at the maximum.

The convolution's own bias changes nothing in training: its gradient is 0. Where γ < 0 the minimum is the pool's choice.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

WINDOW, REGION = 8, 64
"""Voxels of a pool's window, and of what its kernels lie on together."""
AT_ONCE = 2048
"""Windows whose features are computed together: 2 MB of 32 features each, which a processor keeps near."""


def applies(conv: nn.Conv3d, norm: nn.BatchNorm3d, x: Tensor) -> bool:
    """Whether a block of this convolution, this batch norm and a pool of 2³ can learn from this input in this way."""
    return (
        norm.training
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not x.requires_grad
        and x.shape[1] == 1
        and all(n % 2 == 0 for n in x.shape[2:])
        and conv.kernel_size == (3, 3, 3)
        and conv.padding == (1, 1, 1)
    )


def pooled(x: Tensor, conv: nn.Conv3d, norm: nn.BatchNorm3d) -> Tensor:
    """What pool(norm(conv(x))) is while learning, (N, 1, D, H, W) → (N, C, D/2, H/2, W/2) with channels last.

    Batch norm's running statistics are brought up to date as PyTorch does.

    >>> conv, norm, x = nn.Conv3d(1, 2, 3, padding=1), nn.BatchNorm3d(2), torch.randn(2, 1, 4, 6, 8)
    >>> plain = F.max_pool3d(norm(conv(x)), 2)
    >>> torch.allclose(pooled(x, conv, norm), plain, atol=1e-5)
    True
    """
    n, _, d, h, w = x.shape
    regions = _regions(x)
    mean, spread = _moments(regions)
    found = _FirstBlock.apply(regions, mean, spread, conv.weight, conv.bias, norm.weight, norm.bias, norm.eps)
    _keep_statistics(conv, norm, mean, spread, x.numel())
    return found.view(n, d // 2, h // 2, w // 2, -1).permute(0, 4, 1, 2, 3)


def _places() -> Tensor:
    """Of each voxel of a window, and each grey value under its kernel, the place in the region; (8, 27)."""
    at = torch.arange(REGION).view(4, 4, 4)
    return torch.stack([at[i : i + 3, j : j + 3, k : k + 3].flatten() for i in (0, 1) for j in (0, 1) for k in (0, 1)])


PLACES = _places()


def _regions(x: Tensor) -> Tensor:
    """The 4 × 4 × 4 grey values under the kernels of each window, 0 outside the volume; (V, 64)."""
    n, _, d, h, w = x.shape
    padded = F.pad(x, (1, 1, 1, 1, 1, 1)).contiguous()
    s, (i, j, k) = padded.stride(0), padded.stride()[2:]
    windows = padded.as_strided((n, d // 2, h // 2, w // 2, 4, 4, 4), (s, 2 * i, 2 * j, 2 * k, i, j, k))
    return windows.reshape(-1, REGION)


def _moments(regions: Tensor) -> tuple[Tensor, Tensor]:
    """Of the 27 grey values under a kernel the mean q, and C, their covariance times the number of voxels; float64."""
    total, summed = torch.zeros(REGION, REGION, dtype=torch.float64), torch.zeros(REGION, dtype=torch.float64)
    for part in regions.split(AT_ONCE):
        total += part.T @ part
        summed += part.sum(0)
    count = WINDOW * len(regions)
    mean = summed[PLACES].sum(0) / count
    products = torch.stack([total[at][:, at] for at in PLACES]).sum(0)
    return mean, products - count * torch.outer(mean, mean)


def _keep_statistics(conv: nn.Conv3d, norm: nn.BatchNorm3d, mean: Tensor, spread: Tensor, count: int) -> None:
    """What batch norm keeps of a batch for the time when nothing is learned."""
    if not norm.track_running_stats or norm.running_mean is None or norm.running_var is None:
        return
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    share = norm.momentum if norm.momentum is not None else 1 / float(norm.num_batches_tracked)
    with torch.no_grad():
        kernels = conv.weight.flatten(1).double()
        middle = kernels @ mean + (0 if conv.bias is None else conv.bias.double())
        norm.running_mean.lerp_(middle.to(norm.running_mean.dtype), share)
        norm.running_var.lerp_((_variance(kernels, spread) / (count - 1)).to(norm.running_var.dtype), share)


def _variance(kernels: Tensor, spread: Tensor) -> Tensor:
    """Of each feature, times the number of voxels."""
    return ((kernels @ spread) * kernels).sum(1)


def _largest(features: Tensor, into: Tensor, which: Tensor) -> None:
    """The largest of eight features (v, 8, C), and which of them it is; overwrites the features.

    Their number stands in for the last three of 24 bits while they are compared, for one comparison in memory
    instead of a search: values are exact to a millionth, as products of matrices are.
    """
    number = torch.arange(WINDOW, dtype=torch.int32)[:, None]
    features.view(torch.int32).bitwise_and_(-WINDOW).bitwise_or_(number)
    found = features.amax(dim=1).view(torch.int32)
    which.copy_(found & (WINDOW - 1))
    into.copy_((found & -WINDOW).view(torch.float32))


class _FirstBlock(torch.autograd.Function):
    """(V, 64) regions, their moments and the block's parameters → (V, C)."""

    @staticmethod
    def forward(
        ctx: Any, regions: Tensor, mean: Tensor, spread: Tensor, weight: Tensor, bias: Tensor | None, gain: Tensor,
        shift: Tensor, eps: float,
    ) -> Tensor:  # fmt: skip
        """The pooled features and what their gradient needs: which voxel of its window each of them is of."""
        kernels = weight.flatten(1)
        sign = torch.where(gain < 0, -1.0, 1.0)
        wide = torch.zeros(REGION, WINDOW, len(kernels))
        for voxel, at in enumerate(PLACES):
            wide[at, voxel] = (kernels * sign[:, None]).T
        best = regions.new_empty(len(regions), len(kernels))
        voxel_of = torch.empty(best.shape, dtype=torch.uint8)
        for part, into, which in zip(*(t.split(AT_ONCE) for t in (regions, best, voxel_of)), strict=True):
            _largest((part @ wide.flatten(1)).view(len(part), WINDOW, -1), into, which)
        exact = kernels.double()
        sd = torch.sqrt(_variance(exact, spread) / (WINDOW * len(regions)) + eps)
        hat = best.mul_(sign / sd.float()).sub_(((exact @ mean) / sd).float())
        ctx.save_for_backward(regions, mean, spread, weight, gain, sd, hat, voxel_of)
        ctx.biased = bias is not None
        return torch.addcmul(shift, hat, gain)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Of kernels, bias, gain and shift."""
        regions, mean, spread, weight, gain, sd, hat, voxel_of = ctx.saved_tensors
        grad = grad.contiguous()
        wide = torch.zeros(REGION, WINDOW * grad.shape[1])
        for part, g, which in zip(*(t.split(AT_ONCE) for t in (regions, grad, voxel_of)), strict=True):
            at_voxel = g.new_zeros(len(g), WINDOW, g.shape[1]).scatter_(1, which[:, None].long(), g[:, None])
            wide += part.T @ at_voxel.flatten(1)
        folded = wide.view(REGION, WINDOW, -1).double()
        at_best = torch.stack([folded[at, voxel] for voxel, at in enumerate(PLACES)]).sum(0).T  # C 27
        d_shift, d_gain = grad.sum(0).double(), (grad * hat).sum(0).double()
        kernels = weight.flatten(1).double()
        of_all = (d_gain / (WINDOW * len(regions)) / sd)[:, None] * (kernels @ spread)
        d_kernels = (gain.double() / sd)[:, None] * (at_best - torch.outer(d_shift, mean) - of_all)
        d_weight = d_kernels.view(weight.shape).to(weight.dtype)
        d_bias = torch.zeros_like(gain) if ctx.biased else None  # not None: processes wait for everyone's gradient
        return None, None, None, d_weight, d_bias, d_gain.to(gain.dtype), d_shift.to(gain.dtype), None
