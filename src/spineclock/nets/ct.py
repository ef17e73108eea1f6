"""Networks that read CT: one encoder of pictures for three vertebrae and the muscles round them, answers of a person.

Their input is a scan's row of a store, shape (N, 1, 27, H, W): three vertebrae, of each three stacks of three adjacent
slices, in this order. So a scan is nine pictures, a stack's slices standing where a picture has its colours. A vertebra
that is not there is 0 throughout, or told by a mask; it is not encoded while anything is learned (so that batch norm
never sees it), and counts as features of 0.

Each network is cut in two, as :mod:`spineclock.nets.film` cuts its own: ``blocks`` makes the last convolutional
features of all nine pictures, shape (N, C, 9, h, w), where Grad-CAM looks, and ``head`` makes the answer of them.

Source: seed 004 and its related public code (three consecutive vertebrae, three stacks of three slices, one ImageNet
encoder, ConvNeXt-Tiny, features concatenated). The small network is ours, for CPUs.
"""

from __future__ import annotations

import warnings
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spineclock.core.errors import UsageError
from spineclock.nets.film import DROPOUT, Half, Residual, Start
from spineclock.nets.multitask import MultitaskHead, TaskWeights

CtNetworkName = Literal["ct_small", "ct_convnext_tiny"]
VERTEBRAE, STACKS, SLICES = 3, 3, 3
ABSENT = float("-inf")
"""What a vertebra that is not there is answered with, as in :mod:`spineclock.nets.crops`."""
STRIDES, WIDTHS, DEPTHS = (4, 2, 2), (32, 64, 128), (0, 0, 1)
"""Of the small encoder: by how much each convolution makes pictures smaller, its channels, residual blocks after it."""
WIDTH = 128
"""Features of a person, after those of all pictures are brought together."""


