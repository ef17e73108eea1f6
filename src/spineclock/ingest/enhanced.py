"""Frames of enhanced multi-frame DICOM, from its shared and per-frame functional groups (PS3.3 C.7.6.16)."""

from __future__ import annotations

from dataclasses import replace

from pydicom.dataset import Dataset

from spineclock.ingest.facts import image_type, number, numbers, text, weighted
from spineclock.ingest.stacks import Frame


def is_enhanced(header: Dataset) -> bool:
    """Whether a data set describes its frames by functional groups."""
    return "PerFrameFunctionalGroupsSequence" in header or "SharedFunctionalGroupsSequence" in header


def frames(header: Dataset, base: Frame) -> list[Frame]:
    """The frames of an enhanced data set, each ``base`` with its own place, times and image type."""
    count = int(number(header, "NumberOfFrames") or 1)
    per_frame = list(header.get("PerFrameFunctionalGroupsSequence") or ())
    if len(per_frame) != count and not (count == 1 and not per_frame):  # a damaged count may be billions
        problem = f"{count} frames declared and {len(per_frame)} described; wanted: one description a frame"
        return [replace(base, problem=problem + "; remedy: export the scan again.")]
    return [_frame(header, base, index, item) for index, item in enumerate(per_frame or [Dataset()])]


def functional_group(header: Dataset, index: int, name: str) -> Dataset:
    """The first item of a functional group for a frame, from the frame's own groups or the shared ones; else empty."""
    per_frame = header.get("PerFrameFunctionalGroupsSequence") or ()
    own = per_frame[index] if index < len(per_frame) else Dataset()
    return _group(header, own, name)


def _group(header: Dataset, own: Dataset, name: str) -> Dataset:
    shared = header.get("SharedFunctionalGroupsSequence") or ()
    for place in (own, *shared[:1]):
        items = place.get(name)
        if items:
            first: Dataset = items[0]
            return first
    return Dataset()


def _frame(header: Dataset, base: Frame, index: int, item: Dataset) -> Frame:
    content = _group(header, item, "FrameContentSequence")
    kind = image_type(_group(header, item, "MRImageFrameTypeSequence"), "FrameType") or base.facts.image_type
    echo = number(_group(header, item, "MREchoSequence"), "EffectiveEchoTime")
    timing = _group(header, item, "MRTimingAndRelatedParametersSequence")
    inversion = numbers(_group(header, item, "MRModifierSequence"), "InversionTimes")
    bare = replace(
        base.facts,
        image_type=kind,
        echo_time_ms=echo if echo is not None else base.facts.echo_time_ms,
        repetition_time_ms=number(timing, "RepetitionTime") or base.facts.repetition_time_ms,
        inversion_time_ms=inversion[0] if inversion else base.facts.inversion_time_ms,
        notes=(),
    )
    times = weighted(bare, header)
    return replace(
        base,
        index=index,
        position=numbers(_group(header, item, "PlanePositionSequence"), "ImagePositionPatient"),
        orientation=numbers(_group(header, item, "PlaneOrientationSequence"), "ImageOrientationPatient"),
        pixel_mm=numbers(_group(header, item, "PixelMeasuresSequence"), "PixelSpacing"),
        facts=replace(times, notes=tuple(dict.fromkeys((*base.facts.notes, *times.notes)))),
        marks=(
            "" if echo is None else f"{echo:09.3f}",
            "\\".join(kind),
            text(content, "TemporalPositionIndex"),
            text(_group(header, item, "MRDiffusionSequence"), "DiffusionBValue"),
            text(content, "StackID"),
            text(content, "FrameAcquisitionNumber"),
            base.marks[-1],
        ),
    )
