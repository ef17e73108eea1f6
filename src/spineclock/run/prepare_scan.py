"""One scan of a cohort into its row of a store: read, outlined, prepared, written; in whatever process."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from spineclock import recipes
from spineclock.core.errors import RefusedError, SpineclockError
from spineclock.core.geometry import require_same_grid
from spineclock.core.recipe import Engine, Recipe
from spineclock.core.records import Scan
from spineclock.ingest.ct import upright_labels
from spineclock.ingest.find import reason
from spineclock.ingest.names import label_map_beside
from spineclock.ingest.nifti import read_mask
from spineclock.ingest.series import load
from spineclock.prep.store_format import About, Entry
from spineclock.prep.store_write import write_scan
from spineclock.run.listing import the_one

OWN = "spineclock"
"""The numbering of label maps that lie beside their scans, as `spineclock phantom mri` and `segment` write them."""
Stage = Literal["ingest", "segment", "prepare"]
_FIRST: Stage = "ingest"


@dataclass(frozen=True)
class Labels:
    """Where a scan's label map comes from: a file in some numbering, or the packaged network."""

    file: Path | None
    scheme: str = OWN


@dataclass(frozen=True)
class Job:
    """One scan to be prepared: for which recipe, which files, into which row of which store, what its source tells."""

    recipe: str
    scan_id: str
    path: Path
    labels: Labels | None
    source: Mapping[str, Any]
    row: int
    out: Path
    about: About
    engine: Engine
    threads: int
    max_bytes: int
    wanted: str = ""
    """The weighting that is read where several are there; any where empty."""
    told: str = ""
    """The weighting as the cohort's table tells it."""


@dataclass(frozen=True)
class Ended:
    """How one scan ended: its entry in the store's index, or at what stage and why there is none."""

    scan_id: str
    input: str
    entry: Entry | None = None
    stage: Stage = "ingest"
    problem: str = ""
    trace: str = ""


def prepared(job: Job) -> Ended:
    """Prepares one scan and writes it into its row; whatever is wrong with it is that scan's failure alone.

    Raises
    ------
    OSError
        If the store cannot be written, which would befall every other scan too.
    """
    recipe, stage = recipes.get(job.recipe), _FIRST
    try:
        scan = _read(job, recipe)
        if recipe.learning.outline is not None:
            stage = "segment"
            scan = _outlined(scan, job, recipe.learning.outline)
        stage = "prepare"
        made = recipe.learning.variants(scan, job.about.how)
    except (SpineclockError, OSError) as error:
        return Ended(job.scan_id, str(job.path), stage=stage, problem=reason(error))
    except Exception as error:  # one scan never stops a batch
        told = f"{type(error).__name__}: {error}"
        return Ended(job.scan_id, str(job.path), stage=stage, problem=told, trace=traceback.format_exc())
    entry = write_scan(
        job.out, job.row, made, job.about, scan_id=job.scan_id, source=job.source, film=scan.film,
        sequence=scan.sequence, notes=scan.notes,
    )  # fmt: skip
    return Ended(job.scan_id, str(job.path), entry)


def labels_of(path: Path, mask: Path | None, scheme: str) -> Labels:
    """Where a scan's label map comes from: the one told, else one beside it (``…_dseg.nii.gz``), else the network."""
    if mask is not None:
        return Labels(mask, scheme)
    return Labels(label_map_beside(path))


def source_of(path: Path, labels: Labels | None, *, network: str) -> dict[str, Any] | None:
    """What tells whether a scan's files are those it was prepared from: name, bytes, and time of the last change.

    None where the scan's own files are not there. ``labels`` is None where none are needed; ``network`` is the checksum
    of the weights that outline a scan without a label map, or the name of the program that does. A copy that keeps its
    time counts as the same file; one that does not is prepared again.
    """
    told = _fingerprint(path)
    if told is None:
        return None
    if labels is None:
        return told
    if labels.file is None:
        return {**told, "labels": {"network": network}}
    return {**told, "labels": {**(_fingerprint(labels.file) or {}), "scheme": labels.scheme}}


def _fingerprint(path: Path) -> dict[str, Any] | None:
    try:
        found = [file.stat() for file in _files(path)] if path.is_dir() else [path.stat()]
    except OSError:
        return None
    if not found:
        return None
    return {
        "file": path.name,
        "files": len(found),
        "bytes": sum(one.st_size for one in found),
        "modified_ns": max(one.st_mtime_ns for one in found),
    }


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(Path(entry.path))
            else:
                yield entry


def _read(job: Job, recipe: Recipe) -> Scan:
    """The one scan at the job's path that the recipe reads."""
    accepts = replace(recipe.accepts, sequences=(job.wanted,)) if job.wanted else recipe.accepts
    with tempfile.TemporaryDirectory(prefix="spineclock-") as scratch:  # archives are unpacked there
        scan = load(the_one(job.path, accepts, scratch=Path(scratch)), max_bytes=job.max_bytes)
    scan = _weighted(scan, job)
    quality = recipe.learning.quality(scan)
    if quality.verdict == "refused":
        raise RefusedError("; ".join(quality.reasons))
    return scan.noted(reason for reason in quality.reasons if reason not in scan.notes)


def _weighted(scan: Scan, job: Job) -> Scan:
    """The scan with its weighting as the table tells it where the file does not, which must be the wanted one."""
    if job.told and scan.sequence not in ("", job.told):
        raise RefusedError(f"the table says {job.told} and the file {scan.sequence}", wanted="one weighting",
                           remedy="mend the table's column sequence")  # fmt: skip
    sequence = scan.sequence or job.told
    if job.wanted and sequence not in ("", job.wanted):
        raise RefusedError(f"it is weighted {sequence}", wanted=job.wanted)
    return replace(scan, sequence=sequence)


def _outlined(scan: Scan, job: Job, outline: Callable[[Scan, Any], Scan]) -> Scan:
    """The scan with its label map in the spineclock numbering: as it stands in its file, or from the network."""
    assert job.labels is not None, "a recipe that needs outlines says where they come from"
    if job.labels.file is None:
        by_program = _by_program(scan, recipes.get(job.recipe).learning.program)
        return by_program or outline(scan, _segmenter(job.recipe, job.engine, job.threads))
    from spineclock.segment.schemes import to_spineclock

    mask = upright_labels(scan, read_mask(job.labels.file, max_bytes=job.max_bytes))
    require_same_grid(scan.volume, mask, what=f"the scan and {job.labels.file.name}")
    return scan.with_mask(to_spineclock(mask, job.labels.scheme))


def _by_program(scan: Scan, program: str) -> Scan | None:
    """The scan with its label map by a program that is not part of this package; None where it is not installed."""
    from spineclock.run import totalsegmentator

    if not (program and totalsegmentator.installed(program)):
        return None
    made = totalsegmentator.outline(scan.volume, program=program)
    return scan.with_mask(made.labels).noted(made.notes)


@lru_cache(maxsize=1)
def _segmenter(recipe: str, engine: Engine, threads: int) -> object:
    """The recipe's packaged network that outlines, loaded by the first scan of a process that needs it."""
    load = recipes.get(recipe).learning.segmenter
    assert load is not None, "a recipe that outlines says with what"
    return load(engine, threads)
