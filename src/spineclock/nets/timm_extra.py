"""The optional package timm, for networks that neither we nor MONAI have."""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import torch

from spineclock.core.errors import UsageError

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_DEFINED: list[torch.library.Library] = []
"""Kept for as long as the program runs: with the library its schemas go."""


def make_torchvision_importable() -> None:
    """Has torchvision, where it is installed, go together with a PyTorch of another build.

    Of torchvision there are only builds with CUDA: beside a PyTorch without, its import fails for want of two
    operators, which are then declared. Nothing here calls them. Lightning imports torchvision too, where it is there.
    """
    if _DEFINED or find_spec("torchvision") is None:
        return
    try:
        import_module("torchvision")
    except RuntimeError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for schema in _SCHEMAS:
            with contextlib.suppress(RuntimeError):  # declared already
                library.define(schema)
        _DEFINED.append(library)
        for name in [m for m in sys.modules if m.partition(".")[0] == "torchvision"]:
            del sys.modules[name]  # what was imported of it before it failed


def timm(wanted_for: str) -> ModuleType:
    """The package timm.

    Parameters
    ----------
    wanted_for : str
        Which network asks for it, for the message.

    Raises
    ------
    UsageError
        If it is not installed.
    """
    make_torchvision_importable()
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
