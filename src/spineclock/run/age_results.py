"""The results page of the interpretable age: its out-of-fold error, beside a guess and beside a plain ridge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import ndimage

from spineclock.core.volume import Mask, Volume
from spineclock.ingest.datasets.spider import SpiderPerson
from spineclock.run.age_model import groups_of
from spineclock.run.tables import markdown
from spineclock.stats import measured_age, metrics
from spineclock.stats.bias import Cole
from spineclock.stats.bootstrap import bootstrap, paired_difference
from spineclock.stats.intervals import SplitConformal
from spineclock.stats.readout import leave_one_out

Floats = npt.NDArray[np.float64]

ADULT_YEARS = 18
SMALLEST_DISC_MM3 = 1000.0
SEED = 0


def plain_measurements(volume: Volume, mask: Mask, sex: str) -> dict[str, float]:
    """The plain dozen from a label map of classes, with nothing more than components and their principal axes.

    Per disc (a connected piece of the disc class over 1 ml): height and width as √12 × the standard deviations along
    the sagittal principal axes, mean and spread of the signal over the canal's mean; their means and minima; the
    vertebral class's mean signal over the canal's, and its volume; sex.
    """
    array, spacing = mask.array, np.asarray(volume.spacing_mm)
    canal = float(volume.array[array == 3].mean())
    pieces, _ = ndimage.label(array == 1)
    discs = []
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        inside = pieces[box] == number
        if inside.sum() * spacing.prod() < SMALLEST_DISC_MM3:
            continue
        at = np.argwhere(inside)[:, 1:] * spacing[1:]
        thin, wide = np.sqrt(12 * np.linalg.eigvalsh(np.cov(at.T)))
        signal = volume.array[box][inside]
        discs.append((thin, thin / wide, signal.mean() / canal, signal.std() / canal))
    per_disc = np.array(discs)
    names = ("height_mm", "height_to_width", "signal", "spread")
    out = {
        f"{how}.{n}": float(v) for how in ("mean", "min") for n, v in zip(names, getattr(per_disc, how)(0), strict=True)
    }
    bone = volume.array[array == 2]
    return out | {
        "vertebra.signal": float(bone.mean()) / canal,
        "vertebra.volume_mm3": bone.size * volume.voxel_mm3,
        "sex.male": float(sex == "M"),
    }


def plain_ridge(x: Floats, age: Floats) -> Floats:
    """Each person's age by ridge regression on everyone else's standardised columns, the penalty chosen among them."""
    predicted = np.empty(len(age))
    for i in range(len(age)):
        others = np.arange(len(age)) != i
        mean, sd = x[others].mean(0), x[others].std(0)
        z, y = (x[others] - mean) / sd, age[others]
        predicted[i] = y.mean() + ((x[i] - mean) / sd) @ measured_age.ridge(z, y - y.mean())
    return predicted


def page(people: Sequence[SpiderPerson], measured: pd.DataFrame, *, hashes: Mapping[str, str]) -> str:
    """The page as Markdown, from the measurements of out-of-fold label maps (``run.age_model.measured_people``)."""
    age = measured["age_years"].to_numpy(dtype=float)
    groups = groups_of(measured)
    ours = leave_one_out(measured, groups)
    plain = pd.DataFrame([plain_measurements(p.volume, p.mask, p.sex) for p in people]).to_numpy(dtype=float)
    predictions = {
        "spineclock, from the pixels alone (out-of-fold label maps)": ours,
        **({"its measurements without the network": leave_one_out(measured, groups[:1])} if len(groups) > 1 else {}),
        "plain ridge on the expert masks": plain_ridge(plain, age),
        "median age of the others": np.array([np.median(np.delete(age, i)) for i in range(len(age))]),
    }
    adults = age >= ADULT_YEARS
    return "\n\n".join(
        [
            "# Spine age from measurements",
            f"{len(age)} people, ages {age.min():.0f} to {age.max():.0f}, leave one person out: label map, scores, "
            "regularisation, bias correction and interval of a person come from other people. 95% intervals: BCa "
            f"bootstrap over people, 2,000 resamples, seed {SEED}.",
            "- Command: `make weights DATA=spider` (stages `outlines`, `age`, `package`)\n- Data: SPIDER, the 28 SPACE "
            "slabs with age\n" + "\n".join(f"- `{name}`: sha256 `{digest}`" for name, digest in hashes.items()),
            CAVEATS,
            "## Everyone",
            scores(predictions, age),
            f"## The {int(adults.sum())} adults among them",
            scores({name: p[adults] for name, p in predictions.items()}, age[adults]),
            "The same predictions, scored without the one child.",
            "## After bias correction, and the interval",
            _corrected(ours, age),
            "## Each person",
            markdown(_each(measured, ours, age), digits=1),
        ]
    )  # fmt: skip


CAVEATS = (
    "What to keep in mind. The list of measurements was drawn up with these people in view (knowing which measurements "
    "rise with age in them), so the figure is somewhat flattering; people who were never looked at will tell. The "
    "measurements the model is fitted on come from five networks, each of which has seen the outlines, never the ages, "
    "of other folds. With 28 people every figure is wide: read the intervals."
)


def scores(predictions: Mapping[str, Floats], age: Floats) -> str:
    """A table of errors with intervals, a row a model; differences are to the first."""
    rows = []
    first = next(iter(predictions.values()))
    for name, p in predictions.items():
        row: dict[str, Any] = {"model": name}
        for label, statistic in (("MAE", metrics.mae), ("R²", metrics.r2), ("r", metrics.pearson_r)):
            e = bootstrap(statistic, p, age, rng=np.random.default_rng(SEED))
            digits = 1 if label == "MAE" else 2
            row[f"{label} (95% interval)"] = f"{e.value:.{digits}f} ({e.low:.{digits}f} to {e.high:.{digits}f})"
        if np.array_equal(p, first):
            row["MAE against the first row's"] = ""
        else:
            d = paired_difference(p, first, age, rng=np.random.default_rng(SEED))
            row["MAE against the first row's"] = f"{d.value:+.1f} ({d.low:+.1f} to {d.high:+.1f})"
        rows.append(row)
    return markdown(pd.DataFrame(rows))


def _corrected(ours: Floats, age: Floats) -> str:
    """Corrected ages and interval coverage, each person's from the others' out-of-fold predictions."""
    corrected, covered, widths = np.empty(len(age)), [], []
    for i in range(len(age)):
        others = np.arange(len(age)) != i
        corrected[i] = Cole.fit(ours[others], age[others]).corrected([ours[i]])[0]
        interval = SplitConformal.fit(ours[others] - age[others]).around(ours[i])
        covered.append(bool(interval.covers([age[i]])[0]))
        widths.append(float(interval.high_years[0] - interval.low_years[0]))
    cole = Cole.fit(ours, age)
    rows = [
        ("slope and intercept of predicted on chronological age", f"{cole.slope:.2f}, {cole.intercept:.1f} years"),
        ("MAE after Cole's correction", f"{metrics.mae(corrected, age):.1f} years"),
        ("R² after Cole's correction", f"{metrics.r2(corrected, age):.2f}"),
        ("90% interval: share of people covered", f"{np.mean(covered):.0%} ({sum(covered)} of {len(age)})"),
        ("90% interval: mean width", f"{np.mean(widths):.0f} years"),
    ]
    return markdown(pd.DataFrame(rows, columns=["figure", "value"]))


def _each(measured: pd.DataFrame, ours: Floats, age: Floats) -> pd.DataFrame:
    return pd.DataFrame(
        {"person": measured["person_id"], "age": age, "predicted": ours, "error": ours - age}
    ).sort_values("age")
