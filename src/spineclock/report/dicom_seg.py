"""A label map as a DICOM segmentation (PS3.3 A.51) of the series it belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from spineclock.core.errors import GeometryError
from spineclock.core.volume import Mask, Volume
from spineclock.report.dicom import STATEMENT, Examination, Planes, meta, planes
from spineclock.report.label_names import Code, label_of


def segmentation(
    mask: Mask, sources: Sequence[Dataset], examination: Examination, *, name: str, number: int,
    cut: Callable[[Volume], Planes] = planes,
) -> Dataset:  # fmt: skip
    """The label map as one object, a segment a structure; segments are counted from 1, as the standard asks.

    The number in the label map is kept in each segment's tracking ID, ``spineclock 223``. Empty frames are left out.
    It is a binary segmentation, not a packed or a label-map one, since only the former is what viewers read.

    Parameters
    ----------
    mask : Mask
        On the grid of the images.
    sources : sequence of Dataset
        The series' images in the order in which :func:`spineclock.report.dicom.images` gives them.
    name : str
        What tells the series from the study's others.
    number : int
        SeriesNumber.
    cut : callable
        How the images were cut from their volume; sagittally where not given.

    Raises
    ------
    GeometryError
        If the label map has another grid than the images, or holds no structure.
    """
    import highdicom as hd

    slices, positions, _, _ = cut(mask)
    _require_same(slices, positions, sources)
    numbers = [int(n) for n in np.unique(mask.array) if n]
    if not numbers:
        raise GeometryError("a label map without any structure", wanted="at least one")
    renumber = np.zeros(max(numbers) + 1, np.uint16)
    renumber[numbers] = np.arange(1, len(numbers) + 1)
    found = hd.seg.Segmentation(
        sources,
        renumber[np.stack(slices)],
        hd.seg.SegmentationTypeValues.BINARY,
        [_described(n, k, examination, name) for k, n in enumerate(numbers, start=1)],
        series_instance_uid=examination.uid("series", name),
        series_number=number,
        sop_instance_uid=examination.uid("segmentation", name),
        instance_number=1,
        manufacturer="spineclock",
        manufacturer_model_name="spineclock",
        software_versions=f"spineclock {version('spineclock')}",
        device_serial_number="simulated",
        content_label="SPINE",
        content_description="True label map of a simulated scan",
        series_description=f"{sources[0].SeriesDescription}, true label map"[:64],
        omit_empty_frames=True,
    )
    _fix_in_time(found, sources[0], examination, name)
    return found


def _described(number: int, segment: int, examination: Examination, name: str) -> Any:
    """One segment: what it is, by name, code and number in the label map."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    label = label_of(number)
    found = hd.seg.SegmentDescription(
        segment_number=segment,
        segment_label=label.name,
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=_code(label.kind),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name="spineclock phantom", family=codes.DCM.DeformableModels, version=version("spineclock")
        ),
        tracking_uid=examination.uid("segment", name, number),
        tracking_id=f"spineclock {number}",
        anatomic_regions=[_code(label.place)] if label.place else None,
    )
    found.SegmentDescription = f"number {number} of the spineclock label map"
    return found


def _code(code: Code) -> Any:
    import highdicom as hd

    return hd.sr.CodedConcept(value=code[0], scheme_designator="SCT", meaning=code[1])


def _require_same(slices: Sequence[np.ndarray], positions: Sequence[np.ndarray], sources: Sequence[Dataset]) -> None:
    """Raise :class:`GeometryError` unless the label map's slices are those of the images, one by one."""
    here = [(one.Rows, one.Columns) for one in sources]
    if [s.shape for s in slices] != here:
        raise GeometryError(
            f"a label map of {len(slices)} slices of {slices[0].shape} on {len(here)} images of {here[0]}",
            wanted="one grid for both",
        )
    away = max(
        float(np.abs(np.asarray(one.ImagePositionPatient, dtype=float) - at).max())
        for one, at in zip(sources, positions, strict=True)
    )
    if away > 1e-3:
        raise GeometryError(f"a label map up to {away:.3f} mm from its images", wanted="one grid for both")


def _fix_in_time(found: Dataset, source: Dataset, examination: Examination, name: str) -> None:
    """Dates, times and identifiers that are drawn anew at each call become functions of the scan, in place."""
    for keyword in ("Content", "Series", "InstanceCreation"):
        setattr(found, f"{keyword}Date", source.ContentDate)
        setattr(found, f"{keyword}Time", source.ContentTime)
    dimension = examination.uid("dimensions", name)
    found.DimensionOrganizationSequence[0].DimensionOrganizationUID = dimension
    for item in found.DimensionIndexSequence:
        item.DimensionOrganizationUID = dimension
    for item in found.get("ContributingEquipmentSequence", ()):
        item.ContributionDateTime = source.ContentDate + source.ContentTime
    found.PatientAge, found.PatientComments = source.PatientAge, STATEMENT
    found.StudyDescription, found.QualityControlSubject = source.StudyDescription, "YES"
    found.IssuerOfPatientID = source.IssuerOfPatientID
    found.file_meta = meta(found, ExplicitVRLittleEndian)
