"""The SPIDER lumbar MRI data set (van der Graaf et al., Sci Data 11:264, 2024; CC BY 4.0).

Reads the SPACE part as laid out in one folder: ``space/{id}_T2w.nii.gz``, ``space/{id}_mask.nii.gz``
(1 disc, 2 vertebra, 3 canal) and ``participants.csv`` (patient, age, sex).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from spineclock.core.errors import InputError
from spineclock.core.geometry import canonical
from spineclock.core.volume import Mask, Volume


@dataclass(frozen=True)
class SpiderPerson:
    """One person's SPACE slab, its expert mask, and what is known of the person.

    ``age_years`` is the data set's ``birth_date`` column, which holds the age at the scan.
    """

    person_id: str
    volume: Volume
    mask: Mask
    age_years: float
    sex: str


def read(folder: Path) -> list[SpiderPerson]:
    """The people of the data set in order of number.

    Raises
    ------
    InputError
        If the folder does not hold the data set.
    """
    table = folder / "participants.csv"
    if not table.is_file():
        raise InputError(
            f"no participants.csv in {folder}",
            wanted="the SPIDER folder",
            remedy="see docs/data.md for how to get and lay out SPIDER",
        )
    people = pd.read_csv(table, dtype={"patient": str}).set_index("patient")
    found = sorted((p for p in (folder / "space").glob("*_T2w.nii.gz")), key=lambda p: int(p.name.split("_")[0]))
    return [_person(path, people) for path in found]


def _person(path: Path, people: pd.DataFrame) -> SpiderPerson:
    person_id = path.name.split("_")[0]
    image, mask = nib.load(path), nib.load(path.with_name(f"{person_id}_mask.nii.gz"))
    return SpiderPerson(
        person_id,
        canonical(Volume(np.asanyarray(image.dataobj), image.affine)),
        canonical(Mask(np.asanyarray(mask.dataobj), mask.affine)),
        float(people["age"][person_id]),
        str(people["sex"][person_id]),
    )
