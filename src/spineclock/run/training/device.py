"""Where a training runs and how it computes: the device, the precision, and the allocator's habits."""

from __future__ import annotations

import ctypes
import logging
import os
import platform
from typing import TYPE_CHECKING, Literal

from spineclock.core.errors import UsageError

if TYPE_CHECKING:
    from lightning.fabric import Fabric

log = logging.getLogger(__name__)
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
"""Of glibc's malloc.h."""


def resolved(device: str) -> Literal["cpu", "cuda"]:
    """``cpu`` or ``cuda``; ``auto`` is a GPU where PyTorch sees one.

    Raises
    ------
    UsageError
        If a GPU is asked for and there is none.
    """
    import torch

    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise UsageError("device is cuda, and PyTorch sees no GPU here", wanted="cpu or auto")
    return "cuda" if device != "cpu" and there else "cpu"


def fabric(device: str, *, devices: int, precision: str) -> Fabric:
    """Lightning's Fabric for this machine, launched: with several devices there are as many processes from here on.

    Precision ``auto`` is bfloat16 where the processor has instructions for it, else float32.
    """
    import warnings

    from spineclock.nets.timm_extra import make_torchvision_importable

    make_torchvision_importable()  # Lightning imports it where it is installed
    from lightning.fabric import Fabric

    where = resolved(device)
    bfloat16 = precision == "bfloat16" or (precision == "auto" and computes_in_bfloat16(where))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hints about TPUs and other machines that are not here
        logging.getLogger("lightning.fabric").setLevel(logging.WARNING)
        made = Fabric(
            accelerator=where,
            devices=devices,
            strategy="auto" if devices == 1 else "ddp",
            precision="bf16-mixed" if bfloat16 else "32-true",
        )
        made.launch()
    return made


def set_threads(threads: int | None) -> None:
    """So many processor threads; as many as PyTorch likes where None."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


def is_first_process() -> bool:
    """Whether this is the one of several processes that may write, also before they know of each other."""
    return all(os.environ.get(name, "0") == "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


def computes_in_bfloat16(device: str) -> bool:
    """Whether the device has instructions for bfloat16, so that it gains by it."""
    import torch

    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported and supported())


def keep_big_buffers() -> bool:
    """Tells glibc's malloc to keep large freed blocks instead of handing them back to the system; whether it heard.

    A network's features are such blocks, freed and asked for at each step: fetching their pages anew took more than
    half of a training step at 20 × 256 × 128. Memory use may double. To be called once, at the start of a training, and
    nowhere else: it holds for the whole process.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    told = ctypes.CDLL(None).mallopt
    heard = [told(M_MMAP_MAX, 0), told(M_TRIM_THRESHOLD, -1), told(M_TOP_PAD, 64 << 20)]
    return all(heard)
