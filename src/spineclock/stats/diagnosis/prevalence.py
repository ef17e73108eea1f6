"""What a call means where the disease is more, or less, common than in the people a test was tried on.

Predictive values by Bayes' rule from sensitivity and specificity, which are taken to hold there too; intervals by
Mercaldo, Lau and Zhou, Statistics in Medicine 2007, for a prevalence that is known: on the logit scale by the delta
method, and where nobody, or everybody, of a group was called, by their adjusted form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.special import expit

from spineclock.core.errors import UsageError
from spineclock.stats.diagnosis.labels import in_words
from spineclock.stats.diagnosis.operating import OperatingPoint
from spineclock.stats.result import number, results


class Predictive(NamedTuple):
    """A predictive value with its 95% interval."""

    value: float
    low: float
    high: float
    method: str


class Yield(NamedTuple):
    """Of how many with, or without, the disease a share was called rightly; the number may be an effective one."""

    share: float
    n: float


def predictive_values(
    sensitivity: Yield, specificity: Yield, *, prevalence: float, coverage: float = 0.95
) -> tuple[Predictive, Predictive]:
    """The positive and the negative predictive value where the disease has this prevalence.

    The prevalence is taken as known: the interval is that of sensitivity and specificity alone. The value itself is
    NaN where nobody at all is called, or left.

    >>> positive, negative = predictive_values(Yield(0.85, 100), Yield(0.79, 100), prevalence=0.1)
    >>> round(positive.value, 3), round(negative.value, 3)  # 0.085 / (0.085 + 0.189), 0.711 / (0.711 + 0.015)
    (0.31, 0.979)

    Raises
    ------
    UsageError
        If the prevalence is not between 0 and 1.
    """
    if not 0 < prevalence < 1:
        raise UsageError(f"a prevalence of {prevalence:g}", wanted="a share between 0 and 1, such as 0.1")
    z = float(stats.norm.ppf(0.5 + coverage / 2))
    odds = prevalence / (1 - prevalence)
    return (
        _by_bayes(sensitivity, Yield(1 - specificity.share, specificity.n), odds, z),
        _by_bayes(specificity, Yield(1 - sensitivity.share, sensitivity.n), 1 / odds, z),
    )


def _by_bayes(right: Yield, wrong: Yield, odds: float, z: float) -> Predictive:
    """Of those called, how many rightly: odds × right / wrong as a share, the interval by the logarithms' variance."""
    total = odds * right.share + wrong.share
    value = odds * right.share / total if total > 0 else np.nan
    method = "logit"
    if not (right.n > 0 and wrong.n > 0):
        return Predictive(value, np.nan, np.nan, method)
    if min(right.share, wrong.share) <= 0 or max(right.share, wrong.share) >= 1:
        method = "adjusted logit"  # as of z² more people of each group, half of them called
        right, wrong = (Yield((y.share * y.n + z**2 / 2) / (y.n + z**2), y.n + z**2) for y in (right, wrong))
    middle = np.log(odds * right.share / wrong.share)
    half = z * np.sqrt(sum((1 - y.share) / (y.share * y.n) for y in (right, wrong)))
    return Predictive(value, float(expit(middle - half)), float(expit(middle + half)), method)


@dataclass(frozen=True)
class AtPrevalence:
    """Predictive values of an operating point's calls where the disease has other prevalences, each with its source.

    Sensitivity and specificity come from ``point``: its threshold is fitted on other rows than it is applied to.
    They are taken to hold at each prevalence, which they do not where the disease is there milder or sought in other
    people. Extra columns: ``prevalence``, ``source``, ``sensitivity``, ``specificity``, ``threshold``, ``method``,
    and the counts of :class:`OperatingPoint`.

    Parameters
    ----------
    point
        The threshold's rule, and on which rows.
    prevalences
        Each prevalence by where it is from, such as ``{"women of 50 and more, our clinic": 0.3}``. The table's own
        share, of ``point.rows``, comes first.

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": range(40), "ill": [0, 0, 1, 1] * 10, "risk": [1, 3, 2, 4] * 10,
    ...                       "split": ["validation"] * 20 + ["test"] * 20})
    >>> found = AtPrevalence(OperatingPoint("ill", "risk", threshold=2.5), {"a screening clinic": 0.1})(table)
    >>> found[["term", "prevalence", "estimate"]].round(2).to_numpy().tolist()
    [['positive predictive value', 0.5, 0.5], ['negative predictive value', 0.5, 0.5],
     ['positive predictive value', 0.1, 0.1], ['negative predictive value', 0.1, 0.9]]
    """

    point: OperatingPoint
    prevalences: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """Two rows a prevalence.

        Raises
        ------
        TableError
            As :class:`OperatingPoint`.
        UsageError
            If a prevalence is not between 0 and 1.
        """
        found: dict[str, Any] = {r["term"]: r for r in self.point(table).to_dict("records")}
        own = found["accuracy"]["positives"] / found["accuracy"]["n"]
        asked = {"the share in these rows": own, **self.prevalences}
        return results(row for source, share in asked.items() for row in self._rows(found, source, share))

    def _rows(self, found: dict[str, Any], source: str, prevalence: float) -> list[dict[str, Any]]:
        se, sp = (Yield(found[k]["estimate"], found[k]["effective_n"]) for k in ("sensitivity", "specificity"))
        both = predictive_values(se, sp, prevalence=prevalence)
        names = ("positive predictive value", "negative predictive value")
        counts = ("n", "positives", "negatives", "people", "left_out", "threshold", "warning")
        ill = in_words(self.point.event)
        means = (f"of those called have {ill}", f"of those not called do not have {ill}")
        return [
            {
                "term": name,
                "estimate": value.value,
                "low": value.low,
                "high": value.high,
                "p": np.nan,
                **{k: found["accuracy"][k] for k in counts},
                "prevalence": prevalence,
                "source": source,
                "sensitivity": se.share,
                "specificity": sp.share,
                "method": value.method,
                "sentence": f"Where {prevalence:.1%} have {ill} ({source}), "
                f"{number(100 * value.value, 1)}% (95% CI {number(100 * value.low, 1)}% to "
                f"{number(100 * value.high, 1)}%) {meaning}.",
            }
            for name, value, meaning in zip(names, both, means, strict=True)
        ]
