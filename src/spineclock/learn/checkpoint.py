"""A training's state on disk: written whole or not at all, and read back without unpickling anything but tensors."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from spineclock.core.errors import InputError


def write(path: Path, state: dict[str, Any]) -> None:
    """Replaces the file by this state; a kill at any time leaves the old one or the new one."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def read(path: Path) -> dict[str, Any]:
    """The state last written.

    Raises
    ------
    InputError
        If the file is damaged.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            f"{path} cannot be read as a training's state ({why})",
            wanted="the file that the training wrote",
            remedy="remove it, and the training begins anew",
        ) from error
    return state
