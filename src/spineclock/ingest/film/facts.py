"""What a header or a sidecar tells of a film: kind, view, facing, pixel spacing, and why it may be none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spineclock.ingest.facts import Header, image_type, number, numbers, text
from spineclock.ingest.film import words
from spineclock.ingest.film.spacing import spacing
from spineclock.ingest.refs import FilmFacts, View

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from spineclock.core.records import Film

_WORDS = (
    "SeriesDescription", "StudyDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription",
    "BodyPartExamined",
)  # fmt: skip
_OWN_WORDS = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription")
"""Of the film itself; the study's description may name both views, and a densitometry beside the radiograph."""
_SECONDARY = "1.2.840.10008.5.1.4.1.1.7"
_NO_PICTURES = ("SEG", "SR", "KO", "PR", "RTSTRUCT", "RTPLAN", "RTDOSE", "DOC", "ECG")


def is_film(header: Dataset, *, pictures: bool) -> bool:
    """Whether a DICOM data set is to be read as a film: always under CR, DX, DR and RG.

    With ``pictures`` also secondary captures, and what has modality BMD, OT, SC or none, and no place in space.
    """
    modality = text(header, "Modality").upper()
    if modality in words.XRAY_MODALITIES:
        return True
    if not pictures or modality in _NO_PICTURES:
        return False
    secondary = text(header, "SOPClassUID").startswith(_SECONDARY)
    placed = bool(numbers(header, "ImagePositionPatient"))
    return secondary or (modality in words.OTHER_MODALITIES and not placed)


def film_facts(header: Header, *, rows: int, columns: int, name: str = "", modality: str = "") -> FilmFacts:
    """What a DICOM header, or a sidecar with DICOM's keywords, tells of a film.

    Parameters
    ----------
    rows, columns : int
        Of the picture.
    name : str
        The file's name, whose words count where files are no DICOM.
    modality : str
        DICOM's code, empty where it is not stated.
    """
    own = words.plain(name, *(text(header, k) for k in _OWN_WORDS))
    every = words.plain(name, *(text(header, k) for k in _WORDS))
    maker = words.plain(*(text(header, k) for k in ("Manufacturer", "ManufacturerModelName", "ManufacturersModelName")))
    kind, kind_note = _kind(text(header, "FilmKind"), modality, maker, own, every)
    across, down = directions(header)
    view, view_note = _view(header, own, across, down)
    size = spacing(header, rows=rows, columns=columns, modality=modality)
    instance = number(header, "InstanceNumber")
    return FilmFacts(
        kind, view, across, down, size.down_mm, size.across_mm, size.kind,
        None if instance is None else int(instance), words.bent(own), _unfit(header, every),
        tuple(n for n in (kind_note, view_note, size.note) if n),
    )  # fmt: skip


def directions(header: Header) -> tuple[str, str]:
    """Where columns and rows of a picture run to in the patient: letters of A, P, L, R, H and F, empty where unknown.

    From PatientOrientation, or from ImageOrientationPatient where that is missing; of an oblique direction such as
    ``AL`` its first letter.

    >>> directions({"PatientOrientation": ["A", "F"]}), directions({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]})
    (('A', 'F'), ('P', 'F'))
    >>> directions({"PatientOrientation": "A\\\\A"}), directions({})
    (('', ''), ('', ''))
    """
    parts = [part.strip().upper()[:1] for part in text(header, "PatientOrientation").split("\\")]
    cosines = numbers(header, "ImageOrientationPatient")
    if len(parts) != 2 and len(cosines) == 6:
        vectors = np.asarray(cosines).reshape(2, 3)
        parts = [("RL", "AP", "FH")[n][int(v[n] > 0)]
                 for v, n in zip(vectors, np.abs(vectors).argmax(1), strict=True)]  # fmt: skip
    axes = ["AP", "LR", "HF"]
    known = [next((axis for axis in axes if part and part in axis), "") for part in parts]
    if len(parts) != 2 or not all(known) or known[0] == known[1]:
        return "", ""
    return parts[0], parts[1]


def _kind(stated: str, modality: str, maker: str, own: str, every: str) -> tuple[Film, str]:
    """Radiograph or VFA, and a note where that is not sure: under CR, DX, DR and RG by the film's own words alone.

    A study of such films may be called "XR L-spine and DEXA", of which this is the X-ray.
    """
    by_all = words.kind(stated=stated, modality=modality, maker=maker, words=every)
    if not by_all:
        return by_all, "not stated whether a radiograph or a densitometer's film: taken as a radiograph"
    if modality not in words.XRAY_MODALITIES:
        return by_all, ""
    kind = words.kind(stated=stated, modality=modality, maker=maker, words=own)
    if kind == by_all:
        return kind, ""
    return kind, f"the study's description speaks of densitometry, the {modality} film itself does not: a {kind}"


def _view(header: Header, own: str, across: str, down: str) -> tuple[View, str]:
    """The view, from what is surest: ViewPosition, the directions, the code of the view, the words; and a note where
    ViewPosition and the directions contradict each other."""
    position = words.view_position(text(header, "ViewPosition"))
    turned: View = "" if not across else "frontal" if set(across + down) & set("LR") else "lateral"
    if position and turned and position != turned and position != "oblique":
        return "", f"ViewPosition says {position} and the orientation {turned}: neither was believed"
    if position or turned:
        return position or turned, ""
    codes = header.get("ViewCodeSequence") or ()
    meanings = [text(c, "CodeMeaning") for c in codes if hasattr(c, "get")] if not isinstance(codes, str) else []
    return words.view(words.plain(*meanings)) or words.view(own), ""


def _unfit(header: Header, every: str) -> str:
    """Why this is no film of the spine, or empty."""
    modality = text(header, "Modality").upper()
    if modality in _NO_PICTURES:
        return f"no film but a {modality} object"
    frames = number(header, "NumberOfFrames") or 1
    if frames > 1:
        return f"a run of {frames:g} frames (fluoroscopy), not one film"
    if text(header, "PresentationIntentType").upper() == "FOR PROCESSING":
        return "the detector's raw values (FOR PROCESSING); wanted: the film FOR PRESENTATION"
    if part := words.elsewhere(text(header, "BodyPartExamined"), every):
        return f"it shows the {part}; wanted: the spine"
    if "LOCALIZER" in image_type(header):
        return "a localiser"
    return ""
