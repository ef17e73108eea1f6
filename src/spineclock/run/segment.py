"""``spineclock segment``: one scan's label map, in the scan's own space."""

from __future__ import annotations

import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np

from spineclock import recipes
from spineclock.core.errors import InputError, RefusedError, UsageError
from spineclock.core.geometry import resample_like
from spineclock.core.recipe import LARGEST_BYTES, Engine
from spineclock.core.records import Scan
from spineclock.core.volume import Array, Mask
from spineclock.ingest import metaimage, nifti
from spineclock.ingest.refs import SeriesRef
from spineclock.ingest.series import load
from spineclock.recipes import ct_fracture, mri_age
from spineclock.recipes.mri_age import outline
from spineclock.run.listing import the_one
from spineclock.segment.ct_outline import outline_ct
from spineclock.segment.instances import Instances
from spineclock.segment.legible import header_quality
from spineclock.segment.schemes import WRITABLE, from_spineclock, left_out

AIR_FROM_HU = -900
"""No MRI has samples as low; air in CT lies below."""
_Grid = tuple[tuple[int, int, int], Array]


def segment_file(source: Path, out: Path, *, scheme: str = "spineclock", lowest_vertebra: str | None = None,
                 threads: int | None = None, engine: Engine = "auto") -> None:  # fmt: skip
    """Writes the label map of one scan as NIfTI on the scan's own grid, and says what it holds.

    Raises
    ------
    UsageError
        If the scheme cannot be written or ``out`` is no NIfTI name.
    InputError
        If there is not just one scan in the input.
    RefusedError
        If the scan is none whose spine can be outlined.
    """
    if scheme not in WRITABLE:
        raise UsageError(f"no scheme is called {scheme!r}", wanted=f"one of {', '.join(WRITABLE)}")
    if not out.name.endswith((".nii", ".nii.gz")):
        raise UsageError(f"{out.name} is no name for a label map", wanted="a name ending in .nii.gz")
    if not source.exists():
        raise UsageError(f"{source} does not exist", wanted="a scan, a DICOM folder or a .zip")
    if out.exists() and out.samefile(source):
        raise UsageError(f"{out} is the scan itself", wanted="another name for the label map")
    with tempfile.TemporaryDirectory(prefix="spineclock-") as scratch:
        ref, scan = _scan(source, Path(scratch))
        grid = _stored_grid(ref)
    by = _ct if scan.modality == "CT" else _mri
    found, notes = by(scan, lowest_vertebra=lowest_vertebra, engine=engine, threads=threads)
    labels = from_spineclock(found.labels, scheme)
    _write(labels, grid, out)
    names = ", ".join(v.level for v in found.vertebrae)
    lost = left_out(found.labels, scheme)
    print(f"{out}: vertebrae {names}; {len(found.discs)} discs; confidence {found.confidence:.2f}")
    for note in (*notes, *([f"{scheme} has no number for {', '.join(map(str, lost))}"] if lost else [])):
        print(f"note: {note}")


def _scan(source: Path, scratch: Path) -> tuple[SeriesRef, Scan]:
    """The one MRI scan of an input, else the one CT: by its header, or, where that is silent, by air at −1000."""
    mri, ct = (recipes.get(name).accepts for name in ("mri-age", "ct-fracture"))
    try:
        ref = the_one(source, mri, scratch=scratch)
        scan = load(ref)
    except InputError as no_mri:
        try:
            ref = the_one(source, ct, scratch=scratch)
        except InputError:
            raise no_mri from None
        return ref, load(ref)
    if not ref.facts.modality and scan.volume.array.min() <= AIR_FROM_HU:
        ref = the_one(source, ct, scratch=scratch)
        return ref, load(ref)
    return ref, scan


def _mri(
    scan: Scan, *, lowest_vertebra: str | None, engine: Engine, threads: int | None
) -> tuple[Instances, tuple[str, ...]]:
    """The instances of an MRI scan, and what to know of them."""
    quality = header_quality(scan)
    if quality.verdict == "refused":
        raise RefusedError("; ".join(quality.reasons))
    found = outline(scan, mri_age.segmenter(engine, threads), lowest_vertebra=lowest_vertebra)
    if not found.discs:
        raise RefusedError("no spine was found")
    return found, found.notes


def _ct(
    scan: Scan, *, lowest_vertebra: str | None, engine: Engine, threads: int | None
) -> tuple[Instances, tuple[str, ...]]:
    """The same of a CT, by the embedded network."""
    made = outline_ct(scan, scorer=ct_fracture.segmenter(engine, threads), lowest_vertebra=lowest_vertebra)
    assert made.instances is not None, "the network's answer has instances"
    return made.instances, made.notes


def _stored_grid(ref: SeriesRef) -> _Grid | None:
    """Shape and affine in the axes a file stores; None for DICOM, whose files have no volume's axes."""
    if ref.kind == "dicom":
        return None
    path = ref.frames[0][0]
    stored = (nifti if ref.kind == "nifti" else metaimage).volume(path, max_bytes=LARGEST_BYTES)
    return stored.shape, stored.affine


def _write(labels: Mask, grid: _Grid | None, out: Path) -> None:
    if grid is not None:  # back to the axes the scan is stored in: whole flips and swaps, so no label is changed
        labels = resample_like(labels, *grid)
    kind = np.uint8 if int(labels.array.max(initial=0)) < 256 else np.int16
    image = nib.Nifti1Image(np.asarray(labels.array, dtype=kind), labels.affine)
    image.header.set_xyzt_units("mm")
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name("." + out.name)  # keeps the ending, which tells nibabel whether to compress
    nib.save(image, partial)
    partial.replace(out)
