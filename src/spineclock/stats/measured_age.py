"""The interpretable age: a linear model of normal-scored measurements, each one's share in years.

The method is our choice, made for a few dozen people: each measurement is mapped to its normal score among the
training people, which tames outliers and curvature; the age is the mean of three strongly regularised linear
models on those scores (ridge, and partial least squares with one and with two components), which is again linear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from spineclock.core.errors import InputError, TableError
from spineclock.core.records import AgePrediction, Contribution
from spineclock.stats.ages import Floats
from spineclock.stats.calibration import Calibration

SCHEMA = "spineclock.measured-age/1"
SEX = "sex.male"
"""1 for a man, 0 for a woman, NaN where not known."""


@dataclass(frozen=True)
class MeasuredAge:
    """A fitted model.

    Parameters
    ----------
    features : tuple of str
        The measurements it reads (docs/measurements.md), and ``sex.male``.
    scale : tuple of tuple of float
        Of each measurement, the training people's values in rising order: what its normal score is taken among.
    years_per_score : tuple of float
        Coefficient of each normal score.
    mean_age_years : float
        Of the training people: the prediction where every score is 0 or missing.
    ages_years : tuple of float
        The training people's youngest and oldest age.
    out_of_fold : tuple of (float, float)
        Predicted and chronological age of each training person, predicted by a model that never saw the person.
        Bias correction and interval are fitted on these.
    about : dict
        What it was trained on, for the model card.
    """

    features: tuple[str, ...]
    scale: tuple[tuple[float, ...], ...]
    years_per_score: tuple[float, ...]
    mean_age_years: float
    ages_years: tuple[float, float]
    out_of_fold: tuple[tuple[float, float], ...] = ()
    about: dict[str, Any] = field(default_factory=dict)

    def raw(self, measured: Mapping[str, float]) -> tuple[float, tuple[Contribution, ...]]:
        """The predicted age in years, and what each measurement adds to the training people's mean."""
        contributions = []
        for name, scale, years in zip(self.features, self.scale, self.years_per_score, strict=True):
            value = float(measured.get(name, np.nan))
            contributions.append(Contribution(name, value, years * float(normal_scores(value, scale))))
        return self.mean_age_years + sum(c.years for c in contributions), tuple(contributions)

    def predict(self, measured: Mapping[str, float], *, age_years: float | None = None,
                coverage: float = 0.9) -> AgePrediction:  # fmt: skip
        """The spine age of one person, with its interval and each measurement's contribution.

        The interval lies round the uncorrected prediction. The gap is corrected (Cole) minus chronological age.
        """
        predicted, contributions = self.raw(measured)
        calibration = Calibration.fit(self.out_of_fold, coverage=coverage)
        return calibration.prediction(
            predicted, age_years=age_years, components={"measurements": predicted}, contributions=contributions
        )

    def missing(self, measured: Mapping[str, float]) -> tuple[str, ...]:
        """The measurements it reads that could not be taken; an unknown sex is not one of them."""
        return tuple(n for n in self.features if n != SEX and not np.isfinite(measured.get(n, np.nan)))

    def outside(self, measured: Mapping[str, float]) -> tuple[str, ...]:
        """The measurements that lie outside everything seen in training by more than half its range."""
        far = []
        for name, scale in zip(self.features, self.scale, strict=True):
            value, low, high = measured.get(name, np.nan), scale[0], scale[-1]
            margin = 0.5 * (high - low)
            if name != SEX and np.isfinite(value) and not low - margin <= value <= high + margin:
                far.append(name)
        return tuple(far)

    def as_dict(self) -> dict[str, Any]:
        """The model as plain data, for a file."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> MeasuredAge:
        """The model from plain data.

        Raises
        ------
        InputError
            If the data are of another schema.
        """
        if data.get("schema") != SCHEMA:
            raise InputError(f"an age model of schema {data.get('schema')!r}", wanted=SCHEMA)
        return cls(
            tuple(data["features"]), tuple(tuple(s) for s in data["scale"]), tuple(data["years_per_score"]),
            float(data["mean_age_years"]), (float(data["ages_years"][0]), float(data["ages_years"][1])),
            tuple((float(p), float(a)) for p, a in data["out_of_fold"]), dict(data["about"]),
        )  # fmt: skip


def normal_scores(values: npt.ArrayLike, scale: npt.ArrayLike) -> Floats:
    """Where values lie among the training people's, as quantiles of the standard normal; 0 where missing.

    A value's rank is its middle rank among the ``scale`` (in rising order), interpolated between neighbours, so
    that the score rises steadily; beyond the ends it stays at the end's.

    >>> normal_scores([1.0, 2.0, 3.0, 99.0, float("nan")], [1.0, 2.0, 3.0]).round(2).tolist()
    [-0.97, 0.0, 0.97, 0.97, 0.0]
    """
    v = np.asarray(values, dtype=np.float64)
    s = np.asarray(scale, dtype=np.float64)
    if s.size == 0 or s[0] == s[-1]:
        return np.zeros(v.shape)
    distinct, counts = np.unique(s, return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / s.size
    score = ndtri(np.interp(np.nan_to_num(v), distinct, middle))
    return np.asarray(np.where(np.isfinite(v), score, 0.0))


def fit(measured: Floats, age: Floats, *, features: Sequence[str]) -> MeasuredAge:
    """The model of some people, without bias correction or interval (see :func:`spineclock.stats.readout.fitted`).

    Parameters
    ----------
    measured : ndarray, shape (people, features)
        NaN where a thing could not be measured.
    age : ndarray, shape (people,)
        Chronological age in years.
    features : sequence of str
        The columns' names.

    Raises
    ------
    TableError
        If shapes do not fit, an age is missing, or there are fewer than 5 people.
    """
    x, y = np.asarray(measured, dtype=np.float64), np.asarray(age, dtype=np.float64)
    if x.shape != (len(y), len(features)) or len(y) < 5 or not np.isfinite(y).all():
        raise TableError(f"measurements of shape {x.shape} for {len(y)} ages and {len(features)} names",
                         wanted="a row a person, a column a name, at least 5 people, every age known")  # fmt: skip
    scales = [np.sort(c[np.isfinite(c)]) for c in x.T]
    scores = np.stack([normal_scores(c, s) for c, s in zip(x.T, scales, strict=True)], axis=1)
    centre = scores.mean(axis=0)
    years = np.mean(
        [ridge(scores - centre, y - y.mean()), *partial_least_squares(scores - centre, y - y.mean())], axis=0
    )
    return MeasuredAge(
        tuple(features), tuple(tuple(s.tolist()) for s in scales), tuple(years.tolist()),
        float(y.mean() - centre @ years), (float(y.min()), float(y.max())),
    )  # fmt: skip


def averaged(models: Sequence[MeasuredAge]) -> MeasuredAge:
    """One model whose prediction is the mean of several models' of the same people; no two may read one feature.

    Bias correction and interval are the caller's to add: out-of-fold predictions do not follow from the models.

    Raises
    ------
    TableError
        If a feature is read by two of them, or they were fitted on other people.

    Examples
    --------
    >>> a = MeasuredAge(("x",), ((1.0, 2.0),), (4.0,), 50.0, (30.0, 70.0))
    >>> b = MeasuredAge(("y",), ((1.0, 2.0),), (2.0,), 50.0, (30.0, 70.0))
    >>> averaged([a, b]).years_per_score, averaged([a, b]).mean_age_years
    ((2.0, 1.0), 50.0)
    """
    features = tuple(name for model in models for name in model.features)
    if len(set(features)) < len(features) or len({model.ages_years for model in models}) != 1:
        raise TableError(
            f"{len(models)} models of {len(features)} features", wanted="of the same people, no feature twice"
        )
    share = 1 / len(models)
    return MeasuredAge(
        features, tuple(scale for model in models for scale in model.scale),
        tuple(years * share for model in models for years in model.years_per_score),
        share * sum(model.mean_age_years for model in models), models[0].ages_years,
    )  # fmt: skip


def leave_one_out(measured: Floats, age: Floats, *, features: Sequence[str]) -> Floats:
    """Each person's age as predicted by a model fitted, scores and regularisation included, on everyone else."""
    return np.array([_ages_without((i,), measured, age, features)[0] for i in range(len(age))])