class CtHead(nn.Module):
    """From the features of nine pictures to answers: of each vertebra from its own, of the person from all together.

    Each picture's global average; of a vertebra dropout → FC; of the person concatenated → FC → batch norm → ReLU →
    dropout → FC. In float32 whatever precision the features come in.

    Parameters
    ----------
    channels : int
        Of the features.
    person : int
        Answers of the person.
    per_vertebra : int
        Answers of each vertebra, which come first, a vertebra after the other; made by one layer for all vertebrae.

    Examples
    --------
    >>> head = CtHead(8, 5, per_vertebra=1).eval()
    >>> features = torch.ones(2, 8, 9, 4, 4)
    >>> features[1, :, 3:6] = 0  # the second vertebra is not there
    >>> answers = head(features)
    >>> tuple(answers.shape), answers[1].isneginf().tolist()[:4]
    ((2, 8), [False, True, False, False])
    """

    def __init__(self, channels: int, person: int, *, per_vertebra: int = 0, dropout: float = DROPOUT) -> None:
        super().__init__()
        self.vertebra = nn.Linear(STACKS * channels, per_vertebra) if per_vertebra else None
        self.fc = nn.Linear(VERTEBRAE * STACKS * channels, WIDTH, bias=False)  # the norm has one
        self.norm = nn.BatchNorm1d(WIDTH)
        self.dropout = nn.Dropout(dropout)
        with warnings.catch_warnings():  # of a network of vertebrae alone: that nothing needs no initial values
            warnings.filterwarnings("ignore", "Initializing zero-element")
            self.linear = nn.Linear(WIDTH, person)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, 9, h, w) → (N, 3 · per_vertebra + person); a batch of one only in evaluation mode."""
        with torch.autocast(features.device.type, enabled=False):
            each = features.float().mean(dim=(3, 4)).transpose(1, 2)  # N 9 C
            x = self.dropout(F.relu(self.norm(self.fc(each.flatten(1)))))  # N 128
            person: Tensor = self.linear(x)
            if self.vertebra is None:
                return person
            own = each.reshape(len(each), VERTEBRAE, -1)  # N 3 3C
            there = own.detach().any(dim=2, keepdim=True)  # N 3 1: some feature's average is not 0
            answers = self.vertebra(self.dropout(own)).masked_fill(~there, ABSENT)
            return torch.cat([answers.flatten(1), person], 1)


class CtNet(nn.Module):
    """An encoder of pictures, applied to nine of them, with the head that answers for vertebrae and person.

    Parameters
    ----------
    encoder : module
        (M, 3, H, W) → (M, channels, h, w).
    head : CtHead
    task_weights : int
        Log-variances added to the answers, see :class:`~spineclock.nets.multitask.TaskWeights`.

    Examples
    --------
    >>> from spineclock.nets.detection_head import DetectionHead
    >>> from spineclock.nets.hazard_head import HazardHead
    >>> net = ct_network("ct_small", MultitaskHead(DetectionHead(3), HazardHead())).eval()
    >>> tuple(net(torch.ones(2, 1, 27, 64, 112)).shape), sum(p.numel() for p in net.parameters())
    ((2, 8), 614598)
    >>> tuple(net.blocks(torch.ones(2, 1, 27, 64, 112)).shape)
    (2, 128, 9, 4, 7)
    """

    def __init__(self, encoder: nn.Module, head: CtHead, *, task_weights: int = 0) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head
        self.weights = TaskWeights(task_weights) if task_weights else None

    def forward(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        """Answers, shape (N, outputs), from scans (N, 1, 27, H, W) and, where told, which vertebrae are there, (N, 3).

        Without being told, those that are 0 throughout are not.
        """
        answers: Tensor = self.head(self.blocks(x, present))
        return answers if self.weights is None else self.weights(answers)

    def blocks(self, x: Tensor, present: Tensor | None = None) -> Tensor:
        """The last convolutional features, shape (N, C, 9, h, w), of pictures that are not there 0."""
        n, (h, w) = len(x), x.shape[-2:]
        if x.numel() != n * VERTEBRAE * STACKS * SLICES * h * w:
            raise UsageError(f"scans of shape {tuple(x.shape)}", wanted="(N, 1, 27, H, W): 3 vertebrae × 3 × 3 slices")
        pictures = x.reshape(n, VERTEBRAE, STACKS, SLICES, h, w)
        # a norm is found six times as fast as whether any value is not 0
        there = torch.linalg.vector_norm(pictures.flatten(2), dim=2) != 0 if present is None else present.bool()
        there = there[:, :, None].expand(n, VERTEBRAE, STACKS).flatten()  # N·9
        pictures = pictures.flatten(0, 2).contiguous(memory_format=torch.channels_last)  # N·9 3 H W
        if self.training and not there.all():
            learned: Tensor = self.encoder(pictures[there])
            features = learned.new_zeros(len(pictures), *learned.shape[1:]).index_put((there,), learned)
        else:  # all are there, or batch norm is at rest: a graph without a shape that depends on the data
            features = self.encoder(pictures)
            features = features.masked_fill(~there[:, None, None, None], 0)
        return features.unflatten(0, (n, VERTEBRAE * STACKS)).transpose(1, 2)  # N C 9 h w

    def begin(self, start: Tensor) -> None:
        """Has it begin with what is known of everybody: :attr:`~spineclock.nets.multitask.MultitaskHead.start`."""
        own = 0 if self.head.vertebra is None else VERTEBRAE * self.head.vertebra.out_features
        with torch.no_grad():
            self.head.linear.bias.copy_(start[own:])
            if self.head.vertebra is not None:
                self.head.vertebra.bias.copy_(start[:own].view(VERTEBRAE, -1).mean(0))


def ct_network(name: CtNetworkName, head: MultitaskHead, *, dropout: float = DROPOUT) -> CtNet:
    """An untrained network of CT by its name, with the answers that a head reads.

    Parameters
    ----------
    name : str
        ``ct_small``: a residual network of 0.6 million parameters that a CPU trains. ``ct_convnext_tiny``:
        ConvNeXt-Tiny of the optional package timm (Liu et al., CVPR 2022).
    head : MultitaskHead
        Its detection of one place is the person's, of three the vertebrae's.

    Raises
    ------
    UsageError
        If there is no such network, it needs a package that is not installed, or the head has other places.
    """
    places = 1 if head.detection is None else head.detection.places
    if places not in (1, VERTEBRAE):
        raise UsageError(f"detection at {places} places", wanted=f"1 (the person) or {VERTEBRAE} (each vertebra)")
    per_vertebra = head.detection.each if head.detection is not None and places > 1 else 0
    encoder = _encoder(name)
    end = CtHead(encoder.channels, head.answers - VERTEBRAE * per_vertebra, per_vertebra=per_vertebra, dropout=dropout)
    return CtNet(encoder, end, task_weights=head.task_weights)


def begin_from_imagenet(net: CtNet) -> Start:
    """Gives ConvNeXt-Tiny the ImageNet weights that timm links to, if they can be had, and says which it was.

    Without a connection, or a cache of timm's, the network stays as it is.

    Raises
    ------
    UsageError
        If the network is another.
    """
    if not isinstance(net.encoder, _ConvNext):
        raise UsageError("ImageNet weights for a network that is not ConvNeXt-Tiny", wanted="ct_convnext_tiny")
    try:
        found = _convnext(pretrained=True)
    except (OSError, RuntimeError, ValueError) as error:  # no connection, no name, a broken file
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Start(False, f"The network begins from random weights: those of ImageNet cannot be had ({why}).")
    net.encoder.net.load_state_dict(found.state_dict())
    return Start(True, "The network begins from ConvNeXt-Tiny's weights for ImageNet.")


class _Small(nn.Module):
    """A quartering, two halvings and a residual block, as those of :class:`spineclock.nets.film.FilmNet`.

    Nothing is computed at full resolution, nor at half of it. Four halvings and five blocks, a million parameters, took
    2.6 times as long a step. In simulated regions whose densities and heights we had changed, both had learned as much
    after 150 steps of 32 scans: the log risk told went with the true one by 0.84 (theirs 0.83), and the AUROC
    of a vertebra's fracture was 1.00 (0.97).
    """

    channels = WIDTHS[-1]

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for c_in, c_out, depth, by in zip((SLICES, *WIDTHS), WIDTHS, DEPTHS, STRIDES, strict=False):
            layers += [Half(c_in, c_out, by=by), *(Residual(c_out) for _ in range(depth))]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        # M 3 64 112 → M 32 16 28 → M 64 8 14 → M 128 4 7
        features: Tensor = self.layers(x)
        return features


class _ConvNext(nn.Module):
    channels = 768

    def __init__(self) -> None:
        super().__init__()
        self.net = _convnext(pretrained=False)

    def forward(self, x: Tensor) -> Tensor:
        # M 3 128 224 → M 96 32 56 → M 192 16 28 → M 384 8 14 → M 768 4 7
        features: Tensor = self.net.forward_features(x)
        return features


def _convnext(*, pretrained: bool) -> Any:
    from spineclock.nets.timm_extra import timm

    return timm("ct_convnext_tiny").create_model(
        "convnext_tiny", pretrained=pretrained, num_classes=0, drop_path_rate=0.1
    )


def _encoder(name: str) -> _Small | _ConvNext:
    match name:
        case "ct_small":
            return _Small()
        case "ct_convnext_tiny":
            return _ConvNext()
    raise UsageError(f"no network of CT is called {name!r}", wanted=f"one of {', '.join(get_args(CtNetworkName))}")
