"""The networks, each by its name: of scans the paper's and two rivals, of films two, of crops four, of CT two."""

from __future__ import annotations

from typing import get_args

import torch
from torch import Tensor, nn

from spineclock.core.errors import UsageError
from spineclock.nets.band import Banded
from spineclock.nets.convolution import trusted
from spineclock.nets.dcnn import AgeNet
from spineclock.nets.film import DROPOUT, EfficientNetFilm, FilmNet
from spineclock.nets.heads import Head
from spineclock.nets.multitask import MultitaskHead
from spineclock.nets.names import (
    CROP_NETWORKS,
    CT_NETWORKS,
    FILM_NETWORKS,
    SCAN_NETWORKS,
    NetworkName,
    Pool,
    require_band,
)


def network(
    name: NetworkName, *, outputs: int, shape: tuple[int, int, int], pool: Pool = "max", dropout: float = DROPOUT,
    head: object = None, band: int = 0,
) -> nn.Module:  # fmt: skip
    """An untrained network: volumes (N, 1, D, H, W) → (N, outputs).

    Its 3-D convolutions, whoever built them, are :func:`trusted <spineclock.nets.convolution.trusted>` ones from here.

    Parameters
    ----------
    name : str
        ``table2``: the paper's. ``resnet``: MONAI's 3-D ResNet-18. ``transformer``: MONAI's vision transformer over
        patches of an eighth of the slices by 16 × 16 (our choice: 6 layers, 4 heads, 192 features). ``film_small``: a
        residual network of films for CPUs. ``efficientnet_b4``: MONAI's, of films, with VERTE-X-Aging's head.
        ``crop_…``: of crops of vertebrae (:mod:`spineclock.nets.crops`). ``ct_…``: of regions of CT
        (:mod:`spineclock.nets.ct`).
    outputs : int
        Numbers a scan; of crops as many as levels.
    shape : (D, H, W)
        Of a prepared volume, D = 1 for a film; a transformer fits one shape only. Of crops D = levels × slices.
    pool : "max" or "average"
        How ``table2`` ends.
    dropout : float
        Of the networks of films.
    band : int
        Columns that a network of scans reads of each row, beginning where the spine does
        (:mod:`spineclock.nets.band`); 0 for all.
    head : Head, optional
        What its answers mean; networks of CT are built round theirs.

    Raises
    ------
    UsageError
        If there is no such network, a transformer's patches do not fit the shape, a network of films is to read
        scans or one of scans films, a film is too small, or the network cannot read such a band.

    Examples
    --------
    >>> type(network("film_small", outputs=60, shape=(1, 256, 128))).__name__
    'FilmNet'
    """
    _require_fit(name, shape, outputs)
    require_band(name, band, of=shape[2])
    if name in CT_NETWORKS:
        from spineclock.nets.ct import ct_network

        if not isinstance(head, MultitaskHead):
            raise UsageError(f"{name} without a head of detection or follow-up", wanted="one to be built round")
        return ct_network(name, head, dropout=dropout)  # type: ignore[arg-type]
    read = (*shape[:2], band or shape[2])
    net = trusted(_built(name, outputs=outputs, shape=read, pool=pool, dropout=dropout))
    return Banded(net, band) if band else net


def begin(net: nn.Module, head: Head) -> None:
    """Has a network begin with what is known of everybody, as its head tells, before anything is learned."""
    from spineclock.nets.ct import CtNet

    if isinstance(net, CtNet):
        assert isinstance(head, MultitaskHead), "networks of CT are built round such a head"
        net.begin(head.start)
        return
    head.begin(last_layer(net))


def _built(name: NetworkName, *, outputs: int, shape: tuple[int, int, int], pool: Pool, dropout: float) -> nn.Module:
    match name:
        case "table2":
            return AgeNet(pool, outputs=outputs)
        case "resnet":
            from monai.networks.nets.resnet import resnet18

            return resnet18(spatial_dims=3, n_input_channels=1, num_classes=outputs)
        case "transformer":
            return _transformer(outputs, shape)
        case "film_small":
            return FilmNet(outputs, dropout=dropout)
        case "efficientnet_b4":
            return EfficientNetFilm(outputs, dropout=dropout)
    if name in CROP_NETWORKS:
        from spineclock.nets.crops import crop_network

        return crop_network(name, levels=outputs, slices=shape[0] // outputs, dropout=dropout)
    raise UsageError(f"no network is called {name!r}", wanted=f"one of {', '.join(get_args(NetworkName))}")


def last_layer(net: nn.Module) -> nn.Linear:
    """The layer that makes a network's answer: its last linear one.

    >>> last_layer(network("film_small", outputs=60, shape=(1, 256, 128))).out_features
    60
    """
    return [module for module in net.modules() if isinstance(module, nn.Linear)][-1]


def channels_last(net: nn.Module) -> nn.Module:
    """The network, its kernels laid out with channels last, of pictures and of volumes alike; computes in place.

    ``net.to(memory_format=torch.channels_last_3d)`` alone fails on kernels of pictures.

    >>> channels_last(nn.Conv2d(2, 2, 3)).weight.stride()
    (18, 1, 6, 2)
    """
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    for parameter in net.parameters():
        if parameter.dim() in formats:
            parameter.data = parameter.data.to(memory_format=formats[parameter.dim()])
    return net


def _require_fit(name: NetworkName, shape: tuple[int, int, int], outputs: int) -> None:
    films = FILM_NETWORKS
    if name in CROP_NETWORKS:
        if shape[0] % outputs or min(shape[1:]) < 32:
            raise UsageError(
                f"{name} reads crops, and the prepared volumes have the shape {shape} for {outputs} levels",
                wanted="as many slices for each level, of at least 32 rows and columns",
            )
        return
    if name in CT_NETWORKS:
        if shape[0] != 27 or min(shape[1:]) < 32:
            raise UsageError(f"{name} reads regions of CT, and the prepared volumes have the shape {shape}",
                             wanted="27 slices (3 vertebrae × 3 × 3) of at least 32 rows and columns")  # fmt: skip
        return
    if name in films and (shape[0] != 1 or min(shape[1:]) < 32):
        raise UsageError(
            f"{name} reads films, and the prepared volumes have the shape {shape}",
            wanted="one slice of at least 32 rows and columns, such as (1, 1024, 512)",
            remedy=f"choose a network of scans ({', '.join(SCAN_NETWORKS)})",
        )
    if name in get_args(NetworkName) and name not in films and shape[0] == 1:
        raise UsageError(
            f"{name} reads scans of many slices, and the prepared volumes have the shape {shape}",
            wanted="at least 16 slices",
            remedy=f"choose a network of films ({', '.join(films)})",
        )


def _transformer(outputs: int, shape: tuple[int, int, int]) -> nn.Module:
    from monai.networks.nets.vit import ViT

    patch = (max(1, shape[0] // 8), 16, 16)
    if any(n % p for n, p in zip(shape, patch, strict=True)):
        raise UsageError(
            f"prepared volumes of shape {shape} do not fall into patches of {patch}",
            wanted="rows and columns that are multiples of 16, slices of 8",
            remedy="prepare the scans in another shape, or choose another network",
        )
    vit = ViT(1, shape, patch, hidden_size=192, mlp_dim=768, num_layers=6, num_heads=4, classification=True,
              num_classes=outputs, dropout_rate=0.1, post_activation="none")  # fmt: skip
    return _FirstAnswer(vit)


class _FirstAnswer(nn.Module):
    """A network without what it hands out beside its answer: MONAI's transformer adds each layer's features."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.net(x)[0]
        return answer
