"""The spine-age network: a plain 3-D convolutional net of 2,950,401 parameters.

Source: Table 2 of the spine-age paper on whole-spine sagittal T2 MRI. The table's total settles what it does not say:
each convolution has a bias *and* a batch norm with scale and shift, the last linear layer a bias. What it leaves open
is our choice: a pool never reduces an axis that is already 1 (so that 16 slices survive five pools), and
the last pool takes the maximum or the mean over whatever is left (SFCN and pyment take the mean).
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn

from spineclock.nets import first_block
from spineclock.nets.names import Pool

CHANNELS = (32, 64, 128, 256, 256)
TOP_CHANNELS = 64


class Block(nn.Module):
    """Convolution 3³, batch norm, ReLU, max-pool 2³.

    The pool stands before the ReLU. Both are monotone, so max(ReLU(x)) = ReLU(max(x)) and the function is the
    table's to the bit, but the ReLU then touches an eighth of the voxels; block 1 is bound by memory traffic, and
    learns where it can by matrix products (:mod:`spineclock.nets.first_block`), the same to a millionth.
    """

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(c_in, c_out, kernel_size=3, padding=1)
        self.norm = nn.BatchNorm3d(c_out)

    def forward(self, x: Tensor) -> Tensor:
        """Features at half the resolution: (N, C, D, H, W) → (N, C', D/2, H/2, W/2), halves rounded down."""
        if first_block.applies(self.conv, self.norm, x):
            return nn.functional.relu(first_block.pooled(x, self.conv, self.norm))
        return self.by_layers(x)

    def by_layers(self, x: Tensor) -> Tensor:
        """The same, by PyTorch's layers one after another."""
        x = self.norm(self.conv(x))
        window = [2 if n > 1 else 1 for n in x.shape[2:]]  # an axis of 1 stays
        return nn.functional.relu(nn.functional.max_pool3d(x, window))


class AgeNet(nn.Module):
    """One number a scan, the standardised age; from prepared volumes with any axes of at least 16 voxels.

    Parameters
    ----------
    pool : "max" or "average"
        How the last feature maps become one value each.
    outputs : int
        Numbers a scan: one in the paper, as many as there are classes where ages are classes.

    Examples
    --------
    >>> import torch
    >>> net = AgeNet().eval()
    >>> sum(p.numel() for p in net.parameters())
    2950401
    >>> tuple(net(torch.zeros(2, 1, 16, 33, 19)).shape)
    (2, 1)
    """

    def __init__(self, pool: Pool = "max", *, outputs: int = 1) -> None:
        super().__init__()
        widths = (1, *CHANNELS)
        self.blocks = nn.Sequential(*(Block(a, b) for a, b in itertools.pairwise(widths)))
        self.top = nn.Conv3d(CHANNELS[-1], TOP_CHANNELS, kernel_size=1)
        self.top_norm = nn.BatchNorm3d(TOP_CHANNELS)
        self.pool = nn.AdaptiveMaxPool3d(1) if pool == "max" else nn.AdaptiveAvgPool3d(1)
        self.linear = nn.Linear(TOP_CHANNELS, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Standardised ages, shape (N, outputs), from volumes, shape (N, 1, D, H, W)."""
        # N 1 32 640 256 → N 32 16 320 128 → N 64 8 160 64 → N 128 4 80 32 → N 256 2 40 16 → N 256 1 20 8
        return self.head(self.blocks(x))

    def head(self, x: Tensor) -> Tensor:
        """The same from block 5's features; where Grad-CAM cuts the network."""
        ages: Tensor = self.linear(self.pooled(x))  # N 1
        return ages

    def pooled(self, x: Tensor) -> Tensor:
        """The 64 features, each over the whole scan, that an age is a weighted sum of; from block 5's features."""
        x = nn.functional.relu(self.top_norm(self.top(x)))  # N 64 1 20 8
        return self.pool(x).flatten(1)  # N 64


def layer_table(net: AgeNet | None = None) -> list[dict[str, str | int]]:
    """Table 2, counted from the network: block, layer, shape of the weights, parameters with biases and shifts.

    >>> sum(int(row["parameters"]) for row in layer_table())
    2950401
    """
    rows: list[dict[str, str | int]] = []
    for name, layer in (net or AgeNet()).named_modules():
        if not isinstance(layer, nn.Conv3d | nn.BatchNorm3d | nn.Linear):
            continue
        first, _, rest = name.partition(".")
        block = f"block {int(rest[0]) + 1}" if first == "blocks" else "prediction" if first == "linear" else "top"
        shape = " × ".join(str(n) for n in layer.weight.shape)
        count = sum(p.numel() for p in layer.parameters())
        rows.append({"block": block, "layer": type(layer).__name__, "weights": shape, "parameters": count})
    return rows
