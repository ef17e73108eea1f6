"""Reading and writing weights: safetensors in half precision, with a hash; nothing is ever unpickled."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load_file

from spineclock.core.errors import InputError

if TYPE_CHECKING:  # the prediction path reads weights without PyTorch
    from torch import nn


def packaged(name: str) -> Path:
    """The path of a file that ships in ``spineclock/weights``.

    Raises
    ------
    InputError
        If the installation lacks it.
    """
    path = Path(str(resources.files("spineclock"))) / "weights" / name
    if not path.is_file():
        raise InputError(
            f"the packaged file weights/{name} is missing",
            wanted="a complete installation",
            remedy="install the package again",
        )
    return path


def model_folder(model: str, name: str) -> Path:
    """The folder of a model: its own, or of ``default`` the packaged one of this name."""
    return Path(str(resources.files("spineclock"))) / "weights" / name if model == "default" else Path(model)


def network_folders(model: str, name: str, kinds: Sequence[str]) -> list[Path]:
    """The folders of the networks of a model: those of each kind that it holds, or the model's own."""
    folder = model_folder(model, name)
    own = [folder / kind for kind in kinds if (folder / kind / "network.json").is_file()]
    return own if own and not (folder / "network.json").is_file() else [folder]


def save(net: nn.Module, path: Path, about: dict[str, str] | None = None) -> str:
    """Writes the network's tensors, floats in half precision, and returns the file's sha256."""
    from safetensors.torch import save as packed

    tensors = {
        name: (t.half() if t.is_floating_point() else t).contiguous().clone() for name, t in net.state_dict().items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_bytes(packed(tensors, metadata=about))  # save_file's is for its owner's eyes alone
    partial.replace(path)
    return sha256(path)


def read_arrays(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The tensors of a weights file by name, floats as float32.

    Raises
    ------
    InputError
        If the file is not safetensors.
    """
    try:
        arrays = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path.name} cannot be read as weights ({error})",
            wanted="a safetensors file",
            remedy="install the package again, or train the weights again",
        ) from error
    return {name: a.astype(np.float32) if a.dtype.kind == "f" else a for name, a in arrays.items()}


def load_into(net: nn.Module, path: Path) -> str:
    """Fills the network from a file, leaves it in evaluation mode, and returns the file's sha256.

    Raises
    ------
    InputError
        If the file is not safetensors, or holds other tensors than the network has.
    """
    import torch

    arrays, wanted = read_arrays(path), net.state_dict()
    wrong = sorted(set(wanted) ^ set(arrays)) or [n for n in wanted if tuple(wanted[n].shape) != arrays[n].shape]
    if wrong:
        raise InputError(
            f"{path.name} does not fit the network: {', '.join(wrong[:3])}",
            wanted=f"the {len(wanted)} tensors of {type(net).__name__}",
        )
    net.load_state_dict({name: torch.from_numpy(a).to(wanted[name].dtype) for name, a in arrays.items()})
    net.eval()
    return sha256(path)


def sha256(path: Path) -> str:
    """The file's SHA-256, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
