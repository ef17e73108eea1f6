"""One straight line a modality: radiographs and DXA VFA images read by the same network, made comparable.

Source: VERTE-X-Aging corrects its predictions on VFA images by Beheshti's method; METHODS A4 gives the lines. That
it is fitted on calibration people who are never evaluated is our choice, and held by hashes of who they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.core.people import hashed
from spineclock.stats.ages import Floats, paired
from spineclock.stats.bias.correction import USES_AGE
from spineclock.stats.bias.linear import Beheshti
from spineclock.stats.rows import complete, has_columns


@dataclass(frozen=True)
class ModalityLine:
    """What corrects one modality.

    Attributes
    ----------
    beheshti : Beheshti
        Needs the chronological age.
    people : int
        How many it was fitted on; 0 for a reference modality.
    ages_years : (float, float) or None
        Of the youngest and the oldest of them; beyond these the line is extrapolated.
    """

    beheshti: Beheshti
    people: int
    ages_years: tuple[float, float] | None

    @classmethod
    def fit(cls, predicted: Floats, age: Floats, *, people: int) -> Self:
        """The line of these scans; errors as in :meth:`Beheshti.fit`."""
        return cls(Beheshti.fit(predicted, age), people, (float(age.min()), float(age.max())))


UNCHANGED = ModalityLine(Beheshti(0.0, 0.0), 0, None)
"""The line of a reference modality, whose predictions stay as they are."""


@dataclass(frozen=True, eq=False)
class ModalityCorrection:
    """Beheshti's correction of each modality, and who they were fitted on.

    Attributes
    ----------
    lines : mapping of modality to ModalityLine
    fitted_on : frozenset of str
        :func:`spineclock.core.people.hashed` names of the calibration people, who must not be evaluated.

    Examples
    --------
    >>> age = np.array([50.0, 60.0, 70.0])
    >>> table = pd.DataFrame({"person_id": ["a", "b", "c"] * 2, "modality": ["radiograph"] * 3 + ["vfa"] * 3,
    ...                       "age_years": [*age, *age], "predicted_age_years": [*age, *(0.5 * age + 20)]})
    >>> correction = ModalityCorrection.fit(table, min_people=3)
    >>> correction.corrected([50, 50], [60, 60], ["radiograph", "vfa"]).tolist()
    [50.0, 60.0]
    """

    lines: Mapping[str, ModalityLine]
    fitted_on: frozenset[str]

    uses_test_age: ClassVar[bool] = True
    caution: ClassVar[str] = USES_AGE
    """To be said beside figures of merit after :meth:`corrected`."""

    @classmethod
    def fit(
        cls,
        table: pd.DataFrame,
        *,
        reference: str | None = None,
        rng: np.random.Generator | None = None,
        min_people: int = 20,
        predicted: str = "predicted_age_years",
        age: str = "age_years",
        modality: str = "modality",
        person: str = "person_id",
    ) -> Self:
        """The lines of each modality among calibration people, none of whom the network has been trained on.

        Parameters
        ----------
        table : DataFrame, a row a scan
            Its columns are named by the last four parameters.
        reference : str, optional
            A modality whose predictions stay as they are (radiographs, in the paper). The others are made unbiased, and
            so comparable to it only as far as it is.
        rng : Generator, optional
            With it, of a person's several scans by one modality one is drawn; without it all are used.
        min_people : int
            The fewest that a modality is corrected by (our choice).

        Raises
        ------
        TableError
            If a column is missing, or a modality has too few people, or people of one age only.
        """
        rows = complete(table, numbers=[predicted, age], names=[modality, person]).table
        if rng is not None:
            rows = rows.iloc[rng.permutation(len(rows))].drop_duplicates([modality, person])
        lines = {} if reference is None else {reference: UNCHANGED}
        for name, part in rows[rows[modality] != reference].groupby(modality, sort=True):
            people = part[person].nunique()
            if people < min_people:
                raise TableError(
                    f"{people} calibration people of modality {name}",
                    wanted=f"at least {min_people}",
                    remedy="calibrate on more people, or leave this modality out",
                )
            values, ages = part[predicted].to_numpy(float), part[age].to_numpy(float)
            lines[str(name)] = ModalityLine.fit(values, ages, people=people)
        return cls(lines, hashed(rows[person]))

    def corrected(self, predicted: npt.ArrayLike, age: npt.ArrayLike, modality: npt.ArrayLike) -> Floats:
        """ŷ − D(y) by the line of each scan's modality (one for all, or one a scan), in years. See :attr:`caution`.

        Raises
        ------
        TableError
            If a modality is not among the calibrated ones, or an age is missing.
        UsageError
            If shapes differ.
        """
        p, y = paired(np.atleast_1d(predicted), np.atleast_1d(age))
        out = np.empty_like(p)
        for which, line in self._by_modality(modality, p):
            out[which] = line.beheshti.corrected(p[which], y[which])
        return out

    def require_unseen(self, person_ids: Iterable[object]) -> None:
        """Nothing, where none of them was calibrated on.

        Raises
        ------
        TableError
            Naming one who was.
        """
        asked = list(dict.fromkeys(person_ids))
        seen = [p for p in asked if hashed([p]) <= self.fitted_on]
        if seen:
            raise TableError(
                f"{len(seen)} of {len(asked)} people, such as {seen[0]}, are those the correction was fitted on",
                wanted="people it has not seen",
                remedy="leave them out of the evaluation, or calibrate on others",
            )

    def applied(
        self,
        table: pd.DataFrame,
        *,
        predicted: str = "predicted_age_years",
        age: str = "age_years",
        modality: str = "modality",
        person: str = "person_id",
    ) -> pd.DataFrame:
        """The table with ``modality_corrected_age_years``, Beheshti's, of people that the correction has not seen.

        Raises
        ------
        TableError
            If a column or a value is missing, someone was calibrated on, or a modality is unknown.
        """
        has_columns(table, [predicted, age, modality, person])
        self.require_unseen(table[person])
        corrected = self.corrected(table[predicted], table[age], table[modality])
        return table.assign(modality_corrected_age_years=corrected)

    def _by_modality(
        self, modality: npt.ArrayLike, scans: Floats
    ) -> Iterator[tuple[npt.NDArray[np.bool_], ModalityLine]]:
        """Which scans each line is for."""
        names = np.asarray(modality, dtype=object)
        if names.shape not in ((), scans.shape):
            raise UsageError(f"modalities of shape {names.shape} for {len(scans)} scans", wanted="one for all, or each")
        unknown = [name for name in dict.fromkeys(names.ravel().tolist()) if name not in self.lines]
        if unknown:
            raise TableError(
                f"scans of modality {', '.join(map(str, unknown))}",
                wanted=f"one of those calibrated: {', '.join(self.lines)}",
                remedy="calibrate on people seen by it too",
            )
        for name, line in self.lines.items():
            which = np.broadcast_to(names == name, scans.shape)
            if which.any():
                yield which, line
