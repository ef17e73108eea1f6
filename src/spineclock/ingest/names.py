"""What file names tell, and names that are safe to give."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
ENDINGS = (".nii.gz", ".nii", ".mha", ".mhd", ".zip", ".dcm", ".ima", ".dicom", *PICTURE_ENDINGS)
"""Endings taken off a file's name, in any case of letters."""

_MASK = re.compile(r"(^|[_\-. ])(mask|dseg|seg|probseg|msk|label|labels|labelmap|segmentation)$", re.IGNORECASE)
_SEQUENCES = {
    "t1w": "T1w", "t1": "T1w", "t2w": "T2w", "t2": "T2w", "t2space": "T2w", "pdw": "PDw", "pd": "PDw",
    "stir": "STIR", "tirm": "STIR", "flair": "FLAIR", "t2starw": "T2star", "t2star": "T2star", "dwi": "DWI",
    "adc": "DWI", "bold": "BOLD", "dixon": "Dixon",
}  # fmt: skip
_MODALITIES = {"ct": "CT", "mr": "MR", "mri": "MR", "xray": "DX", "dx": "DX", "pet": "PT", "us": "US"}


def stem(name: str) -> str:
    """The name without its scan ending.

    >>> stem("sub-01_T2w.NII.gz")
    'sub-01_T2w'
    """
    for ending in ENDINGS:
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def is_mask(name: str) -> bool:
    """Whether a file's name says it is a label map lying beside a scan.

    >>> [is_mask(n) for n in ("18_mask.nii.gz", "sub-1_seg-vert_msk.nii.gz", "unmasked.nii.gz", "segovia_T2w.nii")]
    [True, True, False, False]
    """
    return _MASK.search(stem(name)) is not None


def weighting_from_name(name: str) -> tuple[str, str]:
    """Modality and weighting that a file's name tells, each empty where it tells none or contradicts itself.

    The last word decides (BIDS suffix); otherwise any word may, if all agree.

    >>> weighting_from_name("sub-01_acq-sag_T2w.nii.gz"), weighting_from_name("verse014_ct.nii.gz")
    (('MR', 'T2w'), ('CT', ''))
    >>> weighting_from_name("scan.nii.gz"), weighting_from_name("12_t1_t2_registered.nii.gz")
    (('', ''), ('', ''))
    """
    words = re.split(r"[_\-. ]+", stem(name).lower())
    for chosen in (words[-1:], words):
        sequences = {_SEQUENCES[w] for w in chosen if w in _SEQUENCES}
        modalities = {_MODALITIES[w] for w in chosen if w in _MODALITIES} | ({"MR"} if sequences else set())
        if sequences or modalities:
            one = len(sequences) <= 1 and len(modalities) == 1
            return (modalities.pop(), next(iter(sequences), "")) if one else ("", "")
    return "", ""


def of_weighting(path: Path, sequence: str) -> Path:
    """The file of another weighting of the same scan, where one lies beside this one under such a name; else this one.

    >>> of_weighting(Path("sub-1_T2w.nii.gz"), "T1w")  # there is no sub-1_T1w.nii.gz
    PosixPath('sub-1_T2w.nii.gz')
    """
    name = stem(path.name)
    start, mark, last = name.rpartition("_")
    if not mark or _SEQUENCES.get(last.lower(), sequence) == sequence:
        return path
    words = [word for word, told in _SEQUENCES.items() if told == sequence]
    names = (f"{start}_{word}{path.name[len(name) :]}" for word in (sequence, *words, *map(str.upper, words)))
    return next((there for other in names if (there := path.with_name(other)).is_file()), path)


def label_map_beside(path: Path) -> Path | None:
    """The label map that lies beside a scan (``…_dseg.nii.gz``), if there is one."""
    name = stem(path.name)
    beside = (path.with_name(f"{name}_dseg{ending}") for ending in (".nii.gz", ".nii"))
    return next((file for file in beside if file.is_file()), None)


def bids_person(name: str) -> str:
    """The person a BIDS name belongs to, or empty.

    >>> bids_person("sub-07_ses-2_T2w.nii.gz"), bids_person("scan.nii")
    ('sub-07', '')
    """
    found = re.match(r"sub-[0-9A-Za-z]+", name)
    return found.group(0) if found else ""


def short_hash(text: str, length: int = 8) -> str:
    """The first hexadecimal digits of a text's SHA-256: a pseudonym, which who knows all candidates can undo.

    >>> short_hash("4MR1")
    '9435c3ae'
    """
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:length]


def safe(name: str) -> str:
    """A name any file system takes: ASCII letters, digits, dot, dash and underscore, at most 80 of them.

    >>> safe("Müller/../L5 S1"), safe("..."), safe("")
    ('M_ller_.._L5_S1', 'scan', 'scan')
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip("._ ")[:80].rstrip("._ ") or "scan"


def unique_ids(candidates: Sequence[str], keys: Iterable[str]) -> list[str]:
    """The candidates made safe; those that would share a folder (in any case of letters) get a hash of their key.

    A name does not depend on the order of its namesakes.

    >>> unique_ids(["scan", "Scan", "t2"], ["a/scan.nii", "b/Scan.nii", "t2.nii"])
    ['scan-c2d27ad8', 'Scan-ce764492', 't2']
    """
    names = [safe(c) for c in candidates]
    count = Counter(n.casefold() for n in names)
    named = [n if count[n.casefold()] == 1 else f"{n}-{short_hash(k)}" for n, k in zip(names, keys, strict=True)]
    again = Counter(n.casefold() for n in named)
    seen: Counter[str] = Counter()
    result = []
    for name in named:  # equal names and equal keys: the same file given twice, or two parts of one
        folded = name.casefold()
        seen[folded] += 1
        result.append(name if again[folded] == 1 else f"{name}-{seen[folded]}")
    return result


def bids_session(name: str) -> str:
    """Person and session of a BIDS name; "" where it has not both.

    >>> bids_session("sub-1_ses-2_acq-lumbar_T2w"), bids_session("sub-1_T2w")
    ('sub-1_ses-2', '')
    """
    found = re.match(r"sub-[A-Za-z0-9]+_ses-[A-Za-z0-9]+(?=_)", name)
    return found.group() if found else ""
