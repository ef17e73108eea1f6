"""Whether the spine can be read in a scan: what is refused, what a reader should check, each with its reason."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from spineclock.core.anatomy import DISC, Structure
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
SACRUM_MM = 30.0
"""A lowest disc nearer than this to the lower border leaves no room for a sacrum below it."""
SPACING_MM = (17.0, 55.0)
"""Distance between neighbouring discs' centres that a human spine has, from upper thoracic to lower lumbar."""
CERVICAL_MM = 11.0
"""The least it may be where the neck is in view."""


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
    if _drawn(scan.volume.array):
        return quality.with_reason(
            "refused", "neighbouring samples are all alike: a label map or a drawing, not a scan"
        )
    for note in scan.notes:
        quality = quality.with_reason("check", note)
    return quality


def _drawn(array: Array) -> bool:
    """Whether most neighbours hold the very same value, as noise prevents; background and saturation do not count."""
    between = (array > array.min()) & (array < array.max())
    inside = between[:, :, :-1] & between[:, :, 1:]
    alike = array[:, :, :-1] == array[:, :, 1:]
    return bool(inside.any()) and float(np.mean(alike[inside])) > 0.6


def spine_quality(found: Instances, scan: Scan, quality: Quality, *, named: bool = False) -> Quality:
    """``quality`` with what the outlined spine says against reading the scan; ``named``: the user gave the levels."""
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
    least_mm = CERVICAL_MM if discs[-1].level == "C2/C3" else SPACING_MM[0]
    if not least_mm <= float(np.median(steps)) <= SPACING_MM[1]:
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
    return _view(found, quality if named else _lower_end(found, scan, quality))


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


def _lower_end(found: Instances, scan: Scan, quality: Quality) -> Quality:
    """Warnings where the sacrum, from which levels are counted, may not be in view, unless it is."""
    if found.sacrum:
        return quality
    lowest, disc = found.vertebrae[0], found.discs[0]
    if not lowest.complete:
        quality = quality.with_reason(
            "check",
            f"the lowest vertebra, taken for {lowest.level}, is cut: levels may be misnamed; name it if you know it",
        )
    elif disc.number != lowest.number + DISC:
        quality = quality.with_reason(
            "check", f"no disc is seen below the lowest vertebra, taken for {lowest.level}: name it if you know it"
        )
    above_border_mm = _index(disc.centroid_mm, scan)[2] * scan.volume.spacing_mm[2]
    if above_border_mm < SACRUM_MM:
        quality = quality.with_reason(
            "check",
            f"the lowest disc, taken for {disc.level}, lies {above_border_mm:.0f} mm above the picture's lower border: "
            "the sacrum may be out of view and levels misnamed; name the lowest vertebra if you know it",
        )
    return quality


def _view(found: Instances, quality: Quality) -> Quality:
    """A warning where lumbar discs are out of view."""
    lumbar = [d for d in found.discs if d.complete and d.level.split("/")[0] in ("L1", "L2", "L3", "L4", "L5")]
    if len(lumbar) < 5:
        quality = quality.with_reason("check", f"{len(lumbar)} of the 5 lumbar discs are complete in view")
    return quality


def _index(point_mm: tuple[float, float, float], scan: Scan) -> Array:
    """The voxel index of a point of the patient."""
    inverse = np.linalg.inv(scan.volume.affine)
    return np.asarray(inverse[:3, :3] @ np.asarray(point_mm) + inverse[:3, 3])


def _distance_mm(a: Instance, b: Instance) -> float:
    return float(np.linalg.norm(np.subtract(a.centroid_mm, b.centroid_mm)))
