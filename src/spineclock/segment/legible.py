"""Whether the spine can be read in a scan: what is refused, what a reader should check, each with its reason."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from spineclock.core.anatomy import Structure
from spineclock.core.geometry import plane
from spineclock.core.records import Quality, Scan
from spineclock.core.volume import Array
from spineclock.segment.instances import Instance, Instances

MIN_SLICES = 5
MIN_DISCS = 3
"""Fewer complete discs than this give no age."""
DOUBTFUL, UNUSABLE = 0.75, 0.4
"""Confidence of the segmentation below which a scan is to be checked, or refused. The out-of-fold confidence of the
training people is above the first in all but the severely deformed (docs/results/segmentation.md)."""
SPACING_MM = (17.0, 55.0)
"""Distance between neighbouring discs' centres that a human spine has, from upper thoracic to lower lumbar."""


def header_quality(scan: Scan) -> Quality:
    """What header and grid alone say against reading the scan."""
    quality = Quality()
    if scan.modality not in ("", "MR"):
        return quality.with_reason("refused", f"this is {scan.modality}, not MRI; export the sagittal T2 MRI series")
    if scan.volume.shape[0] < MIN_SLICES:
        n = scan.volume.shape[0]
        return quality.with_reason(
            "refused",
            f"{n} sagittal slice{'s' * (n > 1)}: a single picture or a projection; wanted at least {MIN_SLICES}",
        )
    if plane(scan.volume) in ("axial", "coronal"):
        return quality.with_reason("refused", f"the slices are {plane(scan.volume)}; wanted a sagittal series")
    for note in scan.notes:
        quality = quality.with_reason("check", note)
    return quality


def spine_quality(found: Instances, scan: Scan, quality: Quality) -> Quality:
    """``quality`` with what the outlined spine says against reading the scan."""
    discs = [d for d in found.discs if d.complete]
    if not found.discs:
        return quality.with_reason("refused", "no spine was found")
    if len(discs) < MIN_DISCS or len(found.vertebrae) < MIN_DISCS:
        return quality.with_reason(
            "refused",
            f"too few levels: {len(discs)} complete discs and {len(found.vertebrae)} vertebrae were found; "
            f"wanted at least {MIN_DISCS} of each",
        )
    steps = [_distance_mm(a, b) for a, b in pairwise(discs)]
    if not SPACING_MM[0] <= float(np.median(steps)) <= SPACING_MM[1]:
        return quality.with_reason(
            "refused", f"what was found lies {np.median(steps):.0f} mm apart, which vertebrae do not; "
            "check the header's pixel spacing"
        )  # fmt: skip
    quality = _contrast(found, scan, quality)
    if found.confidence < UNUSABLE:
        return quality.with_reason(
            "refused", f"the segmentation is not to be trusted (confidence {found.confidence:.2f})"
        )
    if found.confidence < DOUBTFUL:
        quality = quality.with_reason(
            "check", f"low confidence of the segmentation ({found.confidence:.2f}): look at the outlines"
        )
    for note in found.notes:
        quality = quality.with_reason("check", note)
    return _view(found, quality)


def _contrast(found: Instances, scan: Scan, quality: Quality) -> Quality:
    labels, samples = found.labels.array, scan.volume.array
    canal = samples[labels == Structure.CANAL]
    bone = samples[np.isin(labels, [v.number for v in found.vertebrae])]
    if canal.size == 0:
        return quality.with_reason("refused", "no spinal canal was found, so signals have no reference")
    if np.percentile(canal, 75) <= np.median(bone):
        return quality.with_reason("refused", "the canal is darker than bone, as in T1-weighted images; wanted T2")
    if _void_share(bone, canal) > 0.15:
        quality = quality.with_reason("check", "dark voids within the vertebrae: metal, or a damaged image")
    return quality


def _void_share(bone: Array, canal: Array) -> float:
    """Share of bone that is as good as black beside CSF."""
    return float(np.mean(bone < 0.02 * np.percentile(canal, 90)))


def _view(found: Instances, quality: Quality) -> Quality:
    """Warnings about what the field of view leaves out."""
    lowest = found.vertebrae[0]
    if not lowest.complete:
        quality = quality.with_reason(
            "check",
            f"the lowest vertebra, taken for {lowest.level}, is cut: levels may be misnamed; name it if you know it",
        )
    lumbar = [d for d in found.discs if d.complete and d.level.split("/")[0] in ("L1", "L2", "L3", "L4", "L5")]
    if len(lumbar) < 5:
        quality = quality.with_reason("check", f"{len(lumbar)} of the 5 lumbar discs are complete in view")
    return quality


def _distance_mm(a: Instance, b: Instance) -> float:
    return float(np.linalg.norm(np.subtract(a.centroid_mm, b.centroid_mm)))
