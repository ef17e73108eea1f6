"""The networks an age can be learned by, each by its name: the paper's, and two rivals its authors wish for."""

from __future__ import annotations

from typing import get_args

from torch import Tensor, nn

from spineclock.core.errors import UsageError
from spineclock.nets.convolution import trusted
from spineclock.nets.dcnn import AgeNet
from spineclock.nets.names import NetworkName, Pool


def network(name: NetworkName, *, outputs: int, shape: tuple[int, int, int], pool: Pool = "max") -> nn.Module:
    """An untrained network: volumes (N, 1, D, H, W) → (N, outputs).

    Parameters
    ----------
    name : str
        ``table2``: the paper's. ``resnet``: MONAI's 3-D ResNet-18. ``transformer``: MONAI's vision transformer over
        patches of an eighth of the slices by 16 × 16 (our choice: 6 layers, 4 heads, 192 features).
    outputs : int
        Numbers a scan.
    shape : (D, H, W)
        Of a prepared volume; a transformer fits one shape only.
    pool : "max" or "average"
        How ``table2`` ends.

    Raises
    ------
    UsageError
        If there is no such network, or a transformer's patches do not fit the shape.
    """
    match name:
        case "table2":
            return AgeNet(pool, outputs=outputs)
        case "resnet":
            from monai.networks.nets.resnet import resnet18

            return trusted(resnet18(spatial_dims=3, n_input_channels=1, num_classes=outputs))
        case "transformer":
            return _transformer(outputs, shape)
    raise UsageError(f"no network is called {name!r}", wanted=f"one of {', '.join(get_args(NetworkName))}")


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
