"""What a film's header says in words: which kind of film, which view, which part of the body."""

from __future__ import annotations

import re

from spineclock.core.records import Film
from spineclock.ingest.refs import View

XRAY_MODALITIES = frozenset({"CR", "DX", "DR", "RG"})
"""DICOM modalities that are projection radiographs whatever else the header says."""
OTHER_MODALITIES = frozenset({"BMD", "OT", "SC", ""})
"""DICOM modalities under which densitometers and picture importers store films, besides much else."""

_LATERAL = re.compile(r"\b(l?lat|latl|rlat|lateral\w*|ll|rl|seit\w*|profil\w*|lva|vfa|iva|lvfa)\b")
_FRONTAL = re.compile(
    r"\b(ap|pa|a p|p a|frontal|coronal|face|ante?ro ?posterior|postero ?anterior|open mouth|decub\w*)\b"
)
_OBLIQUE = re.compile(r"\b(obl|oblique\w*|rao|lao|rpo|lpo|rlo|llo)\b")
_VFA = re.compile(r"\b(vfa|lvfa|iva|lva|instant vertebral|vertebral fracture assessment|vertebral assessment)\b")
_DENSITOMETRY = re.compile(r"\b(dxa|dexa|bmd|bone densit\w*|densitometr\w*|absorptiometry)\b")
_DENSITOMETER = re.compile(
    r"\b(lunar|idxa|prodigy|norland|discovery (a|c|ci|w|wi|sl)|horizon (a|c|ci|w|wi)|delphi|qdr|stratos|medilink)\b"
)
_SPINE = re.compile(r"spine|spinal|vertebra|lumbar|lumbo|thoracic|cervical|sacr|scolio|wirbel|\b([clbh]ws|[ctls]sp)\b")
_ELSEWHERE = re.compile(
    r"\b(chest|thorax|rib|ribs|knee|hip|hips|femur|pelvis|hand|wrist|foot|feet|ankle|heel|calcaneus|skull|sinus\w*|"
    r"shoulder|clavicle|elbow|forearm|humerus|tibia|breast|abdomen|whole ?body|total ?body|finger|toe|leg|legs|jaw)\b"
)
_BENT = re.compile(r"\b(flex|flexion|flexed|ext|extension|extended|bend\w*|traction)\b")


def plain(*texts: str) -> str:
    """The texts as one line of lower-case words, everything but letters and digits a blank.

    >>> plain("L-Spine_LAT", "", "A.P.")
    'l spine lat a p'
    """
    return " ".join(re.sub(r"[\W_]+", " ", " ".join(texts).lower()).split())


def kind(*, stated: str, modality: str, maker: str, words: str) -> Film:
    """Whether a film is a radiograph or a densitometer's VFA; empty where nothing tells.

    The first rule that says something decides:

    1. ``FilmKind`` of the sidecar: ``radiograph`` or ``vfa``.
    2. The words of the series and the file's name: VFA, IVA (Hologic), LVA (GE Lunar), "vertebral fracture
       assessment".
    3. The maker and model: Lunar (iDXA, Prodigy), Hologic (Discovery A to SL, Horizon A to Wi, Delphi, QDR), Norland,
       Stratos, Medilink; modality BMD; or DXA, DEXA, BMD or densitometry among the words. Hologic alone decides only
       outside CR, DX, DR and RG, since it makes X-ray detectors too.
    4. Modality CR, DX, DR or RG: a radiograph.

    Parameters
    ----------
    stated, modality : str
        ``FilmKind`` and DICOM's ``Modality``, each empty where there is none.
    maker, words : str
        As :func:`plain` gives them. Under CR, DX, DR and RG the words should be the film's own: the study's description
        may name a densitometry that was done beside it.

    Examples
    --------
    >>> kind(stated="", modality="OT", maker="hologic horizon a", words="iva lateral")
    'vfa'
    >>> kind(stated="", modality="DX", maker="acme", words="lspine lat")
    'radiograph'
    """
    told = stated.strip().lower()
    if told in ("radiograph", "vfa"):
        return "vfa" if told == "vfa" else "radiograph"
    hologic = "hologic" in maker and modality not in XRAY_MODALITIES
    densitometer = _DENSITOMETER.search(maker) or hologic or modality == "BMD"
    if _VFA.search(words) or densitometer or _DENSITOMETRY.search(words):
        return "vfa"
    return "radiograph" if modality in XRAY_MODALITIES else ""


def view(words: str) -> View:
    """The view that words name; empty where they name none, or both (a series of two films).

    >>> view("lspine lat"), view("l spine a p"), view("lspine ap lat"), view("lws"), view("bilateral")
    ('lateral', 'frontal', '', '', '')
    """
    if _OBLIQUE.search(words):
        return "oblique"
    lateral, frontal = _LATERAL.search(words), _FRONTAL.search(words)
    if re.search(r"\bdecub", words):
        return "frontal"
    if bool(lateral) == bool(frontal):
        return ""
    return "lateral" if lateral else "frontal"


def view_position(code: str) -> View:
    """The view that DICOM's ViewPosition names; empty for codes of other projections.

    >>> view_position("LL"), view_position("PA"), view_position("RLO"), view_position("")
    ('lateral', 'frontal', 'oblique', '')
    """
    code = code.strip().upper()
    if code in ("AP", "PA", "LLD", "RLD"):
        return "frontal"
    return view(plain(code))


def elsewhere(body_part: str, words: str) -> str:
    """The part of the body a film shows where it is not the spine, else empty.

    >>> elsewhere("KNEE", ""), elsewhere("LSPINE", ""), elsewhere("", "dual hip"), elsewhere("CHEST", "t spine lat")
    ('knee', '', 'hip', '')
    """
    part = plain(body_part)
    if _SPINE.search(part) or _SPINE.search(words):
        return ""
    found = _ELSEWHERE.search(part) or _ELSEWHERE.search(words)
    return found.group(0) if found else ""


def bent(words: str) -> bool:
    """Whether the person was to bend (a functional film).

    >>> bent("l spine lat flexion"), bent("l spine lat")
    (True, False)
    """
    return _BENT.search(words) is not None
