"""What networks, their ends and their losses are called; known without PyTorch, so that settings are read at once."""

from __future__ import annotations

from typing import Literal

from spineclock.core.errors import UsageError

NetworkName = Literal[
    "table2", "resnet", "transformer",
    "film_small", "efficientnet_b4",
    "crop_small", "crop_efficientnet_b4", "crop_resnet50", "crop_inception_resnet_v2",
    "ct_small", "ct_convnext_tiny",
]  # fmt: skip
SCAN_NETWORKS: tuple[NetworkName, ...] = ("table2", "resnet", "transformer")
"""Those that read whole scans."""
FILM_NETWORKS: tuple[NetworkName, ...] = ("film_small", "efficientnet_b4")
"""Those that read films, volumes of one slice."""
CROP_NETWORKS: tuple[NetworkName, ...] = (
    "crop_small", "crop_efficientnet_b4", "crop_resnet50", "crop_inception_resnet_v2",
)  # fmt: skip
"""Those that read crops of vertebrae, the last one by the extra ``timm``."""
CT_NETWORKS: tuple[NetworkName, ...] = ("ct_small", "ct_convnext_tiny")
"""Those that read regions of CT, the last one by the extra ``timm``."""
SMALLEST_BAND = 16
"""Columns that a network of scans can read at least."""
RADIOGRAPH_CLASSES = (40, 99)
"""First and last whole year of VERTE-X-Aging's classes; nobody younger or older is learned from."""
Pool = Literal["max", "average"]
AgeLoss = Literal["mse", "smooth_l1", "soft_label", "mean_variance"]
RateFalls = Literal["plateau", "linear"]
"""When a learning rate falls: as validation loss stops falling, or in a straight line to 0 over the whole training."""


def require_band(name: NetworkName, columns: int, *, of: int | None = None) -> None:
    """Refuses a band (:mod:`spineclock.nets.band`) that a network cannot read; 0 is none.

    >>> require_band("table2", 48, of=80)
    >>> require_band("film_small", 48)
    Traceback (most recent call last):
    spineclock.core.errors.UsageError: a band of 48 columns for film_small; wanted: 0, or at least 16 of whole scans.

    Raises
    ------
    UsageError
        If it has too few columns, or more than the scans (``of``), or the network is none of scans.
    """
    if columns == 0:
        return
    if name not in SCAN_NETWORKS or columns < SMALLEST_BAND:
        raise UsageError(f"a band of {columns} columns for {name}",
                         wanted=f"0, or at least {SMALLEST_BAND} of whole scans")  # fmt: skip
    if of is not None and columns > of:
        raise UsageError(f"a band of {columns} columns of scans that have {of}", wanted=f"at most {of}")
