"""A 3-D convolution whose weight gradient can be trusted on few slices."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

N = TypeVar("N", bound=nn.Module)


class Conv3d(nn.Conv3d):
    """PyTorch's convolution; learning in bfloat16, volumes of no more slices than the kernel are padded before it.

    oneDNN 3.12 (in PyTorch 2.13) never writes some slices of the weight gradient in bfloat16
    (``jit_bf16:avx512_core_bf16``) where the kernel is longer than the volume has slices and the convolution pads
    by itself: a kernel of 3 over 2 slices gets whatever memory held before, for two of its three slices. Wider kernels
    write beyond their memory. The function and its weights are the same. In float32 nothing is padded: at six slices
    a step of the paper's network then takes a quarter less.

    Examples
    --------
    >>> import torch
    >>> conv, x = Conv3d(1, 1, 3, padding=1), torch.ones(1, 1, 2, 4, 4)
    >>> torch.allclose(conv.train()(x), conv.eval()(x), atol=1e-6)
    True
    """

    def forward(self, input: Tensor) -> Tensor:
        """As PyTorch's: (N, C, D, H, W) → (N, C', D', H', W')."""
        pad = self.padding
        few = 1 < input.shape[2] <= self.kernel_size[0]
        if not (self.training and few and _in_bfloat16(input)) or isinstance(pad, str) or not pad[0]:
            return super().forward(input)
        padded = F.pad(input, (0, 0, 0, 0, pad[0], pad[0]))
        return F.conv3d(padded, self.weight, self.bias, self.stride, (0, *pad[1:]), self.dilation, self.groups)


def _in_bfloat16(x: Tensor) -> bool:
    """Whether a convolution of it is computed in bfloat16."""
    kind = x.device.type
    return (torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else x.dtype) == torch.bfloat16


def trusted(net: N) -> N:
    """The network, its 3-D convolutions made :class:`Conv3d`; names and weights stay.

    For every network that is to learn, and the one way to it: :func:`spineclock.nets.networks.network` does it, so that
    networks are written in PyTorch's layers, ours as MONAI's.

    >>> type(trusted(nn.Sequential(nn.Conv3d(1, 1, 3)))[0]) is Conv3d
    True
    """
    for layer in net.modules():
        if type(layer) is nn.Conv3d:
            layer.__class__ = Conv3d
    return net
