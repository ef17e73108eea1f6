"""Networks that read crops of vertebrae: one encoder of pictures for all levels of a scan, an answer a vertebra.

Their input is a scan's row of a store, shape (N, 1, levels × slices, H, W), a level's slices being the channels of its
picture. A level that could not be cropped is 0 throughout, is not encoded (so that batch norm never sees it), and is
answered with :data:`ABSENT`.

Source: Ho et al. (seed of recipe three) for EfficientNet-B4, ResNet-50 and InceptionResNet-v2 on single vertebral
bodies. The small network is ours, for CPUs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spineclock.core.errors import UsageError
from spineclock.nets.film import DROPOUT, Half, Residual, efficientnet_features
from spineclock.nets.names import NetworkName

ABSENT = float("-inf")
"""The answer where there is no crop; no network reaches it otherwise."""
WIDTHS, DEPTHS = (16, 32, 64, 96), (0, 1, 1, 1)
"""Channels of the small network after each halving, and residual blocks after each."""


class CropNet(nn.Module):
    """An encoder of single vertebrae with a head, applied to every level of a scan that there is.

    Parameters
    ----------
    encoder : module
        (M, slices, H, W) → (M, channels, h, w).
    channels : int
        Of its features.
    levels, slices : int
        Of a scan, and of a level.
    dropout : float
        Share of the features that a training step leaves out.

    Examples
    --------
    >>> net = crop_network("crop_small", levels=4, slices=1).eval()
    >>> x = torch.ones(2, 1, 4, 64, 64)
    >>> x[1, 0, 2] = 0  # could not be cropped
    >>> answer = net(x)
    >>> tuple(answer.shape), answer[1].isneginf().tolist(), sum(p.numel() for p in net.parameters())
    ((2, 4), [False, False, True, False], 398849)
    """

    def __init__(
        self, encoder: nn.Module, channels: int, *, levels: int, slices: int, dropout: float = DROPOUT
    ) -> None:
        super().__init__()
        self.levels, self.slices = levels, slices
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of disease, shape (N, levels), from (N, 1, levels × slices, H, W); ABSENT where there is no crop."""
        n, _, _, h, w = x.shape
        crops = x.reshape(n * self.levels, 1, self.slices, h, w)
        there = crops.flatten(1).any(dim=1)
        answers = torch.full((n * self.levels,), ABSENT, device=x.device)
        if there.any():
            answers[there] = self.head(self.blocks(crops[there]))[:, 0]
        return answers.view(n, self.levels)

    def blocks(self, x: Tensor) -> Tensor:
        """The last convolutional features of single vertebrae, shape (M, C, 1, h, w), from (M, 1, slices, H, W)."""
        picture = x[:, 0].contiguous(memory_format=torch.channels_last)
        features: Tensor = self.encoder(picture)
        return features[:, :, None]

    def head(self, features: Tensor) -> Tensor:
        """Logits of single vertebrae, shape (M, 1), in float32 whatever precision their features come in."""
        with torch.autocast(features.device.type, enabled=False):
            answer: Tensor = self.linear(self.dropout(features.float().mean(dim=(2, 3, 4))))
        return answer


class _EfficientNet(nn.Module):
    def __init__(self, slices: int) -> None:
        super().__init__()
        from monai.networks.nets.efficientnet import EfficientNetBN

        self.net = EfficientNetBN(
            "efficientnet-b4", pretrained=False, spatial_dims=2, in_channels=slices, num_classes=1
        )
        self.channels = int(self.net._fc.in_features)
        del self.net._fc  # CropNet's head takes its place

    def forward(self, x: Tensor) -> Tensor:
        return efficientnet_features(self.net, x)


class _ResNet(nn.Module):
    channels = 2048

    def __init__(self, slices: int) -> None:
        super().__init__()
        from monai.networks.nets.resnet import resnet50

        self.net = resnet50(spatial_dims=2, n_input_channels=slices, feed_forward=False)

    def forward(self, x: Tensor) -> Tensor:
        net: Any = self.net
        x = net.maxpool(net.act(net.bn1(net.conv1(x))))
        found: Tensor = net.layer4(net.layer3(net.layer2(net.layer1(x))))
        return found


class _Timm(nn.Module):
    LEAST = 96
    """Rows and columns to which smaller crops are enlarged: below 75 nothing is left after its halvings."""

    def __init__(self, name: str, slices: int) -> None:
        super().__init__()
        from spineclock.nets.timm_extra import timm

        self.net = timm("crop_inception_resnet_v2").create_model(
            name, pretrained=False, in_chans=slices, num_classes=0, global_pool=""
        )
        self.channels = int(self.net.num_features)

    def forward(self, x: Tensor) -> Tensor:
        if (least := min(x.shape[2:])) < self.LEAST:
            x = F.interpolate(x, scale_factor=self.LEAST / least, mode="bilinear")
        found: Tensor = self.net.forward_features(x)
        return found


def crop_network(name: NetworkName, *, levels: int, slices: int, dropout: float = DROPOUT) -> CropNet:
    """An untrained network of crops by its name.

    Raises
    ------
    UsageError
        If there is none of that name, or it needs a package that is not installed.
    """
    encoder: Any
    match name:
        case "crop_small":
            layers: list[nn.Module] = []
            for c_in, c_out, depth in zip((slices, *WIDTHS), WIDTHS, DEPTHS, strict=False):
                layers += [Half(c_in, c_out), *(Residual(c_out) for _ in range(depth))]
            return CropNet(nn.Sequential(*layers), WIDTHS[-1], levels=levels, slices=slices, dropout=dropout)
        case "crop_efficientnet_b4":
            encoder = _EfficientNet(slices)
        case "crop_resnet50":
            encoder = _ResNet(slices)
        case "crop_inception_resnet_v2":
            encoder = _Timm("inception_resnet_v2", slices)
        case _:
            raise UsageError(f"{name} is no network of crops", wanted="one whose name begins with crop_")
    return CropNet(encoder, encoder.channels, levels=levels, slices=slices, dropout=dropout)
