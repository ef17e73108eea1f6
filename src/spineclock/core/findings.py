"""What a radiology report says of a spine: conditions, levels, severities, and the vectors made of them.

One row a scan, one column a (condition, level) that can be, holding how severe it is.
:mod:`spineclock.core.findings_tables` reads them from long tables (one row a finding) and wide ones (one row a scan).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.anatomy import LEVEL_NUMBERS, Region, region
from spineclock.core.errors import TableError, UsageError

SEVERITIES = ("mild", "moderate", "severe", "near complete")
"""By their codes 1 … 4; 0 is absent, and 1 also stands for a condition that is not graded."""
REGIONS: tuple[Region, ...] = ("cervical", "thoracic", "lumbar")
LEVELS = tuple(level for level in LEVEL_NUMBERS if level not in ("C1", "S1"))
"""C2 … C7, T1 … T13, L1 … L7: 26. A disc finding at a level is of the disc below its vertebra (L5: L5/S1)."""
NO_FINDING = "none"
"""The condition a long table names for a scan on which nothing was found."""


@dataclass(frozen=True)
class Condition:
    """One condition: how it is written, how it is graded and where it can be."""

    name: str
    words: str
    kind: Literal["degenerative", "structural", "other"]
    grades: int = 0
    """How many of :data:`SEVERITIES` it is graded by, from mild on; 0 if it is only there or not."""
    regions: tuple[Region, ...] = REGIONS
    levelled: bool = True
    """Whether it may be told of a level; a degenerative condition always is."""


CONDITIONS: dict[str, Condition] = {
    c.name: c
    for c in (
        Condition("disc_bulge", "disc bulge", "degenerative", 3),
        Condition("disc_osteophyte_complex", "disc osteophyte complex", "degenerative", 3),
        Condition("uncovertebral_osteophyte", "uncovertebral osteophyte", "degenerative", 3, ("cervical",)),
        Condition("protrusion", "disc protrusion", "degenerative", 3),
        Condition("extrusion", "disc extrusion", "degenerative", 3),
        Condition("desiccation", "disc desiccation", "degenerative", 4),
        Condition("endplate_change", "endplate change", "degenerative", 2),
        Condition("annular_fissure", "annular fissure", "degenerative"),
        Condition("bone_lesion", "bone lesion", "structural"),
        Condition("congenital_canal_narrowing", "congenital spinal canal narrowing", "structural"),
        Condition("cord_abnormality", "cord abnormality", "structural"),
        Condition("fracture", "fracture", "structural"),
        Condition("soft_tissue_oedema", "soft tissue oedema", "structural"),
        Condition("spinal_stenosis", "spinal stenosis", "structural"),
        Condition("spondylolisthesis", "spondylolisthesis", "structural"),
        Condition("scoliosis", "scoliosis", "other", levelled=False),
        Condition("kyphosis_or_lordosis", "kyphosis or lordosis", "other", levelled=False),
        Condition("transitional_vertebra", "transitional vertebra", "other", levelled=False),
        Condition("tarlov_cyst", "Tarlov (perineural) cyst", "other", levelled=False),
    )
}
"""The 19 conditions: eight degenerative and seven structural ones of the spine-age
paper's section 2.3, and the four that only its Table 5 has."""
DEGENERATIVE = tuple(c.name for c in CONDITIONS.values() if c.kind == "degenerative")
STRUCTURAL = tuple(c.name for c in CONDITIONS.values() if c.kind == "structural")

COLUMNS: tuple[tuple[str, str], ...] = (
    *((name, level) for name in DEGENERATIVE for level in LEVELS),
    *((c.name, "") for c in CONDITIONS.values() if c.kind == "structural"),
    *((c.name, "") for c in CONDITIONS.values() if c.kind == "other"),
    *((name, level) for name in STRUCTURAL for level in LEVELS),
)
"""(condition, level) of each column, the paper's raw vector first. Structural conditions have a column with level ""
that says whether they are there at all, and one for each level that may be told."""
_AT = {column: k for k, column in enumerate(COLUMNS)}
RAW = len(DEGENERATIVE) * len(LEVELS) + len(STRUCTURAL)
"""Length of the paper's raw vector, 8 × 26 + 7 = 215: the first columns of :data:`COLUMNS`."""


