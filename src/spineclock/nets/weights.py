"""Reading and writing weights: safetensors in half precision, with a hash; nothing is ever unpickled."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from spineclock.core.errors import InputError


def save(net: nn.Module, path: Path, about: dict[str, str] | None = None) -> str:
    """Writes the network's tensors, floats in half precision, and returns the file's sha256."""
    tensors = {name: (t.half() if t.is_floating_point() else t).contiguous().clone() for name, t in net.state_dict().items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata=about)
    partial.replace(path)
    return sha256(path)


def load_into(net: nn.Module, path: Path) -> str:
    """Fills the network from a file and returns the file's sha256.

    Raises
    ------
    InputError
        If the file is not safetensors, or holds other tensors than the network has.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path.name} cannot be read as weights ({error})", wanted="a safetensors file",
                         remedy="install the package again, or train the weights again") from error
    wanted = net.state_dict()
    wrong = sorted(set(wanted) ^ set(tensors)) or [n for n in wanted if wanted[n].shape != tensors[n].shape]
    if wrong:
        raise InputError(f"{path.name} does not fit the network: {', '.join(wrong[:3])}",
                         wanted=f"{len(wanted)} tensors of {type(net).__name__}")
    net.load_state_dict({name: t.to(wanted[name].dtype) for name, t in tensors.items()})
    net.eval()
    return sha256(path)


def sha256(path: Path) -> str:
    """The file's SHA-256, in hexadecimal."""
    digest = hashlib.sha256(path.read_bytes())
    return digest.hexdigest()


