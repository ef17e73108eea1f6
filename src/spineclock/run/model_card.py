"""The age model's card with its errors by age and sex filled in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import InputError, TableError
from spineclock.run.tables import markdown
from spineclock.stats import metrics
from spineclock.stats.ages import Floats
from spineclock.stats.measured_age import MeasuredAge

BEGIN, END = "<!-- errors -->", "<!-- /errors -->"
BAND_YEARS = 10
SEXES = {"F": "women", "M": "men"}


def fill(card: Path, model: MeasuredAge, sexes: Sequence[str]) -> str:
    """The card's text with the table of :func:`error_table` between its two marks; the file is left as it is.

    Parameters
    ----------
    card : Path
        Markdown with the lines ``<!-- errors -->`` and ``<!-- /errors -->``, once each, in this order.
    model : MeasuredAge
        With its out-of-fold pairs.
    sexes : sequence of str
        F, M or empty: of each out-of-fold pair, in the same order.

    Raises
    ------
    InputError
        If the card lacks the two marks.
    TableError
        If there is not one sex a pair.
    """
    text = card.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in before + after:
        raise InputError(f"{card.name} without one place for its errors", wanted=f"{BEGIN} and {END}, once each")
    return f"{before}{BEGIN}\n\n{error_table(model, sexes)}\n\n{END}{after}"


def error_table(model: MeasuredAge, sexes: Sequence[str]) -> str:
    """People, mean absolute error and mean error in years: of everyone, by ten years of age, and by sex.

    The error is out-of-fold predicted (uncorrected) minus chronological age. Bands without people are left out.

    >>> model = MeasuredAge((), (), (), 50.0, (31.0, 62.0), ((40.0, 31.0), (59.0, 62.0)))
    >>> print(error_table(model, ["F", "M"]))
    | people | n | MAE (years) | mean error (years) |
    |---|---|---|---|
    | everyone | 2 | 6.0 | +3.0 |
    | 30 to 39 years | 1 | 9.0 | +9.0 |
    | 60 to 69 years | 1 | 3.0 | -3.0 |
    | women | 1 | 9.0 | +9.0 |
    | men | 1 | 3.0 | -3.0 |

    Raises
    ------
    TableError
        If there are no pairs, or there is not one sex a pair.
    """
    if not model.out_of_fold or len(sexes) != len(model.out_of_fold):
        raise TableError(f"{len(sexes)} sexes for {len(model.out_of_fold)} out-of-fold predictions",
                         wanted="one of each a person, in the same order")  # fmt: skip
    predicted, age = np.array(model.out_of_fold, dtype=np.float64).T
    sex = np.asarray(sexes, dtype=str)
    rows = [_row("everyone", predicted, age)]
    band = np.floor(age / BAND_YEARS).astype(np.int64) * BAND_YEARS
    for low in np.unique(band).tolist():
        rows.append(_row(f"{low} to {low + BAND_YEARS - 1} years", predicted[band == low], age[band == low]))
    groups: list[tuple[str, npt.NDArray[np.bool_]]] = [(name, sex == letter) for letter, name in SEXES.items()]
    groups.append(("sex not known", ~np.isin(sex, list(SEXES))))
    rows += [_row(name, predicted[of], age[of]) for name, of in groups if of.any()]
    return markdown(pd.DataFrame(rows))


def _row(name: str, predicted: Floats, age: Floats) -> dict[str, Any]:
    mean = round(float(np.mean(predicted - age)), 1) + 0.0  # no "-0.0"
    return {
        "people": name, "n": len(age), "MAE (years)": f"{metrics.mae(predicted, age):.1f}",
        "mean error (years)": f"{mean:+.1f}",
    }  # fmt: skip
