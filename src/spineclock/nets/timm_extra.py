"""The optional package timm, for networks that neither we nor MONAI have."""

from __future__ import annotations

import contextlib
from types import ModuleType

import torch

from spineclock.core.errors import UsageError

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_DEFINED: list[torch.library.Library] = []
"""Kept for as long as the program runs: with the library its schemas go."""


def timm(wanted_for: str) -> ModuleType:
    """The package timm.

    It imports torchvision, of which there are only builds with CUDA: beside a PyTorch without, that fails for want of
    two operators, which are therefore declared first. Nothing here calls them.

    Parameters
    ----------
    wanted_for : str
        Which network asks for it, for the message.

    Raises
    ------
    UsageError
        If it is not installed.
    """
    if not torch.cuda.is_available() and not _DEFINED:
        library = torch.library.Library("torchvision", "DEF")
        for schema in _SCHEMAS:
            with contextlib.suppress(RuntimeError):  # declared already
                library.define(schema)
        _DEFINED.append(library)
    try:
        import timm as found
    except ImportError as error:
        raise UsageError(
            f"{wanted_for} needs the package timm, which cannot be imported ({error})",
            wanted="timm and torchvision",
            remedy="pip install 'spineclock[timm]', or choose another network of crops",
        ) from error
    package: ModuleType = found
    return package
