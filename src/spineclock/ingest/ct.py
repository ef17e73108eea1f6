"""CT: what a header tells of how its values came about, and samples made Hounsfield units on an orthogonal grid."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from spineclock.core.errors import InputError
from spineclock.core.geometry import resample_like
from spineclock.core.recipe import Accepts
from spineclock.core.records import ContrastPhase, CtFacts, KernelKind, Quality, Scan
from spineclock.core.volume import Array, Mask, Volume
from spineclock.ingest.facts import Header, number, text
from spineclock.ingest.refs import Facts

AIR_HU = -1024
"""What stands where the scanner measured nothing; nothing is darker."""
USUAL_KV = 120.0
GROUPS = ("CTReconstructionSequence", "CTXRayDetailsSequence")
SPINE_CT = Accepts(
    frozenset({"CT"}), "unknown", (), max_slice_spacing_mm=5.0, min_slices=15,
    prefer_words=("lumbar", "lspine", "l spine", "lws", "spine", "abdomen"),
)  # fmt: skip
"""CT that shows the thoracolumbar spine; :func:`quality` asks for a look where slices lie more than 3 mm apart."""
FINE_MM, COARSEST_MM = 3.0, 5.0
"""Slice spacing up to which a scan is read without, and with, a warning."""
LARGEST_TILT_DEG = 40.0
"""Gantries tilt by up to 30°."""
_SOFT_HU = 200
"""Fat, organs, muscle and marrow lie within this of water."""
_LEAST = 0.02
"""Share of samples that must be such tissue: a body fills more of any scan of the spine."""

_PHASES: tuple[tuple[ContrastPhase, str], ...] = (
    ("native", r"\b(nativ(e|a)?|non ?(contrast|enhanced)|without( contrast)?|w/?o|un ?enhanced|plain|ohne( km)?|sans|"
               r"nc(ct)?|pre ?(contrast|km))\b"),
    ("arterial", r"\b(arter\w*|art|angio\w*|cta)\b"),
    ("venous", r"\b(venou?s\w*|ven|pv|pvp|portal\w*|portoven\w*)\b"),
    ("delayed", r"\b(delay\w*|late|excret\w*|nephro\w*|urogra\w*|equilib\w*)\b"),
)  # fmt: skip
_CONTRAST = re.compile(r"\b(contrast|enhanced|ce(ct)?|km|c\+|post ?(contrast|km))(?!\w)")
_NO_AGENT = re.compile(r"^(|none|no|nil|0|n/?a|without|w/?o|ohne|kein\w*)$")

_KERNELS: tuple[tuple[KernelKind, str], ...] = (  # by maker: GE, Siemens, Canon (Toshiba), Philips
    ("soft", r"STANDARD|SOFT|STND|CHEST"),
    ("sharp", r"(HD)?(LUNG|BONE|BONEPLUS|EDGE|ULTRA)(PLUS)?\d*"),
    ("soft", r"[A-Z][A-Z]?[1-4]\d[A-Z]{0,2}"),
    ("sharp", r"[A-Z][A-Z]?[5-9]\d[A-Z]{0,2}"),
    ("soft", r"S?[ABC]"),
    ("sharp", r"[DEFL]|Y[A-D]"),
)
_CANON = re.compile(r"FC(\d\d)\w*")


def told(bare: Facts, header: Header, *groups: Header) -> Facts:
    """The facts with what a CT's header or sidecar says of its values; other modalities come back as they are.

    ``groups``: the functional groups (:data:`GROUPS`) in which an enhanced header holds kernel and tube voltage.
    """
    if bare.modality != "CT":
        return bare
    kernel = next((found for place in (header, *groups) if (found := text(place, "ConvolutionKernel"))), "")
    kvp = next((volts for place in (header, *groups) if (volts := number(place, "KVP"))), None)
    agents = [text(header, k) for k in ("ContrastBolusAgent", "ContrastBolusIngredient")]
    agents.append("agent" if header.get("ContrastBolusAgentSequence") else "")
    # The protocol names a whole group of series: it speaks only where the series says nothing itself.
    words = [bare.description, text(header, "ProtocolName")]
    phase, doubt = contrast_phase(next((a for a in agents if a), ""), *words)
    ct = CtFacts(kernel.replace("\\", " "), kernel_kind(kernel), phase, kvp if kvp and 20 < kvp < 200 else None)
    return replace(bare, ct=ct, notes=(*bare.notes, *doubt, *_remarks(ct)))


def kernel_kind(kernel: str) -> KernelKind:
    """Whether a reconstruction kernel is one for soft tissue or a sharp one; empty where its name tells neither.

    By the makers' names as they are usually read: Siemens' number (from 50 sharp), GE's words, Canon's and Toshiba's
    FC number (30s, 50s and 80s sharp), Philips' letters (from D sharp).

    >>> [kernel_kind(k) for k in ("Br38f\\\\3", "B60f", "STANDARD", "BONEPLUS", "FC08", "FC52", "YA", "")]
    ['soft', 'sharp', 'soft', 'sharp', 'soft', 'sharp', 'sharp', '']
    """
    name = re.split(r"[\\ ]", kernel.strip().upper())[0]
    if canon := _CANON.fullmatch(name):
        return "sharp" if canon[1][0] in "3578" else "soft"
    return next((kind for kind, pattern in _KERNELS if re.fullmatch(pattern, name)), "")


def contrast_phase(agent: str, *words: str) -> tuple[ContrastPhase, tuple[str, ...]]:
    """The phase of contrast medium, and a note where the header contradicts itself.

    The first of the ``words`` (the series' own before the protocol's) that tells a phase decides. "contrast": some was
    given, when is not told; empty: not told at all. No agent in the header does not prove that none was given.

    >>> contrast_phase("", "Abdomen nativ 3.0"), contrast_phase("Ultravist", "Abdomen 3.0 PV"), contrast_phase("", "CT")
    (('native', ()), ('venous', ()), ('', ()))
    >>> contrast_phase("Ultravist", "CT abdomen without contrast")[0]
    ''
    """
    given = not _NO_AGENT.fullmatch(agent.strip().lower())
    for text_ in words:
        plain = re.sub(r"[_\-.,;:()]+", " ", text_.lower())
        found = [phase for phase, pattern in _PHASES if re.search(pattern, plain)]
        if len(found) > 1:
            return "", (f"the series is called {text_!r}: more than one phase of contrast medium, none was taken",)
        if found == ["native"] and given:
            return "", (f"the series is called {text_!r}, yet a contrast medium is named: neither was believed",)
        if found:
            return found[0], ()
        if _CONTRAST.search(plain):
            return "contrast", ()
    return ("contrast" if given else ""), ()


def _remarks(ct: CtFacts) -> tuple[str, ...]:
    """What a reader of Hounsfield units should know."""
    notes = []
    if ct.phase not in ("native", ""):
        which = "contrast medium" if ct.phase == "contrast" else f"contrast medium, {ct.phase} phase"
        notes.append(f"{which}: bone and muscle read higher than on a native scan")
    if ct.kernel_kind == "sharp":
        notes.append(f"a sharp kernel ({ct.kernel}): the spread of values is the kernel's as much as the bone's")
    if ct.kvp is not None and abs(ct.kvp - USUAL_KV) > 1:
        way = "higher" if ct.kvp < USUAL_KV else "lower"
        notes.append(f"a tube voltage of {ct.kvp:g} kV: bone reads {way} than at the usual 120")
    absent = [("contrast phase", not ct.phase), ("kernel", not ct.kernel), ("tube voltage", ct.kvp is None)]
    if names := [name for name, gone in absent if gone]:
        notes.append(f"not stated: {', '.join(names)}")
    return tuple(notes)


def without_padding(rescaled: Array, stored: Array, header: Header) -> Array:
    """A slice whose padding (PixelPaddingValue to PixelPaddingRangeLimit, as stored) is air."""
    first = number(header, "PixelPaddingValue")
    if first is None:
        return rescaled
    last = number(header, "PixelPaddingRangeLimit")
    low, high = sorted((first, first if last is None else last))
    outside = (stored >= low) & (stored <= high)
    return np.where(outside, np.asarray(AIR_HU, rescaled.dtype), rescaled) if outside.any() else rescaled


def readable(volume: Volume) -> tuple[Volume, tuple[str, ...]]:
    """The samples in Hounsfield units on an orthogonal grid, and notes of what was done for it.

    Values below −1024 (padding, overshoot of resampling) become −1024. Values that are Hounsfield units plus 1024, as
    they stand where a rescale intercept was lost, are put right. A stack sheared by a tilted gantry is resampled:
    along its own slice direction, at right angles to it, at its own spacings.

    Raises
    ------
    InputError
        If the values are no Hounsfield units: 8 bit exports, windowed or normalised pictures.

    Examples
    --------
    >>> values = np.full((20, 20, 20), 0, np.int16)
    >>> values[5:15, 5:15] = 1074
    >>> fixed, notes = readable(Volume(values, np.eye(4)))
    >>> int(fixed.array.max()), int(fixed.array.min()), notes[0][:30]
    (50, -1024, 'values 1024 above Hounsfield u')
    """
    array, notes = _hounsfield(volume.array)
    fixed, tilt = orthogonal(volume.with_array(array))
    if tilt:
        notes += (f"slices lean by {tilt:.1f}° (a tilted gantry): resampled to an orthogonal grid",)
    return fixed, notes


def _hounsfield(array: Array) -> tuple[Array, tuple[str, ...]]:
    """The samples in Hounsfield units, at least −1024."""
    low, high = float(array.min()), float(array.max())
    wide = array.astype(np.int32) if array.dtype.kind in "iu" else array
    air = np.asarray(AIR_HU, wide.dtype)
    below_water = float(np.mean((wide >= air) & (wide < -20)))  # fat, lung or air; padding is darker
    plausible = high > 300 and array.dtype != np.uint8
    if plausible and below_water >= 0.001 and _soft(wide) >= _LEAST:
        return np.maximum(array, np.asarray(AIR_HU, array.dtype)), ()
    if plausible and below_water < 0.001 and high < 2**15 and _soft(wide + air) >= _LEAST:
        put_right = np.maximum(wide + air, air).astype(array.dtype)
        return put_right, ("values 1024 above Hounsfield units (a lost rescale intercept) were put right",)
    raise InputError(
        f"a CT whose values run from {low:g} to {high:g}, {_soft(wide):.1%} of them those of soft tissue: no "
        "Hounsfield units",
        wanted="Hounsfield units (air −1000, water 0, bone above 100)",
        remedy="export the original series with its rescale slope and intercept, not a windowed 8 bit copy",
    )


def _soft(array: Array) -> float:
    """Share of samples within 200 of water; 0 itself, which empty borders hold, does not count."""
    return float(np.mean((np.abs(array) < _SOFT_HU) & (array != 0)))


def orthogonal(volume: Volume) -> tuple[Volume, float]:
    """The volume on an orthogonal grid, and by how many degrees its slices leaned; unchanged up to 1°.

    The new grid runs along the slices' own succession (the patient's long axis where a gantry was tilted) and covers
    all of the old; what lies outside the old is air.
    """
    unit = volume.affine[:3, :3] / np.asarray(volume.spacing_mm)
    pair = max(((0, 1), (0, 2), (1, 2)), key=lambda p: abs(unit[:, p[0]] @ unit[:, p[1]]))
    tilt = float(np.degrees(np.arcsin(min(1.0, abs(unit[:, pair[0]] @ unit[:, pair[1]])))))
    if tilt <= 1.0:
        return volume, 0.0
    if tilt > LARGEST_TILT_DEG:
        raise InputError(f"slices that lean by {tilt:.0f}°", wanted=f"a tilt of at most {LARGEST_TILT_DEG:g}°",
                         remedy="export the scan again, or repair its orientation header")  # fmt: skip
    one, other = (volume.spacing_mm[axis] for axis in pair)
    along = pair[0] if one > 1.05 * other else pair[1]  # from slice to slice: the coarser, else the later axis
    keep, third = 3 - sum(pair), sum(pair) - along
    frame = np.empty((3, 3))
    frame[:, along] = unit[:, along]
    rest = unit[:, keep] - (unit[:, keep] @ unit[:, along]) * unit[:, along]
    frame[:, keep] = rest / np.linalg.norm(rest)
    cross = np.cross(frame[:, along], frame[:, keep])
    frame[:, third] = cross * np.sign(cross @ unit[:, third])
    return _on_frame(volume, frame), tilt


def _on_frame(volume: Volume, frame: Array) -> Volume:
    """The volume on the smallest grid of the given directions, at its own spacings, that holds all of it."""
    ends = np.array(np.meshgrid(*[(0, n - 1) for n in volume.shape], indexing="ij")).reshape(3, -1)
    corners = frame.T @ (volume.affine[:3, :3] @ ends + volume.affine[:3, 3:])
    low, high = corners.min(axis=1), corners.max(axis=1)
    spacing = np.asarray(volume.spacing_mm)
    shape = tuple(int(n) for n in np.ceil((high - low) / spacing - 1e-6) + 1)
    affine = np.eye(4)
    affine[:3, :3] = frame * spacing
    affine[:3, 3] = frame @ low
    lifted = volume.with_array(volume.array.astype(np.float32) - AIR_HU)  # outside its box the sampled grid holds 0
    sampled = resample_like(lifted, (shape[0], shape[1], shape[2]), affine)
    array = sampled.array + np.float32(AIR_HU)
    return Volume(np.rint(array).astype(np.int16) if volume.array.dtype.kind in "iu" else array, affine)


def upright_labels(scan: Scan, labels: Mask) -> Mask:
    """A label map made on a CT's own slices where these leaned, on the orthogonal grid that the scan is read on.

    Any other label map comes back as it is.
    """
    leant = scan.modality == "CT" and _lean(labels) > 1.0 and _lean(scan.volume) <= 1.0
    return resample_like(labels, scan.volume.shape, scan.volume.affine) if leant else labels


def _lean(volume: Volume) -> float:
    """By how many degrees two axes are off a right angle, at most."""
    unit = volume.affine[:3, :3] / np.asarray(volume.spacing_mm)
    return float(np.degrees(np.arcsin(np.clip(np.abs(unit.T @ unit - np.eye(3)).max(), 0, 1))))


def quality(scan: Scan) -> Quality:
    """What a CT's grid and kernel say against measuring it: slices above 3 mm and sharp kernels are to be checked."""
    found = Quality()
    coarsest = max(scan.volume.spacing_mm)
    if coarsest > COARSEST_MM * 1.01:
        return found.with_reason(
            "refused", f"slices {coarsest:.2g} mm apart: heights cannot be measured above {COARSEST_MM:g} mm"
        )
    if coarsest > FINE_MM * 1.01:
        found = found.with_reason("check", f"slices {coarsest:.2g} mm apart: heights and mild losses are uncertain")
    if scan.ct is not None and scan.ct.kernel_kind == "sharp":
        found = found.with_reason("check", f"reconstructed with a sharp kernel ({scan.ct.kernel})")
    return found
