"""Findings as terms of a model: who has a condition to which degree at more than how many levels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.anatomy import Region
from spineclock.core.errors import TableError, UsageError
from spineclock.core.findings import CONDITIONS, REGIONS, SEVERITIES, Findings


@dataclass(frozen=True)
class Category:
    """One degree of a degenerative condition in a region, at more than so many levels."""

    condition: str
    severity: str
    """Of core.findings.SEVERITIES; "" where the condition counts whatever its degree."""
    more_than: int
    region: Region

    def __post_init__(self) -> None:
        if self.condition not in CONDITIONS or CONDITIONS[self.condition].kind != "degenerative":
            raise UsageError(f"a category of {self.condition!r}", wanted="a degenerative condition of core.findings")
        if self.severity not in ("", *SEVERITIES) or self.region not in REGIONS or self.more_than < 0:
            raise UsageError(
                f"the category {self.severity!r}, more than {self.more_than} levels, {self.region!r}",
                wanted=f"a severity of {', '.join(SEVERITIES)} or none, 0 or more, and one of {', '.join(REGIONS)}",
            )

    @property
    def key(self) -> str:
        """The column it becomes: ``lumbar_disc_bulge_mild``."""
        return "_".join(filter(None, (self.region, self.condition, self.severity.replace(" ", "_"))))

    @property
    def words(self) -> str:
        """``mild disc bulge at more than 2 lumbar levels``."""
        name = " ".join(filter(None, (self.severity, CONDITIONS[self.condition].words)))
        levels = (
            f"any {self.region} level" if self.more_than == 0 else f"more than {self.more_than} {self.region} level"
        )
        return f"{name} at {levels}{'s' if self.more_than > 1 else ''}"


def category_columns(
    counts: Mapping[Region, pd.DataFrame], categories: Sequence[Category], *, or_worse: bool = False
) -> pd.DataFrame:
    """Who is in which category: a row a scan, a column of 0 and 1 for each category, named by its key.

    Of the listed categories of one condition in one region a scan counts only in the most severe one that it
    reaches. (A scan with three mild bulges and one moderate one counts as mild where moderate asks for more than one
    level. A degree that is not listed, such as a severe osteophyte in Table 5, keeps nobody out of the others.)

    Parameters
    ----------
    counts : mapping of region to DataFrame
        As :meth:`spineclock.core.findings.Findings.counts` returns them: a row a scan, columns (condition, severity),
        the number of levels.
    categories : sequence of Category
    or_worse : bool
        Count levels of at least this severity, so that two mild levels and a moderate one are three. The paper does
        not say; the default counts the levels of the very severity.

    Raises
    ------
    UsageError
        If a category stands twice, or with and without a severity beside each other.
    TableError
        If a region's counts or a condition's are not there, or the regions are not of the same scans.

    Examples
    --------
    >>> counts = pd.DataFrame({("disc_bulge", "mild"): [3, 3, 2], ("disc_bulge", "moderate"): [0, 2, 0]})
    >>> bulges = [Category("disc_bulge", "mild", 2, "lumbar"), Category("disc_bulge", "moderate", 1, "lumbar")]
    >>> category_columns({"lumbar": counts}, bulges).to_numpy().tolist()
    [[1, 0], [0, 1], [0, 0]]
    """
    if not categories:
        raise UsageError("no categories", wanted="at least one")
    _check(counts, categories)
    first = counts[categories[0].region]
    found: dict[str, npt.NDArray[np.bool_]] = {}
    for region, condition in dict.fromkeys((c.region, c.condition) for c in categories):
        own = [c for c in categories if (c.region, c.condition) == (region, condition)]
        taken = np.zeros(len(first), dtype=bool)
        for c in sorted(own, key=_degree, reverse=True):
            reached = _levels(counts[region], c, or_worse=or_worse) > c.more_than
            found[c.key] = reached & ~taken
            taken |= reached
    return pd.DataFrame({c.key: found[c.key].astype(np.int8) for c in categories}, index=first.index)


def finding_columns(
    findings: Findings, categories: Sequence[Category], *, present: Iterable[str] = (), or_worse: bool = False
) -> pd.DataFrame:
    """The categories of findings, and which scans have some conditions at any level, as columns of 0 and 1.

    See :func:`category_columns`; the columns of ``present`` are called as the conditions.

    >>> from spineclock.core.findings import column, empty_codes
    >>> codes = empty_codes(2)
    >>> codes[0, column("fracture")] = 1
    >>> finding_columns(Findings(pd.Index(["a", "b"]), codes), [], present=["fracture"])["fracture"].to_dict()
    {'a': 1, 'b': 0}
    """
    counts = {region: findings.counts(region) for region in dict.fromkeys(c.region for c in categories)}
    parts = [category_columns(counts, categories, or_worse=or_worse)] if categories else []
    there = pd.DataFrame({name: findings.present(name).astype(np.int8) for name in present}, index=findings.scan_ids)
    return pd.concat([*parts, there], axis=1)


def _degree(category: Category) -> int:
    return SEVERITIES.index(category.severity) if category.severity else -1


def _levels(counts: pd.DataFrame, category: Category, *, or_worse: bool) -> npt.NDArray[np.int64]:
    """How many levels of each scan count for a category, (n,)."""
    held = _severities(counts, category.condition)
    if category.severity == "":
        asked = held
    elif or_worse:
        asked = [s for s in held if s and SEVERITIES.index(s) >= _degree(category)]
    else:
        asked = [category.severity]
    return np.asarray(counts[[(category.condition, s) for s in asked]].to_numpy(dtype=np.int64).sum(axis=1))


def _severities(counts: pd.DataFrame, condition: str) -> list[str]:
    """The severities a table of counts has of a condition."""
    return [pair[1] for pair in counts.columns.to_list() if pair[0] == condition]


def _check(counts: Mapping[Region, pd.DataFrame], categories: Sequence[Category]) -> None:
    keys = [c.key for c in categories]
    if len(set(keys)) < len(keys):
        raise UsageError(f"the category {next(k for k in keys if keys.count(k) > 1)} twice", wanted="each once")
    for c in categories:
        if c.severity and any(
            o.severity == "" and (o.condition, o.region) == (c.condition, c.region) for o in categories
        ):
            raise UsageError(f"{c.key} beside {c.region}_{c.condition} of any degree", wanted="one or the other")
        if c.region not in counts:
            raise TableError(f"no counts of the {c.region} region", wanted=f"them, for {c.key}")
        held = _severities(counts[c.region], c.condition)
        if not held or (c.severity and c.severity not in held):
            raise TableError(
                f"counts of the {c.region} region without {c.condition} {c.severity}".rstrip(),
                wanted=f"a column ({c.condition!r}, {c.severity!r})",
            )
        if not counts[c.region].index.equals(counts[categories[0].region].index):
            raise TableError(
                f"counts of {c.region} and {categories[0].region} levels of different scans", wanted="the same scans"
            )
