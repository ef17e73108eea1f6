"""Sensitivity and specificity of one score against another's on the same people, each at its own fitted threshold.

Sources: McNemar, Psychometrika 1947; Fagerland, Lydersen and Laake, BMC Medical Research Methodology 2013 (mid-p) and
Statistics in Medicine 2014 (which interval); Bonett and Price, British Journal of Mathematical and Statistical
Psychology 2012; Obuchowski, Statistics in Medicine 1998 (several rows of a person).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from spineclock.core.errors import UsageError
from spineclock.stats.diagnosis.calibration import clustered_mean
from spineclock.stats.diagnosis.labels import Bools, Labelled, in_words, labelled
from spineclock.stats.diagnosis.operating import OperatingPoint, Rule
from spineclock.stats.result import interval_text, p_text, results


class McNemar(NamedTuple):
    """p of two calls being right equally often, on the rows where just one of them is."""

    exact: float
    mid_p: float


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """McNemar's exact conditional test, and its mid-p, which is less timid and hardly ever above its level.

    The numbers are of rows where only the first call is right, and only the second.

    >>> found = mcnemar(1, 7)  # Fagerland et al. 2013, table 2: 0.070 and 0.039
    >>> round(found.exact, 4), round(found.mid_p, 4)
    (0.0703, 0.0391)

    Raises
    ------
    UsageError
        If a number is below 0.
    """
    if min(only_first, only_second) < 0:
        raise UsageError(f"{only_first} and {only_second} rows", wanted="0 or more")
    n, fewer = only_first + only_second, min(only_first, only_second)
    if n == 0:
        return McNemar(1.0, 1.0)
    own = float(stats.binom.pmf(fewer, n, 0.5))
    exact = min(1.0, 2 * float(stats.binom.cdf(fewer, n, 0.5)))
    return McNemar(exact, 1 - own / 2 if only_first == only_second else exact - own)


class Difference(NamedTuple):
    """A difference of two shares of the same rows, with 95% interval and p of none."""

    value: float
    low: float
    high: float
    p: float
    exact_p: float
    method: str


def paired_shares(first: Bools, second: Bools, *, people: npt.ArrayLike | None = None) -> Difference:
    """How much larger the first's share of true rows is than the second's.

    With one row a person the interval is Bonett and Price's, p McNemar's mid-p. Several rows of a person are not
    independent, and neither holds: interval and p are then those of a mean clustered by person (Obuchowski), and there
    is no exact p.

    >>> first, second = np.repeat([True, True, False, False], [1, 1, 7, 12]), np.repeat([1, 0, 1, 0], [1, 1, 7, 12]) > 0
    >>> [round(v, 3) for v in paired_shares(first, second)[:4]]  # Fagerland et al. 2014: −0.286 (−0.508 to −0.013)
    [-0.286, -0.508, -0.013, 0.039]
    """
    gain = first.astype(np.float64) - second
    n, z = gain.size, float(stats.norm.ppf(0.975))
    if not n:
        return Difference(np.nan, np.nan, np.nan, np.nan, np.nan, "no rows")
    if people is not None and len(np.unique(np.asarray(people))) < n:
        value, error = clustered_mean(gain, people)
        p = float(2 * stats.norm.sf(abs(value) / error)) if error > 0 else (1.0 if value == 0 else np.nan)
        return Difference(value, value - z * error, value + z * error, p, np.nan, "clustered by person")
    better, worse = int((gain > 0).sum()), int((gain < 0).sum())
    test = mcnemar(better, worse)
    more, less = (better + 1) / (n + 2), (worse + 1) / (n + 2)
    half = z * float(np.sqrt((more + less - (more - less) ** 2) / (n + 2)))
    low, high = max(-1.0, more - less - half), min(1.0, more - less + half)
    return Difference(float(gain.mean()), low, high, test.mid_p, test.exact, "McNemar mid-p, Bonett–Price interval")


@dataclass(frozen=True)
class OperatingDifference:
    """How much larger sensitivity and specificity of a score are than each other's, on the same people.

    Each score has its own threshold, fitted on other rows by the same rule (:class:`OperatingPoint`). p is McNemar's
    mid-p, or clustered by person where a person has several rows (:func:`paired_shares`). A gain in one of the two is
    none where the other is lost: look at both. Extra columns: ``measure``, ``share``, ``share_other``, ``only_first``,
    ``only_second`` (rows where just one call is right), ``exact_p``, ``method``, ``threshold``, ``threshold_other``,
    and the counts of :class:`OperatingPoint`.

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": range(16), "ill": [0, 0, 1, 1] * 4, "split": ["validation", "test"] * 8,
    ...                       "t1": [1, 1, 2, 2, 1, 3, 2, 2] * 2, "t2": [1, 2, 2, 1] * 4})
    >>> found = OperatingDifference("ill", "t1", ["t2"])(table)
    >>> found[["measure", "share", "share_other", "exact_p"]].to_numpy().tolist()
    [['sensitivity', 1.0, 0.0, 0.125], ['specificity', 0.5, 0.0, 0.5]]
    """

    event: str
    score: str
    others: Sequence[str]
    fit_on: str = "validation"
    rows: str | None = "test"
    rule: Rule = "youden"
    least: float = 0.9
    person: str | None = "person_id"
    split: str = "split"

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """Two rows for each of the others: sensitivity and specificity.

        Raises
        ------
        TableError
            As :class:`OperatingPoint`.
        UsageError
            If a score is compared with itself or with nothing.
        """
        names = [self.score, *self.others]
        if len(set(names)) < max(2, len(names)):
            raise UsageError(f"{self.score} against {', '.join(self.others) or 'nothing'}", wanted="different scores")
        kept = labelled(table, self.event, names, person=self.person, split=self.split, rows=self.rows, varied=False)
        point = OperatingPoint(
            self.event, self.score, self.fit_on, self.rows, self.rule, self.least, person=self.person, split=self.split
        )
        thresholds = [replace(point, score=name).chosen(table).value for name in names]
        right = (kept.scores > np.array(thresholds)[:, None]) == kept.positive
        return results(
            self._row(kept, right, thresholds, i, measure)
            for i in range(1, len(names))
            for measure in ("sensitivity", "specificity")
        )

    def _row(
        self, kept: Labelled, right: npt.NDArray[np.bool_], thresholds: Sequence[float], i: int, measure: str
    ) -> dict[str, Any]:
        among = kept.positive if measure == "sensitivity" else ~kept.positive
        first, second, other = right[0, among], right[i, among], self.others[i - 1]
        found = paired_shares(first, second, people=kept.people[among])
        alone, other_alone = int((first & ~second).sum()), int((second & ~first).sum())
        sentence = (
            f"For {in_words(self.event)} the {measure} of {in_words(self.score)} ({first.mean():.2f}) minus that of "
            f"{in_words(other)} ({second.mean():.2f}) is {interval_text(*found[:3], digits=3)}; {p_text(found.p)} "
            f"({alone:,} of {len(first):,} rows told rightly by the first alone, {other_alone:,} by the second alone)."
        )
        return {
            "term": f"{self.score} − {other}: {measure}",
            "estimate": found.value,
            "low": found.low,
            "high": found.high,
            "p": found.p,
            **kept.counts,
            "measure": measure,
            "share": float(first.mean()),
            "share_other": float(second.mean()),
            "only_first": alone,
            "only_second": other_alone,
            "exact_p": found.exact_p,
            "method": found.method,
            "threshold": thresholds[0],
            "threshold_other": thresholds[i],
            "warning": kept.warning,
            "sentence": sentence,
        }
