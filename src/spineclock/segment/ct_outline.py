"""A CT's label map: what it came with, else by a program that outlines, else by the embedded network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from spineclock.core.anatomy import ARCH, BODY
from spineclock.core.errors import GeometryError, RefusedError, UsageError
from spineclock.core.geometry import canonical
from spineclock.core.records import Quality, Scan
from spineclock.core.volume import Mask, Volume
from spineclock.segment.ct_instances import found_in
from spineclock.segment.ct_network import CtScorer, label_map
from spineclock.segment.instances import Instances
from spineclock.segment.parts import with_parts

FEWEST = 3
"""Fewer vertebrae than this name no levels."""
DOUBTFUL, UNUSABLE = 0.75, 0.4
"""Confidence of the outlines below which a scan is to be checked, or refused (docs/results/ct_segmentation.md)."""
SIMULATED = "outlined by a network that has seen simulated people only: look at the outlines and the level names"


class Made(Protocol):
    """What a program that outlines leaves."""

    @property
    def labels(self) -> Mask:
        """In the spineclock numbering, on the scan's grid."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of it."""
        ...


Program = Callable[[Volume], Made]


@dataclass(frozen=True, eq=False)
class CtOutlined:
    """A CT's label map in the spineclock numbering, bodies (200 +) and arches (300 +) apart, and what to know of it.

    ``source`` says who made it. ``instances`` are the vertebrae and discs that the network's answer was parted into,
    with their confidence (0 … 1, no probability); None for the other two.
    """

    labels: Mask
    source: Literal["given", "program", "network"]
    notes: tuple[str, ...] = ()
    instances: Instances | None = None

    @property
    def confidence(self) -> float:
        """Of the network's outlines; 1 where they were given or made by the program, which are believed."""
        return 1.0 if self.instances is None else self.instances.confidence


def outline_ct(
    scan: Scan, *, program: Program | None = None, scorer: CtScorer | None = None, lowest_vertebra: str | None = None
) -> CtOutlined:
    """The label map of a CT: the one it came with, else the program's, else the network's.

    Parameters
    ----------
    scan : Scan
        In Hounsfield units; its mask, where it has one, in the spineclock numbering.
    program : function, optional
        From a volume to its label map (``run.totalsegmentator.outline``), where it is installed.
    scorer : function, optional
        The packaged network (:func:`spineclock.segment.engine.ct_scorer`).
    lowest_vertebra : str, optional
        For the network: the level of the lowest vertebra in view; without it levels are counted from the sacrum up.

    Raises
    ------
    RefusedError
        If there is nothing to outline with, no spine was found, or what was found is not to be trusted.
    UsageError
        If a lowest vertebra is given to a label map that names its levels, or is no level.

    Examples
    --------
    >>> import numpy as np
    >>> from pathlib import Path
    >>> array, affine = np.zeros((9, 30, 12), np.uint8), np.diag([2.0, 2.0, 2.0, 1.0])
    >>> array[2:7, 14:24, 2:10], array[3:6, 8:14, 2:10], array[2:7, 4:8, 2:10] = 22, 61, 22  # L3 round its canal
    >>> scan = Scan("ct", Volume(array, affine), Path("ct.nii.gz"), mask=Mask(array, affine))
    >>> made = outline_ct(scan)
    >>> made.source, sorted(set(made.labels.array.ravel().tolist()))
    ('given', [0, 61, 222, 322])
    """
    if lowest_vertebra is not None and (scan.mask is not None or program is not None):
        raise UsageError("a lowest vertebra for a label map that names its levels", wanted="one or the other",
                         remedy="leave --lowest-vertebra out")  # fmt: skip
    if scan.mask is not None:
        return CtOutlined(_with_parts(scan.mask), "given")
    if program is not None:
        made = program(scan.volume)
        return CtOutlined(_with_parts(made.labels), "program", made.notes)
    if scorer is None:
        raise RefusedError("a CT without a label map, and nothing to outline it with", wanted="a label map (--mask)")
    classes, certainty = label_map(scan.volume, scorer)
    found = found_in(classes, certainty=certainty, lowest_vertebra=lowest_vertebra)
    verdict = outline_quality(found, named=lowest_vertebra is not None)
    if verdict.verdict == "refused":
        raise RefusedError(
            "; ".join(verdict.reasons),
            wanted="a spine of at least three vertebrae that the embedded network outlines plainly",
            remedy="give a label map (--mask FILE --mask-scheme NAME), or install TotalSegmentator",
        )
    return CtOutlined(found.labels, "network", (SIMULATED, *verdict.reasons), found)


def outline_quality(found: Instances, *, named: bool = False) -> Quality:
    """What speaks against the network's outlines; ``named``: the user gave the levels."""
    quality = Quality()
    if len(found.vertebrae) < FEWEST:
        return quality.with_reason("refused", f"{len(found.vertebrae)} vertebrae were found")
    if found.confidence < UNUSABLE:
        return quality.with_reason("refused", f"the outlines are not to be trusted (confidence {found.confidence:.2f})")
    if found.confidence < DOUBTFUL:
        quality = quality.with_reason("check", f"low confidence of the outlines ({found.confidence:.2f})")
    for note in found.notes:
        quality = quality.with_reason("check", note)
    if not (found.sacrum or named):
        quality = quality.with_reason(
            "check",
            f"no sacrum was found: the lowest vertebra is taken for {found.vertebrae[0].level}; name it if you know it "
            "(--lowest-vertebra)",
        )
    return quality


def _with_parts(labels: Mask) -> Mask:
    """The label map with bodies told from arches."""
    if ((labels.array > BODY) & (labels.array < ARCH)).any():
        return labels
    try:
        return with_parts(canonical(labels))
    except GeometryError as error:
        raise RefusedError(f"bodies and arches cannot be told apart: {error.found}", wanted=error.wanted) from error
