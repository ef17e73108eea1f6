"""ComBat: values of many scanners brought to one location and scale, learned from training people only.

Sources: Johnson, Li and Rabinovic, Biostatistics 2007 (parametric empirical Bayes); Fortin et al., NeuroImage 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import TableError, UsageError
from spineclock.stats.ages import Floats
from spineclock.stats.result import number, results
from spineclock.stats.rows import complete, of_split

PREDICTIONS = ("predicted_age_years", "corrected_age_years", "gap_years")
"""Columns that are a prediction of age, or made from one."""


@dataclass(frozen=True)
class ComBat:
    """What is to be harmonised, and how: ``fit`` learns each scanner's shift and scale, the result applies them.

    Parameters
    ----------
    features : tuple of str
        Columns to harmonise. Empirical Bayes borrows strength between them, so several are wanted; for one, such as the
        predicted age, give ``shrink=False``.
    keep : tuple of str
        Covariates whose effect is to survive, such as sex: numbers, or words, which become indicator columns.
    scale : bool
        Whether the spread is harmonised too, or only the location. (With the location only, the shrinking counts the
        scanner's rows; sva and neuroCombat then count one row however many there are, and shrink too much.)
    shrink : bool
        Whether scanners' shifts and scales are drawn towards their common distribution (empirical Bayes).
    split, fit_on : str
        The column and value of the rows to learn from.
    age : str
        The chronological age. In ``keep`` it is allowed with ``scale=False``, where the ages of training people protect
        a confounded fit but nobody's age enters a harmonised value. With the scale it would enter each one, and so a
        model's accuracy: it is refused for :data:`PREDICTIONS`, and for others unless ``age_may_enter``, which is for
        values that no age model will read.
    few : int
        A scanner with fewer rows than this is warned of.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> scanner = np.repeat(["A", "B"], 100)
    >>> table = pd.DataFrame({"scanner": scanner, "split": "train", "x": rng.normal(0, 1, 200) + 3 * (scanner == "B")})
    >>> fitted = ComBat(("x",), shrink=False).fit(table)
    >>> fitted(table).groupby("scanner")["x"].mean().round(2).nunique()
    1
    """

    features: tuple[str, ...]
    scanner: str = "scanner"
    keep: tuple[str, ...] = ()
    scale: bool = True
    shrink: bool = True
    split: str = "split"
    fit_on: str = "train"
    age: str = "age_years"
    age_may_enter: bool = False
    few: int = 20

    def fit(self, table: pd.DataFrame) -> Harmonisation:
        """Each scanner's shift and scale from the ``fit_on`` rows.

        Raises
        ------
        UsageError
            If there are no features, one only with ``shrink``, or the age in ``keep`` where it must not enter.
        TableError
            If a column is missing, a scanner has fewer than 2 rows, a feature does not vary, or a covariate cannot be
            told from the scanner.
        """
        self._refuse()
        rows = of_split(table, self.split, self.fit_on)
        kinds = {
            c: None if pd.api.types.is_numeric_dtype(rows[c]) else _levels(rows, c) for c in self.keep if c in rows
        }
        used = _usable(self, rows, kinds)
        scanners = tuple(sorted(used[self.scanner].astype(str).unique()))
        member = (used[self.scanner].astype(str).to_numpy()[:, None] == np.array(scanners)).astype(float)
        counts = member.sum(axis=0)
        if len(scanners) < 2 or counts.min() < 2:
            least = scanners[int(counts.argmin())]
            raise TableError(
                f"{len(scanners)} scanner(s), the smallest ({least}) with {int(counts.min())} row(s)",
                wanted="two or more scanners with at least 2 rows each",
                remedy="leave that scanner out, or put it together with its like",
            )
        y = used[list(self.features)].to_numpy(float)
        covariates = _covariates(used, self.keep, kinds)
        effects, standing, spread = _standardise(y, member, covariates)
        z = (y - standing) / spread
        shift, scale = _estimate(z, member, scale=self.scale)
        if self.shrink:
            shift, scale = _shrunk(z, member, shift, scale, fixed_scale=not self.scale)
        grand = (counts / counts.sum()) @ effects[: len(scanners)]
        return Harmonisation(
            self, scanners, counts.astype(np.int64), kinds, grand, effects[len(scanners) :], spread, shift, scale
        )

    def _refuse(self) -> None:
        """Errors of the call itself."""
        if not self.features:
            raise UsageError("no features to harmonise", wanted="the names of columns")
        if self.shrink and len(self.features) < 2:
            raise UsageError(
                f"one feature, {self.features[0]}", wanted="several, for empirical Bayes to borrow from",
                remedy="give shrink=False",
            )  # fmt: skip
        if self.age in self.keep and self.scale:
            predictions = [f for f in self.features if f in PREDICTIONS]
            if predictions or not self.age_may_enter:
                raise UsageError(
                    f"{self.age} as a covariate to keep while the scale of {', '.join(predictions or self.features)} "
                    "is harmonised: the age of each test person would enter the harmonised value",
                    wanted="no chronological age of the people a model is judged on",
                    remedy="leave it out of keep, or give scale=False"
                    + ("" if predictions else ", or age_may_enter=True where no age model will read the values"),
                )


@dataclass(frozen=True, eq=False)
class Harmonisation:
    """A fitted ComBat: a call on a table gives it back with the features harmonised.

    Arrays are scanners × features, in standard deviations (:attr:`shift`) and squared (:attr:`scale`).
    """

    settings: ComBat
    names: tuple[str, ...]
    rows: npt.NDArray[np.int64]
    kinds: Mapping[str, tuple[str, ...] | None]
    grand_mean: Floats
    effects: Floats
    spread: Floats
    shift: Floats
    scale: Floats

    def __call__(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with its features harmonised; rows with a missing feature, scanner or covariate get NaN.

        Raises
        ------
        TableError
            If a column is missing, or a scanner or a covariate's word was not there in training.
        """
        combat = self.settings
        used = _usable(combat, table, self.kinds, covariates=combat.scale)
        scanner = used[combat.scanner].astype(str)
        unknown = sorted(set(scanner) - set(self.names))
        if unknown:
            raise TableError(
                f"scanner {', '.join(unknown)} not among the training rows' {', '.join(self.names)}",
                wanted="scanners the harmonisation was fitted on",
                remedy="fit with some training scans of that scanner, or leave its rows as they are and say so",
            )
        at = np.array([self.names.index(s) for s in scanner])
        y = used[list(combat.features)].to_numpy(float)
        if combat.scale:
            standing = self.grand_mean + _covariates(used, combat.keep, self.kinds) @ self.effects
            z = ((y - standing) / self.spread - self.shift[at]) / np.sqrt(self.scale[at])
            y = z * self.spread + standing
        else:
            # whatever is kept stands on both sides of the subtraction, so that no covariate is needed
            y = y - self.shift[at] * self.spread
        harmonised = table.astype({f: float for f in combat.features})
        harmonised[list(combat.features)] = np.nan
        harmonised.loc[used.index, list(combat.features)] = y
        return harmonised

    def scanners(self) -> pd.DataFrame:
        """One row a scanner and feature: how far it was off, in the feature's unit, and how much wider it spread.

        Further columns: ``scanner``, ``feature``, ``spread_ratio``, ``few`` (too few rows to trust).
        """
        found = []
        for i, name in enumerate(self.names):
            few = int(self.rows[i]) < self.settings.few
            for j, feature in enumerate(self.settings.features):
                moved, ratio = float(self.shift[i, j] * self.spread[j]), float(np.sqrt(self.scale[i, j]))
                found.append({
                    "term": f"{feature}, {name}", "estimate": moved, "low": np.nan, "high": np.nan, "p": np.nan,
                    "n": int(self.rows[i]), "sentence": f"{name} reads {feature} {number(abs(moved))} "
                    f"{'higher' if moved > 0 else 'lower'} than all scanners together, its spread {number(ratio)} "
                    f"times theirs{f'; only {self.rows[i]} training rows: do not trust it' if few else ''}.",
                    "scanner": name, "feature": feature, "spread_ratio": ratio, "few": few,
                })  # fmt: skip
        return results(found)


def _usable(
    combat: ComBat, rows: pd.DataFrame, kinds: Mapping[str, tuple[str, ...] | None], *, covariates: bool = True
) -> pd.DataFrame:
    """The rows with every feature, a scanner and, where they are needed, the covariates."""
    keep = combat.keep if covariates else ()
    words = [c for c in keep if kinds.get(c) is not None]
    numbers = [*combat.features, *(c for c in keep if c not in words)]
    return complete(rows, numbers=numbers, names=[combat.scanner, *words]).table


def _levels(rows: pd.DataFrame, column: str) -> tuple[str, ...]:
    return tuple(sorted(rows[column].dropna().astype(str).unique()))


def _covariates(used: pd.DataFrame, keep: tuple[str, ...], kinds: Mapping[str, tuple[str, ...] | None]) -> Floats:
    """Numbers as they are, words as indicators of all levels but the first; shape (n, columns)."""
    columns = [np.empty((len(used), 0))]
    for name in keep:
        levels = kinds[name]
        if levels is None:
            columns.append(used[[name]].to_numpy(float))
            continue
        words = used[name].astype(str).to_numpy()
        strange = sorted(set(words) - set(levels))
        if strange:
            raise TableError(
                f"{name} {', '.join(strange)} not among the training rows' {', '.join(levels)}",
                wanted=f"words of {name} that the harmonisation was fitted on",
            )
        columns.append((words[:, None] == np.array(levels[1:])).astype(float))
    return np.concatenate(columns, axis=1)


def _standardise(y: Floats, member: Floats, covariates: Floats) -> tuple[Floats, Floats, Floats]:
    """Coefficients (scanners first), what each row is expected to be without its scanner, and the pooled SD."""
    design = np.concatenate([member, covariates], axis=1)
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise TableError(
            "covariates to keep that follow from the scanner or from each other",
            wanted="covariates that vary within scanners",
            remedy="leave one of them out",
        )
    effects = np.linalg.lstsq(design, y, rcond=None)[0]
    spread = np.sqrt(np.square(y - design @ effects).mean(axis=0))
    if (spread < 1e-12).any():
        raise TableError(f"feature number {int(spread.argmin()) + 1} without spread", wanted="features that vary")
    grand = member.mean(axis=0) @ effects[: member.shape[1]]
    return effects, grand + covariates @ effects[member.shape[1] :], spread


def _estimate(z: Floats, member: Floats, *, scale: bool) -> tuple[Floats, Floats]:
    """Each scanner's mean and variance of the standardised features, shape (scanners, features)."""
    groups = [z[m > 0] for m in member.T]
    shift = np.array([g.mean(axis=0) for g in groups])
    return shift, np.array([g.var(axis=0, ddof=1) for g in groups]) if scale else np.ones_like(shift)


def _shrunk(z: Floats, member: Floats, shift: Floats, scale: Floats, *, fixed_scale: bool) -> tuple[Floats, Floats]:
    """Posterior means: a normal prior of shifts, an inverse gamma one of variances (Johnson et al. 2007)."""
    shifts, scales = np.empty_like(shift), np.ones_like(scale)
    for i, m in enumerate(member.T):
        rows, n = z[m > 0], float(m.sum())
        centre, width = shift[i].mean(), shift[i].var(ddof=1)
        if fixed_scale:
            shifts[i] = (n * width * shift[i] + centre) / (n * width + 1)
            continue
        # scanners whose variances are all alike have a prior without width
        mean, variance = scale[i].mean(), max(scale[i].var(ddof=1), 1e-12)
        alpha, beta = (2 * variance + mean**2) / variance, (mean * variance + mean**3) / variance
        g, d = shift[i], scale[i]
        for _ in range(1000):
            g_new = (n * width * shift[i] + d * centre) / (n * width + d)
            d_new = (np.square(rows - g_new).sum(axis=0) / 2 + beta) / (n / 2 + alpha - 1)
            moved = max(float(np.abs(g_new - g).max()), float(np.abs(d_new / d - 1).max()))
            g, d = g_new, d_new
            if moved < 1e-12:
                break
        shifts[i], scales[i] = g, d
    return shifts, scales