def dense_names() -> tuple[tuple[Region | Literal[""], str, str], ...]:
    """(region, condition, severity) of the 67 entries of the dense vector; the severity is "" where ungraded.

    Nineteen a region, three of uncovertebral osteophytes in the neck, the seven structural conditions. Which sixty
    of the paper's 96 combinations exist is not stated in it: this is our choice.

    >>> len(dense_names()), dense_names()[0], dense_names()[-1]
    (67, ('cervical', 'disc_bulge', 'mild'), ('', 'spondylolisthesis', ''))
    """
    graded = tuple(
        (where, name, severity)
        for where in REGIONS
        for name in DEGENERATIVE
        if where in CONDITIONS[name].regions
        for severity in (SEVERITIES[: CONDITIONS[name].grades] or ("",))
    )
    return (*graded, *(("", name, "") for name in STRUCTURAL))


@dataclass(frozen=True, eq=False)
class Findings:
    """The findings of some scans."""

    scan_ids: pd.Index
    """(n,), unique."""
    codes: npt.NDArray[np.int8]
    """(n, len(COLUMNS)): 0 absent, 1 … 4 as in :data:`SEVERITIES`, 1 where ungraded. Read-only."""

    def __post_init__(self) -> None:
        if self.codes.shape != (len(self.scan_ids), len(COLUMNS)) or self.codes.dtype != np.int8:
            raise UsageError(
                f"codes of shape {self.codes.shape} and type {self.codes.dtype} for {len(self.scan_ids)} scans",
                wanted=f"int8 of shape ({len(self.scan_ids)}, {len(COLUMNS)})",
            )
        if not self.scan_ids.is_unique:
            raise TableError(
                f"the scan {self.scan_ids[self.scan_ids.duplicated()][0]} twice", wanted="each scan's findings once"
            )
        self.codes.flags.writeable = False

    def __len__(self) -> int:
        return len(self.scan_ids)

    def column(self, condition: str, level: str = "") -> npt.NDArray[np.int8]:
        """The severity codes of one condition at one level, (n,)."""
        return self.codes[:, column(condition, level)]

    def present(self, condition: str) -> npt.NDArray[np.bool_]:
        """Whether each scan has a condition at any level, (n,)."""
        return np.asarray((self.codes[:, columns_of(condition)] > 0).any(axis=1))

    def take(self, scan_ids: Sequence[str] | pd.Index) -> Findings:
        """The findings of some scans, in the order asked for; a TableError if one is unknown."""
        rows = self.scan_ids.get_indexer(pd.Index(scan_ids))
        if (rows < 0).any():
            unknown = pd.Index(scan_ids)[rows < 0]
            raise TableError(
                f"{len(unknown)} scan(s) without findings, such as {unknown[0]}",
                wanted="a row for each scan, with the condition none where nothing was found",
            )
        return Findings(self.scan_ids[rows], self.codes[rows])

    def counts(self, where: Region) -> pd.DataFrame:
        """How many levels of a region have each degree of each degenerative condition.

        One row a scan; columns (condition, severity), severity "" where ungraded, as integers.
        """
        names = [(name, severity) for place, name, severity in dense_names() if place == where]
        held = {name: self.codes[:, columns_of(name, where)] for name in DEGENERATIVE}
        table = {
            (name, severity): (held[name] == (SEVERITIES.index(severity) + 1 if severity else 1)).sum(axis=1)
            for name, severity in names
        }
        return pd.DataFrame(table, index=self.scan_ids)

    def raw(self) -> npt.NDArray[np.int8]:
        """The raw vector of the spine-age paper, section 2.3: (n, 215) severity codes."""
        return self.codes[:, :RAW]

    def dense(self) -> npt.NDArray[np.float32]:
        """The dense vector of the spine-age paper, section 2.3: (n, 67) numbers of levels; structural ones 0 or 1."""
        graded = [self.counts(where).to_numpy() for where in REGIONS]
        return np.column_stack([*graded, *(self.present(name) for name in STRUCTURAL)]).astype(np.float32)

    def long(self) -> pd.DataFrame:
        """One row a finding: scan_id, condition, level, severity; a scan without any has the condition none.

        A structural condition whose levels are told has a row for each of these.
        """
        shown = self.codes > 0
        for name in STRUCTURAL:  # "is there" says nothing more where the levels are told
            own = columns_of(name)
            shown[:, own[0]] &= ~shown[:, own[1:]].any(axis=1)
        row, at = np.nonzero(shown)
        empty = np.flatnonzero(~shown.any(axis=1))
        names, levels = (np.array(part, dtype=object) for part in zip(*COLUMNS, strict=True))
        graded = np.array([CONDITIONS[name].grades > 0 for name, _ in COLUMNS])
        words = np.array(["", *SEVERITIES], dtype=object)
        table = pd.DataFrame(
            {
                "scan_id": self.scan_ids[np.r_[row, empty]],
                "condition": np.r_[names[at], np.full(len(empty), NO_FINDING, dtype=object)],
                "level": np.r_[levels[at], np.full(len(empty), "", dtype=object)],
                "severity": np.r_[
                    np.where(graded[at], words[self.codes[row, at]], ""), np.full(len(empty), "", object)
                ],
            }
        )
        return table.iloc[np.argsort(np.r_[row, empty], kind="stable")].reset_index(drop=True)

    def wide(self) -> pd.DataFrame:
        """One row a scan: scan_id, then a column ``condition:level`` (or ``condition``) of codes for each in use."""
        used = np.flatnonzero((self.codes > 0).any(axis=0))
        table = pd.DataFrame(self.codes[:, used], columns=[wide_name(*COLUMNS[k]) for k in used])
        table.insert(0, "scan_id", self.scan_ids)
        return table


