"""Bias corrections and figures of merit beside R's lm, lowess and cor, and scikit-learn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import metrics

from spineclock.stats.bias import AgeCovariate, Beheshti, BiasCorrections, Cole, DeLange, Lowess

Row = tuple[str, str, float, float]


def compare(folder: Path) -> list[Row]:
    """(statistic, counterpart, ours, theirs) of each number."""
    table = pd.read_csv(folder / "data.csv")
    theirs = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    validation = table[table["split"] == "validation"]
    predicted, age = validation["predicted_age_years"].to_numpy(), validation["age_years"].to_numpy()
    cole, beheshti = Cole.fit(predicted, age), Beheshti.fit(predicted, age)
    de_lange, square = DeLange.fit(predicted, age), AgeCovariate.fit(predicted, age)
    centred = np.polynomial.Polynomial(square.coefficients)(np.polynomial.Polynomial([-square.centre_years, 1.0]))
    ours = {
        "Cole": (cole.intercept, cole.slope, theirs["lines"]["cole"]),
        "de Lange": (de_lange.intercept, de_lange.slope, theirs["lines"]["cole"]),
        "Beheshti": (beheshti.intercept, beheshti.slope, theirs["lines"]["beheshti"]),
        "age covariate": (*centred.coef, theirs["lines"]["square"]),
    }
    rows = [(f"{name} fit", "R lm", a, b) for name, (*found, r) in ours.items() for a, b in zip(found, r, strict=True)]
    curve = Lowess.fit(predicted, age)
    at = np.interp(curve.age_years, theirs["lowess"]["x"], theirs["lowess"]["y"])
    rows += [("LOWESS fit", "R lowess", a, b) for a, b in zip(curve.bias_years, at, strict=True)]
    found = BiasCorrections(resamples=0, shuffles=1)(table).set_index(["correction", "measure"])["estimate"]
    for name, told in theirs["figures"].items():
        counterpart = "R lowess, approx" if name == "LOWESS" else "R lm, cor"
        rows += [(f"{measure} after {name}", counterpart, found[name, measure], r) for measure, r in told.items()]
    test = table[table["split"] == "test"]
    y, p = test["age_years"], test["predicted_age_years"]
    learn = {
        "MAE": metrics.mean_absolute_error, "R²": metrics.r2_score, "RMSE": metrics.root_mean_squared_error
    }  # fmt: skip
    return [*rows, *((m, "scikit-learn", found["none", m], float(f(y, p))) for m, f in learn.items())]
