"""What all folders of trained networks share: a described network is read, checked, and asked.

The three kinds of networks have a module each: :mod:`spineclock.nets.run_folder` (ages),
:mod:`spineclock.nets.diagnosis_folder`, :mod:`spineclock.nets.risk_folder`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spineclock.core.errors import InputError, UsageError
from spineclock.core.volume import Array


def require_device(device: str) -> None:
    """Refuses a GPU that PyTorch does not see."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError(f"device is {device}, and PyTorch sees none here", wanted="cpu, or a machine with a GPU")


def described(
    folder: Path,
    *,
    keys: Collection[str],
    schema: str,
    faults: Callable[[dict[str, Any]], list[str]] = lambda about: [],
) -> dict[str, Any]:
    """What a run's ``network.json`` holds, with all of the keys.

    Parameters
    ----------
    folder : Path
        Of the run.
    keys : collection of str
        What it must tell.
    schema : str
        Such as ``spineclock.age-network/2``.
    faults : function
        From the description to what in it is not what its key promises, in words; :func:`grid` is looked at here.

    Raises
    ------
    InputError
        If there is none, it is of another schema (what was learned is then something else), or it has faults.
    """
    path = folder / "network.json"
    kind = schema.partition(".")[2].partition("-")[0]
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{folder} is no run of {'an' if kind == 'age' else 'a'} {kind} network ({error})",
            wanted="network.json and weights.safetensors",
            remedy="give the folder that training wrote, or 'default'",
        ) from error
    told = about.get("schema") if isinstance(about, dict) else None
    if isinstance(told, str) and told.partition("/")[0] != schema.partition("/")[0] and "-network/" in told:
        raise InputError(f"the network in {folder} is of the kind {told}", wanted=schema,
                         remedy="name the recipe it was trained for with --recipe")  # fmt: skip
    lacking = sorted(set(keys) - set(about)) if isinstance(about, dict) else sorted(keys)
    if lacking or told != schema:
        raise InputError(f"{path} lacks {', '.join(lacking) or 'the right schema'}", wanted=schema)
    found: dict[str, Any] = about
    wrong = faults(found)
    if grid(found) is None:
        wrong.append("preparation does not tell the shape of the input")
    if wrong:
        raise InputError(f"{path}: {'; '.join(wrong)}", wanted=schema, remedy="train the network again")
    return found


def grid(about: Mapping[str, Any]) -> tuple[int, int, int] | None:
    """The shape of a network's input, as its preparation tells it; None where it does not.

    >>> grid({"preparation": {"shape": [1, 256, 128]}}), grid({"preparation": {"shape": [256, 128]}})
    ((1, 256, 128), None)
    """
    told = about["preparation"].get("shape") if isinstance(about["preparation"], dict) else None
    if not (isinstance(told, list) and len(told) == 3 and all(type(n) is int and n > 0 for n in told)):
        return None
    i, j, k = told
    return i, j, k


def asked(net: nn.Module, prepared: Array) -> Tensor:
    """What a network answers to one prepared volume, shape (D, H, W): shape (1, outputs), on the network's device."""
    x = torch.from_numpy(np.array(prepared, dtype=np.float32))[None, None]
    with torch.inference_mode():
        raw: Tensor = net(x.to(next(net.parameters()).device))
    return raw
