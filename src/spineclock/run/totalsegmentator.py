"""A CT's label map from the TotalSegmentator program, where it is installed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib

from spineclock.core.errors import InputError, SpineclockError, UsageError
from spineclock.core.volume import Mask, Volume
from spineclock.ingest.names import stem
from spineclock.ingest.nifti import read_mask
from spineclock.segment.totalsegmentator import CLASSES, PROGRAM, Task, command, merged, of_classes

LIMIT_S = 3600.0
"""Longest time a task may take; a whole abdomen takes about 10 minutes on a CPU without ``fast``."""


@dataclass(frozen=True, eq=False)
class Outlined:
    """A label map in the spineclock numbering, bodies (200 +) and arches (300 +) apart, and what to know of it."""

    labels: Mask
    notes: tuple[str, ...] = ()


def installed(program: str = PROGRAM) -> bool:
    """Whether the program can be run."""
    return shutil.which(program) is not None


def outline(
    volume: Volume, *, device: str = "cpu", fast: bool = False, program: str = PROGRAM, limit_s: float = LIMIT_S
) -> Outlined:
    """The label map of a CT by tasks ``total`` and, where its weights and licence are there, ``vertebrae_body``.

    Without the latter bodies are told from arches by geometry, with a note. The program's own configuration says where
    its weights lie; it may fetch them at its first call.

    Raises
    ------
    UsageError
        If the program is not installed.
    InputError
        If it fails, takes longer than allowed, or leaves no label map on the scan's grid.
    """
    found = shutil.which(program)
    if found is None:
        raise UsageError(f"no program called {program} is installed", wanted="TotalSegmentator on the search path",
                         remedy="pip install TotalSegmentator, or give a label map with --mask")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="spineclock-") as scratch:
        folder = Path(scratch)
        nib.save(nib.Nifti1Image(volume.array, volume.affine), folder / "ct.nii.gz")
        how = {"device": device, "fast": fast, "program": found}
        total = _task(folder, "total", how, limit_s)
        notes: tuple[str, ...] = ("label map by TotalSegmentator" + (" (fast)" if fast else ""),)
        try:
            body: Mask | None = _task(folder, "vertebrae_body", how, limit_s)
        except InputError as error:
            body = None
            notes += (f"bodies were told from arches by geometry: {error.found}",)
    return Outlined(merged(total, body), notes)


def read_folder(folder: Path) -> Mask:
    """The label map of task ``total`` in a folder: one file of all classes, or a file a class.

    Raises
    ------
    InputError
        If it holds none.
    """
    files = sorted(p for p in folder.iterdir() if p.name.endswith((".nii", ".nii.gz"))) if folder.is_dir() else []
    classes = {stem(p.name): p for p in files if stem(p.name) in CLASSES}
    if classes:
        return of_classes({name: read_mask(path) for name, path in classes.items()})
    if len(files) == 1:
        return read_mask(files[0])
    raise InputError(f"{len(files)} label maps in {folder.name}", wanted="one, or files such as vertebrae_L1.nii.gz")


def _task(folder: Path, task: Task, how: dict[str, object], limit_s: float) -> Mask:
    """The label map one task leaves."""
    out = folder / f"{task}.nii.gz"
    call = command(folder / "ct.nii.gz", out, task, **how)  # type: ignore[arg-type]
    try:
        done = subprocess.run(call, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{PROGRAM} took more than {limit_s:.0f} s for {task}",
                         wanted="a label map", remedy="use a GPU, or its fast mode") from error  # fmt: skip
    except OSError as error:
        raise InputError(f"{PROGRAM} could not be started ({error})", wanted="a program that runs") from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise InputError(f"{PROGRAM} ended with status {done.returncode} at {task} ({said[-1] if said else 'no word'})",
                         wanted="a label map", remedy="run it by hand on the scan to see what it lacks")  # fmt: skip
    try:
        return read_mask(out) if out.is_file() else read_folder(folder / task)
    except SpineclockError as error:
        raise InputError(f"{PROGRAM} left no label map for {task} ({error.found})", wanted="one") from error
