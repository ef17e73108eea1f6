"""Which of several sets of columns an age is best read from, judged among a few dozen people without flattery.

A candidate is one or more groups of columns: each group is a model of its own (:mod:`spineclock.stats.measured_age`),
and the age is the mean of theirs. Which candidate is best is itself learned from people, so that the error of the best
is told only by choosing anew without each person: leave one out around leave one out (Varma and Simon, BMC
Bioinformatics 7:91, 2006).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.stats import measured_age
from spineclock.stats.ages import Floats
from spineclock.stats.measured_age import MeasuredAge

Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True, eq=False)
class Readout:
    """Ages of people, each read by models that never saw the person.

    Attributes
    ----------
    by_candidate : mapping of str to ndarray, one a person
        Of each candidate, leave one person out.
    chosen : ndarray, one a person
        Of the candidate with the smallest mean absolute error among the others.
    choices : Counter
        How often each candidate was that.
    """

    by_candidate: Mapping[str, Floats]
    chosen: Floats
    choices: Counter[str]

    @property
    def winner(self) -> str:
        """The candidate chosen most often."""
        return self.choices.most_common(1)[0][0]


def read_out(table: pd.DataFrame, candidates: Mapping[str, Groups]) -> Readout:
    """Leave-one-person-out ages of each candidate, and of the one that is chosen among the others.

    Parameters
    ----------
    table : DataFrame
        A row a person: ``age_years`` and the candidates' columns, NaN where a thing could not be measured.
    candidates : mapping
        Groups of columns by name; the first of equally good ones is chosen.

    Raises
    ------
    TableError
        If a column is not there, or there are fewer than 7 people.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age = rng.uniform(20, 80, 25)
    >>> told = pd.DataFrame({"age_years": age, "good": age + rng.normal(0, 5, 25), "noise": rng.normal(size=25)})
    >>> read_out(told, {"noise": (("noise",),), "good": (("good",),)}).winner
    'good'
    """
    wanted = {column for groups in candidates.values() for group in groups for column in group}
    if missing := sorted({*wanted, "age_years"} - set(table)):
        raise TableError(f"no column {missing[0]}", wanted=f"age_years and {len(wanted)} columns to read it from")
    if len(table) < 7:
        raise TableError(f"{len(table)} people to choose among and to judge", wanted="at least 7")
    age = table["age_years"].to_numpy(dtype=np.float64)
    said = {name: _averaged(measured_age.leave_two_out, table, groups) for name, groups in candidates.items()}
    alone = {name: np.diagonal(ages) for name, ages in said.items()}
    chosen, choices = np.empty(len(age)), Counter[str]()
    for i in range(len(age)):
        error = {name: float(np.abs(np.delete(ages[i] - age, i)).mean()) for name, ages in said.items()}
        best = min(error, key=lambda name: error[name])
        chosen[i] = alone[best][i]  # the candidate's model of the others, which is what leaves this person out
        choices[best] += 1
    return Readout(alone, chosen, choices)


def fitted(table: pd.DataFrame, groups: Groups, *, about: dict[str, Any]) -> MeasuredAge:
    """The model of all the people, with the predictions of :func:`leave_one_out` for bias correction and interval."""
    age = table["age_years"].to_numpy(dtype=np.float64)
    models = [measured_age.fit(table[list(group)].to_numpy(dtype=np.float64), age, features=group) for group in groups]
    pairs = zip(leave_one_out(table, groups).tolist(), age.tolist(), strict=True)
    return replace(measured_age.averaged(models), out_of_fold=tuple(pairs), about=about)


def leave_one_out(table: pd.DataFrame, groups: Groups) -> Floats:
    """Each person's age as the mean of what each group's model, fitted on everyone else, reads from its columns."""
    return _averaged(measured_age.leave_one_out, table, groups)


def _averaged(how: Callable[..., Floats], table: pd.DataFrame, groups: Groups) -> Floats:
    age = table["age_years"].to_numpy(dtype=np.float64)
    found = [how(table[list(group)].to_numpy(dtype=np.float64), age, features=group) for group in groups]
    return np.asarray(np.mean(found, axis=0))
