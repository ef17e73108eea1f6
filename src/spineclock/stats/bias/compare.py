"""The bias corrections side by side, on people none of them was fitted on.

With what each makes of a model that knows nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.stats.accuracy import MEASURES, figures, measure_rows, terms
from spineclock.stats.ages import Floats
from spineclock.stats.bias.correction import Correction
from spineclock.stats.bias.level import AgeLevel
from spineclock.stats.bias.linear import Beheshti, Cole, DeLange
from spineclock.stats.bias.smooth import AgeCovariate, Lowess
from spineclock.stats.metrics import mae, pearson_r
from spineclock.stats.result import number, results
from spineclock.stats.rows import complete, of_split
from spineclock.stats.sums import Estimates, bootstrap_sums


def fit_all(
    predicted: npt.ArrayLike, age: npt.ArrayLike, *, share: float = 2 / 3, degree: int = 2, min_people: int = 20
) -> dict[str, Correction | TableError]:
    """Each correction by name, fitted on the same validation people, or the reason why it cannot be.

    >>> age = np.linspace(30, 80, 60)
    >>> {name: type(c).__name__ for name, c in fit_all(55 + 0 * age, age).items()}["Cole"]
    'TableError'
    """
    fits: dict[str, Callable[[], Correction]] = {
        "Cole": lambda: Cole.fit(predicted, age),
        "Beheshti": lambda: Beheshti.fit(predicted, age),
        "de Lange": lambda: DeLange.fit(predicted, age),
        "age-level": lambda: AgeLevel.fit(predicted, age, min_people=min_people),
        "LOWESS": lambda: Lowess.fit(predicted, age, share=share),
        "age covariate": lambda: AgeCovariate.fit(predicted, age, degree=degree),
    }
    fitted: dict[str, Correction | TableError] = {}
    for name, fit in fits.items():
        try:
            fitted[name] = fit()
        except TableError as reason:
            fitted[name] = reason
    return fitted


class _People(NamedTuple):
    """Predicted and chronological ages, and whose they are."""

    predicted: Floats
    age: Floats
    person: npt.NDArray[Any]


@dataclass(frozen=True)
class BiasCorrections:
    """MAE, WMAE, R², RMSE, r, mean gap and the gap's slope on age after each bias correction, and after none.

    Every correction is fitted on ``fit_on`` alone and judged on ``evaluate_on``. Rows named "r of shuffled predictions"
    are the warning of Butler et al. (Hum Brain Mapp 2021) in numbers: predictions are dealt out to other people, so
    that they know nothing, and corrected as the true ones were. A correction that takes the age of the people it is
    judged on still reaches r = SD(y)/√(SD(y)² + SD(ŷ)²) or about that (column ``expected``).

    Parameters
    ----------
    share, degree, min_people
        Of :class:`Lowess`, :class:`AgeCovariate` and :class:`AgeLevel`.
    shuffles : int
        How often predictions are dealt out.
    resamples, seed : int
        Of the bootstrap of people, which holds the corrections fixed; 0 for no intervals.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> age = rng.uniform(25, 85, 400)
    >>> table = pd.DataFrame({"person_id": range(400), "age_years": age, "split": ["validation", "test"] * 200,
    ...                       "predicted_age_years": 0.7 * age + 16 + rng.normal(0, 4, 400)})
    >>> found = BiasCorrections(resamples=0)(table).set_index("term")["estimate"]
    >>> found[["r of shuffled predictions, Cole", "r of shuffled predictions, Beheshti"]].abs().round(1).tolist()
    [0.0, 0.8]
    """

    predicted: str = "predicted_age_years"
    age: str = "age_years"
    person: str = "person_id"
    split: str = "split"
    fit_on: str = "validation"
    evaluate_on: str = "test"
    share: float = 2 / 3
    degree: int = 2
    min_people: int = 20
    shuffles: int = 20
    resamples: int = 2000
    seed: int = 0

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """One row a correction and measure.

        Further columns: ``measure``, ``correction``, ``unit``, ``people``, ``uses_test_age`` (then it must not stand
        behind a headline figure), ``outside`` (scans at ages the correction does not know), ``caution``, ``expected``.

        Raises
        ------
        TableError
            If a column or a split is missing, someone is in both splits, or there are fewer than three people.
        """
        validation, test = (self._people(table, name) for name in (self.fit_on, self.evaluate_on))
        both = set(validation.person) & set(test.person)
        if both:
            raise TableError(
                f"{len(both)} people in both {self.fit_on} and {self.evaluate_on}, such as {sorted(map(str, both))[0]}",
                wanted="corrections judged on people they were not fitted on",
                remedy="split by person",
            )
        fitted = self._fit(validation.predicted, validation.age)
        refused = {name: c for name, c in fitted.items() if isinstance(c, TableError)}
        usable = {name: c for name, c in fitted.items() if not isinstance(c, TableError)}
        return results([
            *self._measures(usable, test),
            *self._shuffled(usable, validation, test),
            *(
                {"term": f"{name} (refused)", "n": len(test.age), "correction": name, "sentence": f"Refused: {reason}"}
                for name, reason in refused.items()
            ),
        ])  # fmt: skip

    def _people(self, table: pd.DataFrame, split: str) -> _People:
        rows = of_split(table, self.split, split)
        used = complete(rows, numbers=[self.predicted, self.age], names=[self.person], at_least=3).table
        return _People(
            used[self.predicted].to_numpy(float), used[self.age].to_numpy(float), used[self.person].to_numpy()
        )

    def _fit(self, predicted: Floats, age: Floats) -> dict[str, Correction | TableError]:
        return fit_all(predicted, age, share=self.share, degree=self.degree, min_people=self.min_people)

    def _measures(self, fitted: Mapping[str, Correction], test: _People) -> list[dict[str, Any]]:
        """Rows of every measure; all corrections are judged on the same resamples."""
        summed, outside = [terms(test.predicted, test.age)], [0]
        for correction in fitted.values():
            corrected = correction.corrected(test.predicted, test.age)
            gap, known = correction.gap(test.predicted, test.age), np.isfinite(corrected)
            summed.append(np.zeros_like(summed[0]))
            summed[-1][known] = terms(corrected[known], test.age[known], gap=gap[known])
            outside.append(int((~known).sum()))
        shape = (len(summed), summed[0].shape[1])
        found = bootstrap_sums(
            lambda sums: figures(sums.reshape(*sums.shape[:-1], *shape)).reshape(*sums.shape[:-1], -1),
            np.concatenate(summed, axis=1),
            people=test.person,
            rng=np.random.default_rng(self.seed),
            resamples=self.resamples,
        )
        rows = []
        for i, (name, c) in enumerate({"none": None, **fitted}.items()):
            part = slice(i * len(MEASURES), (i + 1) * len(MEASURES))
            mine = Estimates(found.values[part], found.low[part], found.high[part], found.people, found.resamples)
            rows += measure_rows(
                mine,
                n=len(test.age) - outside[i],
                opening="Without correction the" if c is None else f"After the {name} correction the",
                gap_unit="years" if c is None else c.unit,
                ages=name,
                correction=name,
                uses_test_age=c is not None and c.uses_test_age,
                outside=outside[i],
                caution="" if c is None else c.caution,
            )
        return rows

    def _shuffled(self, usable: Mapping[str, Correction], validation: _People, test: _People) -> list[dict[str, Any]]:
        """Rows of what the same corrections make of predictions that know nothing."""
        rng = np.random.default_rng(self.seed)
        reached: dict[str, list[tuple[float, float]]] = {name: [] for name in ["none", *usable]}
        for _ in range(self.shuffles):
            blind = rng.permutation(test.predicted)
            fitted = self._fit(rng.permutation(validation.predicted), validation.age)
            reached["none"].append((float(pearson_r(blind, test.age)), float(mae(blind, test.age))))
            for name in usable:
                correction = fitted[name]
                if isinstance(correction, TableError):
                    # Cole's divides by a slope near 0 and refuses; it is a straight line, which leaves r as it is
                    reached[name].append((reached["none"][-1][0], np.nan))
                    continue
                corrected = correction.corrected(blind, test.age)
                known = np.isfinite(corrected)
                reached[name].append((
                    float(pearson_r(corrected[known], test.age[known])), float(mae(corrected[known], test.age[known]))
                ))  # fmt: skip
        expected = float(test.age.std() / np.hypot(test.age.std(), test.predicted.std()))
        uses = {"none": False, **{name: c.uses_test_age for name, c in usable.items()}}
        return [
            _shuffled_row(name, np.array(found), expected if uses[name] else 0.0, n=len(test.age))
            for name, found in reached.items()
        ]


def _shuffled_row(name: str, found: Floats, expected: float, *, n: int) -> dict[str, Any]:
    r, error = found.T
    low, high = np.quantile(r, [0.025, 0.975])
    caution = (
        "R², r and MAE after this correction are no measure of the model (Butler et al. 2021)."
        if expected
        else "No chronological age of theirs is used."
    )
    told = "Without correction" if name == "none" else f"After the {name} correction"
    return {
        "term": f"r of shuffled predictions, {name}", "estimate": float(r.mean()), "low": float(low),
        "high": float(high), "p": np.nan, "n": n,
        "sentence": f"{told}, predictions dealt out to other people, which know nothing, correlate with their ages at "
        f"r = {number(float(r.mean()))} (expected {number(expected)}). {caution}",
        "measure": "r of shuffled predictions", "unit": "", "correction": name, "uses_test_age": bool(expected),
        "expected": expected, "mae_of_shuffled": float(error.mean()),
    }  # fmt: skip
