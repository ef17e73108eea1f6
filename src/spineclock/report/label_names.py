"""What each number of a label map stands for, in words, and by which SNOMED CT codes DICOM knows it."""

from __future__ import annotations

from dataclasses import dataclass

from spineclock.core.anatomy import ARCH, BODY, DISC, LEVEL_NUMBERS, RIB, Structure, disc_name

Code = tuple[str, str]
"""A SNOMED CT code and its meaning."""


@dataclass(frozen=True)
class Label:
    """One number of the spineclock numbering.

    ``kind`` is what sort of structure it is, ``place`` the vertebra or disc it is or belongs to, where there is a code.
    """

    number: int
    name: str
    kind: Code
    place: Code | None = None


VERTEBRA, VERTEBRAL_BODY, VERTEBRAL_ARCH = (
    ("51282000", "Vertebra"), ("3572006", "Structure of body of vertebra"), ("40265002", "Arch of vertebra")
)  # fmt: skip
INTERVERTEBRAL_DISC, ONE_RIB = ("360499006", "Intervertebral disc"), ("113197003", "Rib")
STRUCTURES: dict[Structure, tuple[str, Code]] = {
    Structure.CORD: ("spinal cord", ("2748008", "Spinal cord")),
    Structure.CANAL: ("spinal canal beside cord and CSF", ("61853006", "Vertebral canal")),
    Structure.CSF: ("cerebrospinal fluid", ("65216001", "Cerebrospinal Fluid")),
    Structure.PSOAS_LEFT: ("left psoas muscle", ("127954009", "Skeletal muscle")),
    Structure.PSOAS_RIGHT: ("right psoas muscle", ("127954009", "Skeletal muscle")),
    Structure.ERECTOR_LEFT: ("left erector spinae muscle", ("44947003", "Erector spinae muscle")),
    Structure.ERECTOR_RIGHT: ("right erector spinae muscle", ("44947003", "Erector spinae muscle")),
    Structure.SUBCUTANEOUS_FAT: ("subcutaneous fat", ("71966008", "Subcutaneous tissue")),
}
_VERTEBRA_CODES: dict[str, str] = {
    "C1": "14806007", "C2": "39976000", "C3": "113205007", "C4": "5329002", "C5": "36978003", "C6": "36054005",
    "C7": "87391001", "T1": "64864005", "T2": "53733008", "T3": "1626008", "T4": "73071006", "T5": "56401006",
    "T6": "45296009", "T7": "62487009", "T8": "11068009", "T9": "82687006", "T10": "7610001", "T11": "12989004",
    "T12": "23215003", "L1": "66794005", "L2": "14293000", "L3": "36470004", "L4": "11994002", "L5": "49668003",
}  # fmt: skip
_DISC_CODES: dict[str, str] = {
    "C2": "1078209008", "C3": "58820006", "C4": "49400002", "C5": "73959003", "C6": "75095006", "C7": "37414007",
    "T1": "40908007", "T2": "6004007", "T3": "2620004", "T4": "82965004", "T5": "72692000", "T6": "74401007",
    "T7": "28693002", "T8": "9188009", "T9": "113209001", "T10": "34959001", "T11": "1537001", "T12": "76206002",
    "L1": "80064006", "L2": "67459009", "L3": "62551000", "L4": "84020006", "L5": "715056000",
}  # fmt: skip
"""By the vertebra above. T13, L6 and L7, which few people have, have no code of their own."""


def labels() -> dict[int, Label]:
    """Every number of :mod:`spineclock.core.anatomy` with its name, in the order of the numbers.

    >>> [labels()[n].name for n in (23, 123, 223, 319, 419, 26, 60)]
    ['L4 vertebra', 'L4/L5 disc', 'L4 vertebral body', 'T12 vertebral arch', 'T12 ribs', 'sacrum', 'spinal cord']
    """
    found = [Label(int(which), name, code) for which, (name, code) in STRUCTURES.items()]
    for level, number in LEVEL_NUMBERS.items():
        if level == "S1":
            sacrum = ("54735007", "Sacrum")
            found += [
                Label(number, "sacrum", sacrum),
                Label(BODY + number, "S1 vertebral body", VERTEBRAL_BODY, sacrum),
                Label(ARCH + number, "S1 vertebral arch", VERTEBRAL_ARCH, sacrum),
                Label(DISC + number, "S1/S2 disc", INTERVERTEBRAL_DISC),
            ]
            continue
        place = (_VERTEBRA_CODES[level], f"{level} vertebra") if level in _VERTEBRA_CODES else None
        found += [
            Label(number, f"{level} vertebra", place or VERTEBRA, place),
            Label(BODY + number, f"{level} vertebral body", VERTEBRAL_BODY, place),
            Label(ARCH + number, f"{level} vertebral arch", VERTEBRAL_ARCH, place),
        ]
        if level != "C1":
            disc = (_DISC_CODES[level], f"{disc_name(level)} disc") if level in _DISC_CODES else None
            found.append(Label(DISC + number, f"{disc_name(level)} disc", disc or INTERVERTEBRAL_DISC, disc))
        if level[0] == "T" or level in ("C7", "L1"):  # the latter two in some people
            found.append(Label(RIB + number, f"{level} ribs", ONE_RIB, place))
    return {label.number: label for label in sorted(found, key=lambda label: label.number)}


def label_of(number: int) -> Label:
    """The label of a number; one that the numbering does not have is named by itself.

    >>> label_of(999).name
    'label 999'
    """
    return labels().get(number) or Label(number, f"label {number}", ("91723000", "Anatomical Structure"))
