"""What a spine-age model would say of made-up people whose pictures no network has seen: a stated noise model.

predicted = centre + shrinkage × (true spine age − centre) + error of the model + offset of the scanner

so that errors are as large as the spine-age paper's, regress to the mean as its do, and repeat as far as its do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.errors import TableError
from spineclock.phantom.parameters import Parameters
from spineclock.phantom.who import Floats, scanners


@dataclass(frozen=True, eq=False)
class Ceiling:
    """How well chronological age could be told by an oracle that knows every true spine age."""

    n: int
    mae_years: float
    rmse_years: float
    r2: float

    @property
    def sentence(self) -> str:
        """Says so."""
        return (
            f"An oracle that knew each true spine age would have a mean absolute error of {self.mae_years:.2f} years "
            f"and an R² of {self.r2:.2f} for chronological age (n = {self.n:,})."
        )


def predicted_ages(
    table: pd.DataFrame,
    spine_age_years: npt.ArrayLike,
    *,
    parameters: Parameters,
    rng: np.random.Generator,
    scanner_rng: np.random.Generator,
) -> pd.DataFrame:
    """Predicted ages: scan_id, predicted_age_years (not corrected for bias).

    Parameters
    ----------
    table : DataFrame
        One row a scan: scan_id, scanner.
    spine_age_years : array, (scans,)
        The true spine ages.
    rng, scanner_rng : Generator
        Of the model's errors, and of what each scanner adds to all its scans; pass the latter anew, from one seed, for
        each block of one population.

    Raises
    ------
    TableError
        If a scanner is none of this world.
    """
    noise = parameters.predictions
    places = scanners(parameters.who)["scanner"]
    at = pd.Index(places).get_indexer(pd.Index(table["scanner"]))
    if (at < 0).any():
        raise TableError(f"the scanner {table['scanner'][at < 0].iloc[0]}", wanted=f"one of {', '.join(places)}")
    offsets = noise.scanner_sd_years * scanner_rng.standard_normal(len(places))
    true: Floats = np.asarray(spine_age_years, dtype=float)
    told = noise.centre_years + noise.shrinkage * (true - noise.centre_years)
    told = told + noise.error_sd_years * rng.standard_normal(len(true)) + offsets[at]
    return pd.DataFrame({"scan_id": table["scan_id"].to_numpy(), "predicted_age_years": np.round(told, 3)})


def ceiling(age_years: npt.ArrayLike, spine_age_years: npt.ArrayLike) -> Ceiling:
    """The oracle's ceiling on some scans.

    >>> found = ceiling([40, 50, 60], [44, 50, 57])
    >>> round(found.mae_years, 3), round(found.r2, 3)
    (2.333, 0.875)
    """
    age, gap = np.asarray(age_years, dtype=float), np.asarray(spine_age_years, dtype=float) - np.asarray(age_years)
    total = float(((age - age.mean()) ** 2).sum())
    return Ceiling(
        n=len(age),
        mae_years=float(np.abs(gap).mean()),
        rmse_years=float(np.sqrt((gap**2).mean())),
        r2=1 - float((gap**2).sum()) / total if total > 0 else float("nan"),
    )
