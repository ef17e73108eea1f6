"""What the phantom's scanners hand over: series with their true label maps, and how each was acquired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from spineclock.core.volume import Mask, Volume

Station = Literal["", "cervical", "thoracic", "lumbar"]
Weighting = Literal["T1w", "T2w", "xray", "ct"]


@dataclass(frozen=True, eq=False)
class Series:
    """One simulated series; image and label map share a grid.

    ``volume`` is int16, ``labels`` uint16 in the numbering of :mod:`spineclock.core.anatomy`: bodies (200 +) and arches
    (300 +) apart, discs, cord, CSF, sacrum, ribs, muscles and subcutaneous fat. ``station`` says which part of a
    whole spine that was scanned in three pieces it is, "" where it is not. ``facts`` are BIDS sidecar fields by their
    BIDS names and units (RepetitionTime and EchoTime in seconds, MagneticFieldStrength in tesla, SliceThickness and
    SpacingBetweenSlices in mm, Manufacturer, ManufacturersModelName, StationName, SeriesDescription,
    MRAcquisitionType, FlipAngle, EchoTrainLength, BodyPartExamined), plus ``SimulatedArtefacts``, a list of words.
    """

    weighting: Weighting
    station: Station
    volume: Volume
    labels: Mask
    facts: dict[str, Any]
