"""Networks that read films: volumes of one slice, shape (N, 1, 1, H, W), so that all that feeds scans feeds films.

Each is cut in two, as :class:`spineclock.nets.dcnn.AgeNet` is: ``blocks`` makes the last convolutional features,
shape (N, C, 1, h, w), where Grad-CAM looks, and ``head`` makes the answer of them.

Source: the figure of VERTE-X-Aging for what follows the features (FC → BN → ReLU → dropout 0.5 → classes) and for
EfficientNet-B4. The small network is ours, for CPUs.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from monai.networks.nets.efficientnet import EfficientNetBN

DROPOUT = 0.5
WIDTHS = (16, 32, 64, 128)
"""Channels of the small network after each halving."""
DEPTHS = (0, 1, 2, 2)
"""Residual blocks after each."""
NEIGHBOURHOOD = 17
"""Pixels in a row, to whose mean and SD the small network's input is relative: a body's height on the small canvas."""
DOWNLOAD_S = 20.0
"""How long a connection may say nothing before ImageNet weights are given up."""


class LocalContrast(nn.Module):
    """Grey values as differences from their neighbourhood's mean, in its standard deviations; nothing is learned.

    How bright a film is here and there varies most and says little of age: shown that, the small network learned
    nothing from 3,200 films for 3,400 steps; shown local contrast, it learned after 300.

    Parameters
    ----------
    pixels : int
        Rows and columns of the neighbourhood, an odd number.

    Examples
    --------
    >>> x = torch.rand(1, 1, 32, 32)
    >>> local = LocalContrast(9)
    >>> torch.allclose(local(x), local(0.5 * x + 0.2), atol=0.3)
    True
    """

    LEAST = 0.02
    """Added to the standard deviation, of grey values between 0 and 1: flat air and its noise stay near 0."""

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.pixels = pixels

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, H, W) → the same."""
        with torch.autocast(x.device.type, enabled=False):  # a variance is a difference of large means
            away = x.float() - self._mean(x.float())
            return away / (self._mean(away.square()).sqrt() + self.LEAST)

    def _mean(self, x: Tensor) -> Tensor:
        n, half = self.pixels, self.pixels // 2
        for window, pad in (((n, 1), (half, 0)), ((1, n), (0, half))):
            x = F.avg_pool2d(x, window, 1, pad, count_include_pad=False)
        return x


class FilmHead(nn.Module):
    """From features to an answer: FC → batch norm → ReLU → dropout → FC, of each feature's average over the film.

    ``largest`` adds each feature's largest value to its average.

    Computed in float32 whatever precision the features come in: an age is a difference of large sums, and in bfloat16
    the logits of neighbouring years are the same number.

    Examples
    --------
    >>> tuple(FilmHead(8, 60).eval()(torch.zeros(2, 8, 1, 16, 8)).shape)
    (2, 60)
    """

    def __init__(
        self, features: int, outputs: int, *, width: int = 128, dropout: float = DROPOUT, largest: bool = False
    ) -> None:
        super().__init__()
        self.largest = largest
        self.fc = nn.Linear(2 * features if largest else features, width, bias=False)  # the norm has one
        self.norm = nn.BatchNorm1d(width)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, outputs)

    def forward(self, features: Tensor) -> Tensor:
        """Answers, shape (N, outputs), from features, shape (N, C, 1, h, w); a batch of one only in evaluation mode."""
        with torch.autocast(features.device.type, enabled=False):
            features = features.float()
            x = features.mean(dim=(2, 3, 4))  # N C
            if self.largest:
                x = torch.cat([x, features.amax(dim=(2, 3, 4))], dim=1)  # N 2C
            x = self.dropout(F.relu(self.norm(self.fc(x))))  # N 128
            answer: Tensor = self.linear(x)  # N outputs
        return answer


