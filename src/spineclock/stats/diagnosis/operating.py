"""A threshold chosen on one set of people, and what it yields on another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from spineclock.core.errors import UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.diagnosis.labels import Bools, Labelled, in_words, labelled
from spineclock.stats.diagnosis.roc import roc_curve
from spineclock.stats.result import interval_text, number, results

Rule = Literal["youden", "sensitivity", "specificity"]


@dataclass(frozen=True)
class Threshold:
    """A score above which a person is called ill, and what it yielded on those it was chosen on."""

    value: float
    rule: str
    sensitivity: float
    specificity: float

    @classmethod
    def youden(cls, score: npt.ArrayLike, positive: npt.ArrayLike) -> Threshold:
        """The largest sensitivity + specificity − 1; of equal ones the one where the two are nearest to each other.

        >>> Threshold.youden([1, 2, 3, 4, 5], [False, False, True, False, True])
        Threshold(value=2.5, rule='youden', sensitivity=1.0, specificity=0.6666666666666666)
        """
        curve = roc_curve(score, positive)
        index = curve.sensitivity + curve.specificity
        best = np.flatnonzero(index >= index.max() - 1e-12)
        at = best[np.argmin(np.abs(curve.sensitivity - curve.specificity)[best])]
        return cls(float(curve.threshold[at]), "youden", float(curve.sensitivity[at]), float(curve.specificity[at]))

    @classmethod
    def at_sensitivity(cls, score: npt.ArrayLike, positive: npt.ArrayLike, *, least: float) -> Threshold:
        """The highest threshold with at least this sensitivity, which has the best specificity of those.

        >>> Threshold.at_sensitivity([1, 2, 3, 4, 5], [False, False, True, False, True], least=0.9).value
        2.5
        """
        curve = roc_curve(score, positive)
        at = int(np.flatnonzero(curve.sensitivity >= _share(least) - 1e-12)[-1])
        return cls(
            float(curve.threshold[at]), f"sensitivity ≥ {least:g}", *_pair(curve.sensitivity, curve.specificity, at)
        )

    @classmethod
    def at_specificity(cls, score: npt.ArrayLike, positive: npt.ArrayLike, *, least: float) -> Threshold:
        """The lowest threshold with at least this specificity, which has the best sensitivity of those."""
        curve = roc_curve(score, positive)
        at = int(np.flatnonzero(curve.specificity >= _share(least) - 1e-12)[0])
        return cls(
            float(curve.threshold[at]), f"specificity ≥ {least:g}", *_pair(curve.sensitivity, curve.specificity, at)
        )


class Proportion(NamedTuple):
    """A share with its 95% interval."""

    value: float
    low: float
    high: float
    n: int
    effective_n: float
    """What the rows are worth as independent ones."""


def proportion(
    hits: npt.ArrayLike,
    *,
    people: npt.ArrayLike | None = None,
    method: Literal["exact", "wilson"] = "exact",
    coverage: float = 0.95,
) -> Proportion:
    """The share of hits, with Clopper and Pearson's exact or Wilson's interval.

    Several rows of a person are worth fewer: the interval is that of n over the design effect (Korn and Graubard
    1998), never of more than n, and of the number of people where all rows agree. NaN where there are no rows.

    >>> [round(v, 4) for v in proportion([True] * 8 + [False] * 2)[:3]]
    [0.8, 0.4439, 0.9748]
    >>> [round(v, 4) for v in proportion([True] * 8 + [False] * 2, method="wilson")[:3]]
    [0.8, 0.4902, 0.9433]
    """
    x = np.asarray(hits, dtype=np.float64)
    n = x.size
    if not n:
        return Proportion(np.nan, np.nan, np.nan, 0, 0.0)
    p, size = float(x.mean()), float(n)
    who = np.arange(n) if people is None else np.unique(np.asarray(people), return_inverse=True)[1].ravel()
    count = int(who.max()) + 1
    if count < n:
        size = float(count)
        if 0 < p < 1 and count > 1:
            spread = count / (count - 1) * float(np.square(np.bincount(who, weights=x - p)).sum()) / n**2
            size = min(float(n), p * (1 - p) / spread * n / (n - 1)) if spread > 0 else float(n)
    hit, miss, tail = p * size, (1 - p) * size, (1 - coverage) / 2
    if method == "exact":
        low = float(stats.beta.ppf(tail, hit, miss + 1)) if p > 0 else 0.0
        high = float(stats.beta.ppf(1 - tail, hit + 1, miss)) if p < 1 else 1.0
        return Proportion(p, low, high, n, size)
    if method != "wilson":
        raise UsageError(f"the interval {method!r}", wanted="exact or wilson")
    z2 = float(stats.norm.ppf(1 - tail)) ** 2
    middle = (p + z2 / (2 * size)) / (1 + z2 / size)
    half = np.sqrt(z2) / (1 + z2 / size) * np.sqrt(p * (1 - p) / size + z2 / (4 * size**2))
    return Proportion(p, max(0.0, float(middle - half)), min(1.0, float(middle + half)), n, size)


_YIELD: dict[str, tuple[str, Callable[[Bools, Bools], tuple[Bools, Bools]]]] = {
    # of whom (of those ill, called) and what is a hit among them
    "sensitivity": ("of those with it are called", lambda ill, called: (ill, called)),
    "specificity": ("of those without it are not called", lambda ill, called: (~ill, ~called)),
    "positive predictive value": ("of those called have it", lambda ill, called: (called, ill)),
    "negative predictive value": ("of those not called do not have it", lambda ill, called: (~called, ~ill)),
    "accuracy": ("of all are told rightly", lambda ill, called: (np.ones_like(ill), ill == called)),
}


@dataclass(frozen=True)
class OperatingPoint:
    """Sensitivity, specificity, predictive values, accuracy and likelihood ratios of a threshold fitted on other rows.

    Predictive values and accuracy hold for the share of ill people in this table only. Extra columns: ``threshold``,
    ``rule``, ``positives``, ``negatives``, ``people``, ``left_out``, ``effective_n``, ``warning``.

    Parameters
    ----------
    fit_on, rows
        The split the threshold is chosen on, and the one it is applied to.
    rule, least
        "youden", or the sensitivity or specificity of at least ``least``.
    threshold
        A fixed one instead of a chosen one.

    Examples
    --------
    >>> table = pd.DataFrame({"person_id": range(10), "ill": [0, 0, 1, 1, 0] * 2, "risk": [1, 2, 3, 4, 2.6] * 2,
    ...                       "split": ["validation"] * 5 + ["test"] * 5})
    >>> OperatingPoint("ill", "risk")(table).loc[:1, ["estimate", "threshold"]].to_numpy().tolist()
    [[1.0, 2.8], [1.0, 2.8]]
    """

    event: str
    score: str
    fit_on: str = "validation"
    rows: str | None = "test"
    rule: Rule = "youden"
    least: float = 0.9
    threshold: float | None = None
    interval: Literal["exact", "wilson"] = "exact"
    person: str | None = "person_id"
    split: str = "split"

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """One row a measure.

        Raises
        ------
        TableError
            If a column is missing, the score is constant where the threshold is chosen, or too few rows have, or have
            not, the disease.
        """
        chosen = self.chosen(table)
        kept = labelled(
            table, self.event, [self.score], person=self.person, split=self.split, rows=self.rows, varied=False
        )
        called = kept.scores[0] > chosen.value
        extra = {**kept.counts, "threshold": chosen.value, "rule": chosen.rule, "warning": self._warning(kept)}
        rows = [self._proportion(kept, called, name, extra) for name in _YIELD]
        rows += [self._ratio(rows[0], rows[1], name, extra) for name in ("LR+", "LR−")]
        return results(rows)

    def chosen(self, table: pd.DataFrame) -> Threshold:
        """The threshold, from the rows it is fitted on."""
        if self.threshold is not None:
            return Threshold(self.threshold, "given", np.nan, np.nan)
        fitted = labelled(table, self.event, [self.score], person=self.person, split=self.split, rows=self.fit_on)
        score, ill = fitted.scores[0], fitted.positive
        if self.rule == "youden":
            return Threshold.youden(score, ill)
        if self.rule == "sensitivity":
            return Threshold.at_sensitivity(score, ill, least=self.least)
        if self.rule == "specificity":
            return Threshold.at_specificity(score, ill, least=self.least)
        raise UsageError(f"the rule {self.rule!r}", wanted="youden, sensitivity or specificity")

    def _warning(self, kept: Labelled) -> str:
        found = [kept.warning] if kept.warning else []
        if self.threshold is None and self.rows in (None, self.fit_on):
            found.append("the threshold was chosen on these very rows, which makes it look better than it is")
        return "; ".join(found)

    def _proportion(self, kept: Labelled, called: Bools, name: str, extra: dict[str, Any]) -> dict[str, Any]:
        words, parts = _YIELD[name]
        among, hit = parts(kept.positive, called)
        found = proportion(hit[among], people=kept.people[among], method=self.interval)
        sentence = (
            f"Above {extra['threshold']:.4g} {in_words(self.score)}, the {name} for {in_words(self.event)} is "
            f"{interval_text(found.value, found.low, found.high)}: {int(hit[among].sum()):,} of {found.n:,} {words}."
        )
        row = {"term": name, "estimate": found.value, "low": found.low, "high": found.high, "p": np.nan}
        return {**row, **extra, "n": found.n, "effective_n": found.effective_n, "sentence": sentence}

    def _ratio(
        self, sensitivity: dict[str, Any], specificity: dict[str, Any], name: str, extra: dict[str, Any]
    ) -> dict[str, Any]:
        se, sp = sensitivity["estimate"], specificity["estimate"]
        a, b = (se, 1 - sp) if name == "LR+" else (1 - se, sp)
        value, low, high = (a / b if b > 0 else np.inf), np.nan, np.nan
        if a > 0 and b > 0:  # Simel, Samsa and Matchar 1991
            spread = (1 - a) / (a * sensitivity["effective_n"]) + (1 - b) / (b * specificity["effective_n"])
            half = float(stats.norm.ppf(0.975) * np.sqrt(spread))
            low, high = value * float(np.exp(-half)), value * float(np.exp(half))
        call = "a positive" if name == "LR+" else "a negative"
        sentence = (
            f"{call.capitalize()} call multiplies the odds of {in_words(self.event)} by {number(value)} "
            f"(95% CI {number(low)} to {number(high)})."
        )
        row = {"term": name, "estimate": value, "low": low, "high": high, "p": np.nan}
        return {**row, **extra, "effective_n": np.nan, "sentence": sentence}


def _pair(first: Floats, second: Floats, at: int) -> tuple[float, float]:
    return float(first[at]), float(second[at])


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise UsageError(f"a share of {value:g}", wanted="a number from 0 to 1")
    return value
