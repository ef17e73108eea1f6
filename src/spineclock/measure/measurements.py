"""What measuring a scan gives: one row a measurement, and the flat record a model reads."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.measure.section import Floats

Structure = Literal["disc", "vertebra", "canal", "spine", "muscle"]
COLUMNS = ("structure", "level", "name", "value", "unit", "complete")
LOWEST = 5
"""How many structures, from the lowest up, the aggregates are taken over: five lumbar discs, five lumbar vertebrae."""


@dataclass(frozen=True)
class Measurement:
    """One number: of what, where, how much, and whether the whole of it was in view.

    ``level`` is "L4/L5" for a disc or the canal behind it, "L4" for a vertebra or the canal behind it, "" for the
    spine. ``value`` is NaN where it could not be measured.
    """

    structure: Structure
    level: str
    name: str
    value: float
    unit: str
    complete: bool = True


@dataclass(frozen=True)
class Measurements:
    """All that was measured in one scan.

    ``cut`` names the structures, as (structure, level), that the field of view or the segmentation cuts off above,
    below, in front or behind: their numbers stand in the table, flagged, and are left out of :meth:`wide`.
    A disc's or vertebra's volume that is only cut at the slab's sides is flagged incomplete in the table but kept
    in :meth:`wide`, since nearly all sagittal slabs cut there.
    """

    rows: tuple[Measurement, ...]
    cut: frozenset[tuple[str, str]] = frozenset()

    @property
    def table(self) -> pd.DataFrame:
        """One row a measurement: structure, level, name, value, unit, complete."""
        rows = [(r.structure, r.level, r.name, r.value, r.unit, r.complete) for r in self.rows]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def wide(self) -> dict[str, float]:
        """Each measurement under its full name, and means, minima and maxima over the lowest five.

        ``disc.L4/L5.height_mm``, ``vertebra.L3.signal``, ``canal.L4/L5.depth_mm``, ``spine.csf_spread``;
        ``disc.mean.height_mm``, ``disc.min.height_mm``, ``disc.max.height_mm``, and so for vertebrae and
        for the canal behind discs. An aggregate leaves out what is NaN and is NaN where nothing is left.

        Examples
        --------
        >>> found = Measurements((Measurement("disc", "L4/L5", "height_mm", 8.0, "mm"),
        ...                       Measurement("disc", "L5/S1", "height_mm", 6.0, "mm"),
        ...                       Measurement("disc", "T9/T10", "height_mm", 2.0, "mm")),
        ...                      frozenset({("disc", "T9/T10")}))
        >>> wide = found.wide()
        >>> wide["disc.L4/L5.height_mm"], wide["disc.mean.height_mm"], wide["disc.T9/T10.height_mm"]
        (8.0, 7.0, nan)
        """
        out: dict[str, float] = {}
        groups: dict[tuple[str, str], list[tuple[int, float]]] = {}
        for row in self.rows:
            whole = (row.structure, row.level) not in self.cut
            out[".".join(part for part in (row.structure, row.level, row.name) if part)] = (
                row.value if whole else np.nan
            )
            if row.level and whole and (row.structure != "canal" or "/" in row.level):
                groups.setdefault((row.structure, row.name), []).append((_height(row.level), row.value))
        for (structure, name), found in groups.items():
            values = np.array([value for _, value in sorted(found)[:LOWEST]])
            values = values[np.isfinite(values)]
            for how, value in _summary(values).items():
                out[f"{structure}.{how}.{name}"] = value
        return out


def _summary(values: Floats) -> dict[str, float]:
    if values.size == 0:
        return dict.fromkeys(("mean", "min", "max"), float("nan"))
    return {"mean": float(values.mean()), "min": float(values.min()), "max": float(values.max())}


def _height(level: str) -> int:
    """The rank of a level from the lowest up."""
    return -list(LEVEL_NUMBERS).index(level.split("/")[0])


def gathered(parts: Iterable[Iterable[Measurement]]) -> tuple[Measurement, ...]:
    """Rows of several structures in one tuple."""
    return tuple(row for part in parts for row in part)
