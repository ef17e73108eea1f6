"""A person's probability of a disease from those of the person's vertebrae."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit

from spineclock.core.errors import TableError, UsageError
from spineclock.core.outcomes import Pooling
from spineclock.stats.ages import Floats
from spineclock.stats.diagnosis.labels import probabilities
from spineclock.stats.rows import complete, has_columns

_SUREST = 1e-9
"""Probabilities nearer to 0 or 1 count as this near in a mean of logits, so that no single vertebra decides alone."""


def pooled(probability: npt.ArrayLike, of: npt.ArrayLike, *, rule: Pooling = "mean") -> Floats:
    """(groups,) one probability a group from those of its vertebrae; NaN is a level that is not there.

    "mean" is the mean of the logits, "max" the largest, "noisy-or" 1 − ∏(1 − p): the chance that at least one vertebra
    tells of it, were each an independent witness. They are not, and the last two rise with the number of vertebrae, so
    recalibrate what comes out. A group without any is NaN.

    Parameters
    ----------
    probability : array-like, shape (n,)
    of : array-like of int, shape (n,)
        The group of each vertebra, 0 upwards.

    Examples
    --------
    >>> p, who = [0.2, 0.8, np.nan, 0.5, np.nan], [0, 0, 0, 1, 2]
    >>> {rule: pooled(p, who, rule=rule).round(4).tolist() for rule in ("mean", "max", "noisy-or")}
    {'mean': [0.5, 0.5, nan], 'max': [0.8, 0.5, nan], 'noisy-or': [0.84, 0.5, nan]}
    """
    if rule not in get_args(Pooling):
        raise UsageError(f"the rule {rule!r}", wanted=", ".join(get_args(Pooling)))
    p, group = np.asarray(probability, dtype=np.float64), np.asarray(of, dtype=np.int64)
    if p.shape != group.shape or p.ndim != 1:
        raise UsageError(f"probabilities of shape {p.shape}, groups of {group.shape}", wanted="(n,) and (n,)")
    groups, known = int(group.max()) + 1 if group.size else 0, np.isfinite(p)
    p, group = p[known], group[known]
    probabilities(p[None], ["probability"])
    count = np.bincount(group, minlength=groups)
    if rule == "max":
        found = np.full(groups, -np.inf)
        np.maximum.at(found, group, p)
    elif rule == "noisy-or":
        with np.errstate(divide="ignore"):  # a vertebra that is sure: log 0
            found = -np.expm1(np.bincount(group, weights=np.log1p(-p), minlength=groups))
    else:
        sums = np.bincount(group, weights=logit(np.clip(p, _SUREST, 1 - _SUREST)), minlength=groups)
        found = expit(sums / np.maximum(count, 1))
    return np.where(count > 0, found, np.nan)


@dataclass(frozen=True)
class PatientProbability:
    """One row a person from one row a vertebra: its probabilities pooled, and how many vertebrae they stand on.

    Parameters
    ----------
    probabilities
        Columns of vertebral probabilities, empty where a level is not there.
    rule
        As of :func:`pooled`.
    by
        What makes a row of the result: a person, or ``("person_id", "scan_id")`` where people were scanned again.
    keep
        Columns taken over, such as the disease; each must be one value a person.

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": list("aab"), "level": ["L1", "L2", "L1"], "p": [0.2, 0.8, 0.4],
    ...                       "osteoporosis": [True, True, False]})
    >>> PatientProbability(["p"], rule="max", keep=["osteoporosis"])(table).to_numpy().tolist()
    [['a', 0.8, 2, True], ['b', 0.4, 1, False]]
    """

    probabilities: Sequence[str]
    rule: Pooling = "mean"
    by: Sequence[str] = ("person_id",)
    keep: Sequence[str] = ()

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """The people in the order they first appear: ``by``, the probabilities, ``vertebrae``, ``keep``.

        Raises
        ------
        TableError
            If a column is missing, a probability is none, a row is of nobody, or a person has two values of one of
            ``keep``.
        UsageError
            If no probability is named.
        """
        if not self.probabilities or not self.by:
            raise UsageError("no probability, or nobody to pool it by", wanted="at least one column of each")
        has_columns(table, [*self.by, *self.probabilities, *self.keep])
        if nobody := int(table[[*self.by]].isna().any(axis=1).sum()):
            raise TableError(f"{nobody} row(s) without {' or '.join(self.by)}", wanted="one in each row")
        table = table.reset_index(drop=True)
        own: pd.Series[Any] = table.groupby([*self.by], sort=False).ngroup()
        first = ~own.duplicated()
        found = table.loc[first, [*self.by]].reset_index(drop=True)
        told = np.zeros(len(table), dtype=bool)
        for name in self.probabilities:
            values = _numbers(table, name)
            told |= np.isfinite(values)
            found[name] = pooled(values, own.to_numpy(), rule=self.rule)
        found["vertebrae"] = np.bincount(own[told], minlength=len(found))
        for name in self.keep:
            found[name] = self._kept(table, own, name)[first].to_numpy()
        return found

    def _kept(self, table: pd.DataFrame, own: pd.Series[Any], name: str) -> pd.Series[Any]:
        values = table[name].groupby(own).nunique(dropna=False)
        if (values > 1).any():
            worst = table.loc[(own == values.idxmax()).to_numpy(), [*self.by]].iloc[0].tolist()
            raise TableError(
                f"{int((values > 1).sum())} with more than one {name}, such as {', '.join(map(str, worst))}",
                wanted=f"one {name} for each {' and '.join(self.by)}",
                remedy="pool by scan too where people were scanned again: by=('person_id', 'scan_id')",
            )
        return table[name]


def _numbers(table: pd.DataFrame, name: str) -> Floats:
    """(n,) with NaN where empty; a TableError where a cell is no probability."""
    told = complete(table, numbers=[name], at_least=0).table[name].to_numpy(dtype=np.float64)
    probabilities(told[None], [name])
    found = np.full(len(table), np.nan)
    found[table[name].notna().to_numpy()] = told
    return found