class Half(nn.Module):
    """Convolution 4² of stride 2, batch norm, ReLU: halves rounded down; cell i lies between pixels 2i and 2i + 1.

    That is where a pool of 2² puts it, so that a map of features needs no shift to lie on the film. A window wider than
    the stride lets through less of what is finer than the cells. With ``by`` 4 it is a quarter: 8² of stride 4.
    """

    def __init__(self, c_in: int, c_out: int, *, by: int = 2) -> None:
        super().__init__()
        self.conv = nn.Conv2d(c_in, c_out, kernel_size=2 * by, stride=by, padding=by // 2, bias=False)
        self.norm = nn.BatchNorm2d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C', H/by, W/by)."""
        return F.relu(self.norm(self.conv(x)), inplace=True)


class Residual(nn.Module):
    """Two convolutions 3² with batch norm, added to what came in (He et al., CVPR 2016, figure 2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same."""
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(x + self.norm2(self.conv2(y)), inplace=True)


class FilmNet(nn.Module):
    """A residual network of 0.97 million parameters that a CPU trains: local contrast, four halvings, five blocks.

    Batch norm, not group norm: a training step sees 16 films, enough for its statistics, which it keeps in float32
    under autocast, and at prediction it is a factor and an offset. With fewer than about 8 films a step on each device
    group norm would be the better choice. Plain convolutions, not depthwise ones: on a CPU a network of inverted
    bottlenecks with a quarter of the parameters took half as long again to train.

    Parameters
    ----------
    outputs : int
        Numbers a film: one, or as many as there are classes.
    dropout : float
        Share of the head's features that a training step leaves out.

    Examples
    --------
    >>> net = FilmNet(60).eval()
    >>> tuple(net(torch.zeros(2, 1, 1, 256, 128)).shape), sum(p.numel() for p in net.parameters())
    ((2, 60), 970908)
    >>> tuple(net.blocks(torch.zeros(2, 1, 1, 256, 128)).shape)
    (2, 128, 1, 16, 8)
    """

    def __init__(self, outputs: int, *, dropout: float = DROPOUT) -> None:
        super().__init__()
        self.contrast = LocalContrast(NEIGHBOURHOOD)
        layers: list[nn.Module] = []
        for c_in, c_out, depth in zip((1, *WIDTHS), WIDTHS, DEPTHS, strict=False):
            layers += [Half(c_in, c_out), *(Residual(c_out) for _ in range(depth))]
        self.layers = nn.Sequential(*layers)
        self.head = FilmHead(WIDTHS[-1], outputs, dropout=dropout, largest=True)

    def forward(self, x: Tensor) -> Tensor:
        """Answers, shape (N, outputs), from films, shape (N, 1, 1, H, W), H and W at least 16."""
        # N 1 256 128 → N 16 128 64 → N 32 64 32 → N 64 32 16 → N 128 16 8
        answer: Tensor = self.head(self.blocks(x))
        return answer

    def blocks(self, x: Tensor) -> Tensor:
        """The last convolutional features, shape (N, 128, 1, H/16, W/16), halves rounded down at each of four steps."""
        # one channel is first and last alike: told by its strides to be last, it keeps all that follows so
        x = self.contrast(x[:, :, 0])
        features: Tensor = self.layers(x[:, 0, :, :, None].permute(0, 3, 1, 2))  # N 1 H W
        return features[:, :, None]


class EfficientNetFilm(nn.Module):
    """MONAI's EfficientNet-B4 with the head of VERTE-X-Aging's figure; 18.5 million parameters, not trained.

    The first convolution reads one channel of grey. MONAI pads each convolution as for pictures of 380 pixels, so
    features may lie up to a cell's edge off where a pool would have put them.

    Parameters
    ----------
    outputs, dropout
        As in :class:`FilmNet`.

    Examples
    --------
    >>> net = EfficientNetFilm(60).eval()
    >>> tuple(net.blocks(torch.zeros(1, 1, 1, 64, 32)).shape)
    (1, 1792, 1, 2, 1)
    """

    def __init__(self, outputs: int, *, dropout: float = DROPOUT) -> None:
        super().__init__()
        from monai.networks.nets.efficientnet import EfficientNetBN

        self.net = EfficientNetBN("efficientnet-b4", pretrained=False, spatial_dims=2, in_channels=1, num_classes=1)
        features = self.net._fc.in_features
        del self.net._fc  # ours takes its place
        self.head = FilmHead(features, outputs, width=512, dropout=dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Answers, shape (N, outputs), from films, shape (N, 1, 1, H, W), H and W multiples of 32."""
        answer: Tensor = self.head(self.blocks(x))
        return answer

    def blocks(self, x: Tensor) -> Tensor:
        """The last convolutional features, shape (N, 1792, 1, H/32, W/32)."""
        return efficientnet_features(self.net, x[:, :, 0])[:, :, None]


def efficientnet_features(net: Any, x: Tensor) -> Tensor:
    """The last convolutional features of MONAI's EfficientNet, shape (N, C, h, w), from pictures (N, c, H, W)."""
    x = net._swish(net._bn0(net._conv_stem(net._conv_stem_padding(x))))
    x = net._conv_head(net._conv_head_padding(net._blocks(x)))
    features: Tensor = net._swish(net._bn1(x))
    return features


@dataclass(frozen=True)
class Start:
    """Where a network's weights begin."""

    imagenet: bool
    sentence: str
    """To be shown and kept with the run."""


def begin_from_imagenet(net: EfficientNetFilm) -> Start:
    """Gives the network the ImageNet weights that MONAI links to, if they can be had, and says which it was.

    They are taken from PyTorch's cache, or else downloaded (75 MB). Without a connection the network stays as it is.
    Its first convolution gets the sum of the kernels over the colours, which answers to grey as the three did.

    Examples
    --------
    >>> Start(False, "The network begins from random weights.").imagenet
    False
    """
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_S)
    try:
        coloured = _imagenet()
    except (OSError, RuntimeError) as error:  # no connection, no name, a broken file, another file than its hash says
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Start(False, f"The network begins from random weights: those of ImageNet cannot be had ({why}).")
    finally:
        socket.setdefaulttimeout(before)
    state = {name: t for name, t in coloured.state_dict().items() if not name.startswith("_fc.")}
    state["_conv_stem.weight"] = state["_conv_stem.weight"].sum(dim=1, keepdim=True)
    net.net.load_state_dict(state)
    return Start(True, "The network begins from EfficientNet-B4's weights for ImageNet.")


def _imagenet() -> EfficientNetBN:
    from monai.networks.nets.efficientnet import EfficientNetBN

    return EfficientNetBN("efficientnet-b4", pretrained=True, progress=False, spatial_dims=2)
