"""Which series of the inputs are read, which gave nothing, which lay beside."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spineclock.core.errors import InputError
from spineclock.core.recipe import Accepts
from spineclock.core.records import Failure
from spineclock.ingest.choose import Refusal, choose
from spineclock.ingest.refs import SeriesRef
from spineclock.ingest.series import list_series

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listed:
    """The series to read, the inputs that gave none, and series beside those taken (a study's other ones)."""

    refs: tuple[SeriesRef, ...]
    failures: tuple[Failure, ...]
    not_taken: tuple[Refusal, ...]


def listed(inputs: Sequence[Path], accepts: Accepts, *, scratch: Path) -> Listed:
    """What lies at some paths, chosen by headers; archives are unpacked below ``scratch``, which the caller removes."""
    listing = list_series(*inputs, scratch=scratch, films=accepts.projection, pictures=accepts.pictures)
    choice = choose(listing.refs, accepts)
    for refusal in choice.refused:
        log.info("%s was not taken: %s", refusal.ref.label, refusal.reason)
    for ref in choice.chosen:
        if ref.stations:
            log.info("%s: %s", ref.scan_id, "; ".join(ref.notes))
    for lone in choice.apart:
        log.warning("%s is read by itself, %s", lone.ref.label, lone.reason)
    failed = {f.input for f in choice.failures}
    beside = tuple(r for r in choice.refused if not failed & {str(r.ref.source), str(r.ref.source.parent)})
    return Listed(choice.chosen, (*listing.failures, *choice.failures), beside)


def the_one(source: Path, accepts: Accepts, *, scratch: Path) -> SeriesRef:
    """The one series of an input that fits.

    Raises
    ------
    InputError
        If there is none, with the reason, or more than one, with their names.
    """
    found = listed([source], accepts, scratch=scratch)
    if not found.refs:
        why = "; ".join(f.reason.rstrip(".") for f in found.failures) or "no scan"
        raise InputError(f"{source}: {why}")
    if len(found.refs) > 1:
        names = ", ".join(r.label for r in found.refs[:10]) + (", …" if len(found.refs) > 10 else "")
        raise InputError(
            f"{len(found.refs)} scans in {source} ({names})",
            wanted=f"one: {accepts.wanted}",
            remedy="name the file, or use spineclock predict for many",
        )
    return found.refs[0]