def column(condition: str, level: str = "") -> int:
    """Where a condition at a level stands in :attr:`Findings.codes`.

    >>> column("disc_bulge", "C2"), COLUMNS[column("fracture")]
    (0, ('fracture', ''))

    Raises
    ------
    UsageError
        If the condition does not exist or cannot be at that level.
    """
    if (condition, level) not in _AT:
        raise UsageError(f"{condition!r} at level {level!r}", wanted="one of core.findings.COLUMNS")
    return _AT[condition, level]


def wide_name(condition: str, level: str = "") -> str:
    """The name of a column in a wide table.

    >>> wide_name("disc_bulge", "L4"), wide_name("scoliosis")
    ('disc_bulge:L4', 'scoliosis')
    """
    return f"{condition}:{level}" if level else condition


def empty_codes(n: int) -> npt.NDArray[np.int8]:
    """Codes of ``n`` scans on which nothing was found, to be filled."""
    return np.zeros((n, len(COLUMNS)), dtype=np.int8)


@cache
def columns_of(condition: str, where: Region | None = None) -> npt.NDArray[np.int64]:
    """The columns of a condition, "" first where there is one; with a region, those of its levels.

    >>> columns_of("scoliosis").tolist(), len(columns_of("disc_bulge", "lumbar"))
    ([215], 7)
    """
    if condition not in CONDITIONS:
        raise UsageError(f"no condition is called {condition!r}", wanted=", ".join(CONDITIONS))
    return np.array(
        [
            k
            for k, (name, level) in enumerate(COLUMNS)
            if name == condition and (where is None or (level and region(level) == where))
        ]
    )
