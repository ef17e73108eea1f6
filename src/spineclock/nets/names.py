"""What networks, their ends and their losses are called; known without PyTorch, so that settings are read at once."""

from __future__ import annotations

from typing import Literal

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
RADIOGRAPH_CLASSES = (40, 99)
"""First and last whole year of VERTE-X-Aging's classes; nobody younger or older is learned from."""
Pool = Literal["max", "average"]
AgeLoss = Literal["mse", "smooth_l1", "soft_label", "mean_variance"]
RateFalls = Literal["plateau", "linear"]
"""When a learning rate falls: as validation loss stops falling, or in a straight line to 0 over the whole training."""