def leave_two_out(measured: Floats, age: Floats, *, features: Sequence[str]) -> Floats:
    """Ages in years by models that saw neither of two people, shape (people, people).

    At (i, j) that of person j without i and j, which is what :func:`leave_one_out` of everyone but i says of j; on the
    diagonal that of :func:`leave_one_out`. A model serves both of its pair.
    """
    found = np.diag(leave_one_out(measured, age, features=features))
    for pair in combinations(range(len(age)), 2):
        found[pair[::-1], pair] = _ages_without(pair, measured, age, features)
    return found


def _ages_without(people: tuple[int, ...], measured: Floats, age: Floats, features: Sequence[str]) -> Floats:
    """The ages of some people by the model of all others."""
    model = fit(np.delete(measured, people, axis=0), np.delete(age, people), features=features)
    scores = [normal_scores(measured[list(people), k], scale) for k, scale in enumerate(model.scale)]
    return np.asarray(model.mean_age_years + np.array(model.years_per_score) @ np.array(scores))


def ridge(x: Floats, y: Floats, *, penalties: Floats | None = None) -> Floats:
    """Ridge coefficients, the penalty chosen by the leave-one-out error within these people (PRESS).

    ``x`` and ``y`` are centred; the penalties tried run from 0.1 to 10,000.
    """
    tried = np.logspace(-1, 4, 26) if penalties is None else penalties
    u, s, vt = np.linalg.svd(x, full_matrices=False)
    rotated = u.T @ y
    shrink = s**2 / (s**2 + tried[:, None])  # (penalties, rank)
    leverage = shrink @ (u**2).T + 1 / len(y)
    press = (((y - (shrink * rotated) @ u.T) / (1 - leverage)) ** 2).mean(axis=1)
    chosen = tried[press.argmin()]
    return np.asarray(vt.T @ (s / (s**2 + chosen) * rotated))


def partial_least_squares(x: Floats, y: Floats, *, components: int = 2) -> list[Floats]:
    """Coefficients of partial least squares with 1, 2, … components (NIPALS; Wold 1975); ``x``, ``y`` centred."""
    rest, weights, loads, shares, out = x.copy(), [], [], [], []
    for _ in range(components):
        w = rest.T @ y
        if np.linalg.norm(w) < 1e-12:
            break
        w = w / np.linalg.norm(w)
        t = rest @ w
        p = rest.T @ t / (t @ t)
        weights.append(w)
        loads.append(p)
        shares.append(float(t @ y / (t @ t)))
        rest = rest - np.outer(t, p)
        big_w, big_p = np.array(weights).T, np.array(loads).T
        out.append(big_w @ np.linalg.solve(big_p.T @ big_w, np.array(shares)))
    return out or [np.zeros(x.shape[1])]
