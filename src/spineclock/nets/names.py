"""What networks, their ends and their losses are called; known without PyTorch, so that settings are read at once."""

from __future__ import annotations

from typing import Literal

NetworkName = Literal["table2", "resnet", "transformer"]
Pool = Literal["max", "average"]
AgeLoss = Literal["mse", "smooth_l1", "soft_label", "mean_variance"]
