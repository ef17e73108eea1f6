"""From the training people's mean age to a predicted age, step by step, in readable words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from spineclock.core.records import AgePrediction, Contribution

UNITS = {"mm3": "mm³", "mm2": "mm²", "mm": "mm", "cm3": "cm³", "ml": "ml", "deg": "°", "years": "y"}

AGGREGATES = {"mean": "mean", "min": "lowest", "max": "highest"}
SHORT = {"csf": "CSF", "sd": "SD"}


@dataclass(frozen=True)
class Step:
    """One bar: what it is called, and the ages it leads from and to."""

    label: str
    start_years: float
    years: float

    @property
    def end_years(self) -> float:
        """The age after this step."""
        return self.start_years + self.years


def waterfall(prediction: AgePrediction, *, names: Mapping[str, str] | None = None, most: int = 12) -> tuple[Step, ...]:
    """The steps from the mean age to the predicted one, largest first, all beyond ``most`` in one.

    Where other components share in the predicted age (a network), one last step says what they change, so that the
    last step always ends at ``predicted_age_years``. Empty where there are no contributions.

    Examples
    --------
    >>> from spineclock.core.records import Interval
    >>> p = AgePrediction(63.0, 64.0, Interval(50, 76, 0.9), None, {"measurements": 63.0},
    ...                   (Contribution("disc.height_mm", 7.1, 4.0), Contribution("sex.male", 1.0, -1.0)))
    >>> [(s.label, s.start_years, s.end_years) for s in waterfall(p)]
    [('disc height: 7.10 mm', 60.0, 64.0), ('male sex', 64.0, 63.0)]
    """
    if not prediction.contributions:
        return ()
    total = math.fsum(c.years for c in prediction.contributions)
    measured = prediction.components.get("measurements", prediction.predicted_age_years)
    ranked = sorted(prediction.contributions, key=lambda c: -abs(c.years))
    pairs = [(described(c, names), c.years) for c in ranked[:most]]
    if rest := ranked[most:]:
        pairs.append((f"the {len(rest)} others", math.fsum(c.years for c in rest)))
    other = prediction.predicted_age_years - measured
    if abs(other) > 1e-6:
        pairs.append(("other components", other))
    steps, at = [], measured - total
    for label, years in pairs:
        steps.append(Step(label, at, years))
        at += years
    return tuple(steps)


def described(contribution: Contribution, names: Mapping[str, str] | None = None) -> str:
    """A measurement's readable name with its value and unit.

    >>> described(Contribution("disc.L4/L5.signal_ratio", 0.2134, 2.0))
    'L4/L5 disc signal ratio: 0.213'
    """
    if contribution.name == "sex.male" and contribution.value in (0.0, 1.0):
        return "male sex" if contribution.value else "female sex"
    words, unit = readable(contribution.name)
    words = (names or {}).get(contribution.name, words)
    if not math.isfinite(contribution.value):
        return f"{words}: not measured"
    return f"{words}: {figure_text(contribution.value)}{'' if unit in ('', '°') else ' '}{unit}"


def readable(name: str) -> tuple[str, str]:
    """A measurement's words and its unit; ``structure.level.name`` becomes "level structure name".

    >>> readable("height_mm"), readable("disc.L4/L5.height_mm"), readable("spine.csf_spread")
    (('height', 'mm'), ('L4/L5 disc height', 'mm'), ('CSF spread', ''))
    >>> readable("vertebra.min.area_mm2")
    ('vertebra area, lowest', 'mm²')
    """
    structure, _, rest = name.strip().rpartition(".")
    structure, _, level = structure.partition(".")
    parts = re.split(r"[_\s]+", rest)
    units = [p for p in parts if p.lower() in UNITS]
    words = [SHORT.get(p, p) for p in parts if p.lower() not in UNITS]
    if structure and structure != "spine":
        words.insert(0, structure)
    if level and level not in AGGREGATES:
        words.insert(0, level)
    text = " ".join(words) + (f", {AGGREGATES[level]}" if level in AGGREGATES else "")
    return text, UNITS[units[-1].lower()] if units else ""


def figure_text(value: float) -> str:
    """A number to three significant figures, whole from 100 upwards, with a true minus sign.

    >>> figure_text(0.21345), figure_text(1234.5), figure_text(-3.14159)
    ('0.213', '1234', '−3.14')
    """
    if not math.isfinite(value):
        return "—"
    size = abs(value)
    text = f"{value:.0f}" if size >= 100 or size == 0 else f"{value:.{max(0, 2 - math.floor(math.log10(size)))}f}"
    return text.replace("-", "−")
