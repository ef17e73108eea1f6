"""SPIDER's radiological gradings of each disc as findings.

One row a disc: 1 = L5/S1, 2 = L4/L5 and so on upwards (van der Graaf et al., Sci Data 11:264, 2024).

===================  ===================================================================================
the grading          what it is read as, at the vertebra above the disc
===================  ===================================================================================
Disc bulging         disc bulge, mild: present or absent only, and a finding without a degree is mild
Disc herniation      protrusion, mild: the set does not tell protrusions from extrusions
Pfirrmann grade      I, II none; III mild; IV moderate; V severe desiccation (:data:`PFIRRMANN`)
Modic, endplates     endplate change, mild, where any of the three is there
Spondylolisthesis    spondylolisthesis
Disc narrowing       nothing: none of the 19 conditions is a loss of disc height; counted
===================  ===================================================================================

The grades follow Pfirrmann's descriptions of the nucleus on T2 (Spine 26:1873, 2001): white (I, II), grey (III), grey
to black (IV), black with a collapsed space (V). That III, IV, V are mild, moderate and severe is our choice, as is that
none is "near complete", which the grading does not tell from V.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from spineclock.core.anatomy import levels_upwards
from spineclock.core.errors import TableError
from spineclock.core.findings_tables import findings_from_long
from spineclock.ingest.cohort import read_table
from spineclock.ingest.findings import Imported, text_of_ids

FILE = "radiological_gradings.csv"
COLUMNS = {
    "patient": "scan_id", "ivd label": "disc", "modic": "modic", "up endplate": "upper", "low endplate": "lower",
    "spondylolisthesis": "slip", "disc herniation": "herniation", "disc narrowing": "narrowing",
    "disc bulging": "bulging", "pfirrman grade": "pfirrmann", "pfirrmann grade": "pfirrmann",
}  # fmt: skip
"""The file's columns, in lower case; it spells Pfirrmann with one n."""
HIGHEST = {"modic": 3, "upper": 1, "lower": 1, "slip": 1, "herniation": 1, "narrowing": 1, "bulging": 1, "pfirrmann": 5}
PFIRRMANN = {3: "mild", 4: "moderate", 5: "severe"}
NOTES = (
    "disc 1 is L5/S1, disc 2 L4/L5, and so on upwards",
    "Pfirrmann III, IV, V are mild, moderate, severe desiccation (our choice); I and II are none",
    "herniations are protrusions; bulges, herniations and endplate changes have no degree and are mild",
)
_DISCS = levels_upwards("L5", 22)


def read(path: Path) -> Imported:
    """The gradings' findings, one scan a patient, from the file or the folder that holds it.

    Raises
    ------
    TableError
        If a column is missing, a grade cannot be, or a disc is graded twice; each with its row.
    """
    path = path / FILE if path.is_dir() else path
    return findings_of_gradings(read_table(path), path.name)


def fits(table: pd.DataFrame) -> bool:
    """Whether a table has the gradings' columns."""
    return {"ivd label", "modic", "disc bulging"} <= {str(c).strip().lower() for c in table}


def findings_of_gradings(table: pd.DataFrame, name: str = FILE) -> Imported:
    """The findings of a table of gradings; see the module's table.

    >>> table = pd.DataFrame({"Patient": [7], "IVD label": [2], "Modic": [0], "UP endplate": [0], "LOW endplate": [1],
    ...     "Spondylolisthesis": [1], "Disc herniation": [0], "Disc narrowing": [1], "Disc bulging": [0],
    ...     "Pfirrman grade": [4]})
    >>> read = findings_of_gradings(table)
    >>> read.findings.long()[["condition", "level", "severity"]].to_numpy().tolist()
    [['desiccation', 'L4', 'moderate'], ['endplate_change', 'L4', 'mild'], ['spondylolisthesis', 'L4', '']]
    >>> read.without_place.to_numpy().tolist()
    [['disc narrowing', 1]]
    """
    grades = _checked(table, name)
    level = grades["disc"].map(dict(enumerate(_DISCS, start=1)))
    placed = level.notna()
    parts = {
        "disc_bulge": (grades["bulging"] > 0, "mild"),
        "protrusion": (grades["herniation"] > 0, "mild"),
        "desiccation": (grades["pfirrmann"] >= min(PFIRRMANN), grades["pfirrmann"].map(PFIRRMANN)),
        "endplate_change": ((grades[["modic", "upper", "lower"]] > 0).any(axis=1), "mild"),
        "spondylolisthesis": (grades["slip"] > 0, ""),
    }
    long = pd.concat(
        [
            pd.DataFrame({"scan_id": grades["scan_id"], "condition": what, "level": level, "severity": degree})[
                there & placed
            ]
            for what, (there, degree) in parts.items()
        ],
        ignore_index=True,
    )
    lost = {
        "disc narrowing": int((grades["narrowing"] > 0).sum()),
        "discs below L5/S1 (label 0)": int((grades["disc"] == 0).sum()),
    }
    return Imported(
        findings_from_long(long, scan_ids=grades["scan_id"].unique()),
        pd.DataFrame([(what, n) for what, n in lost.items() if n], columns=["what", "rows"]),
        NOTES,
    )


def _checked(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """The table with our names, whole numbers, and no disc twice."""
    table = table.rename(columns={c: COLUMNS[key] for c in table if (key := str(c).strip().lower()) in COLUMNS})
    if missing := [c for c in ("scan_id", "disc", *HIGHEST) if c not in table]:
        raise TableError(
            f"{name} lacks {', '.join(missing)}", wanted="the columns of SPIDER's radiological_gradings.csv"
        )
    grades = pd.DataFrame({"scan_id": text_of_ids(table["scan_id"]).to_numpy(dtype=object)})
    for column, highest in {"disc": len(_DISCS), **HIGHEST}.items():
        values = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=float)
        lowest = 1 if column == "pfirrmann" else 0
        wrong = ~np.isin(values, np.arange(lowest, highest + 1))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise TableError(
                f"{name}, row {row + 1}: {column} {table[column].iloc[row]!r} ({int(wrong.sum())} such)",
                wanted=f"a whole number from {lowest} to {highest}",
            )
        grades[column] = values.astype(int)
    if (bad := (grades["scan_id"] == "")).any():
        raise TableError(f"{name}, row {int(np.flatnonzero(bad)[0]) + 1} names no patient", wanted="one on each row")
    if (bad := grades.duplicated(["scan_id", "disc"])).any():
        row = int(np.flatnonzero(bad)[0])
        raise TableError(
            f"{name}, row {row + 1}: disc {grades['disc'][row]} of {grades['scan_id'][row]} again",
            wanted="each disc once",
        )
    return grades
