"""What every bias correction offers once it is fitted."""

from __future__ import annotations

from typing import ClassVar, Protocol

import numpy.typing as npt

from spineclock.core.errors import UsageError
from spineclock.stats.ages import Floats, paired

USES_AGE = (
    "This correction uses the chronological age of the very people it is judged on, so R², r and MAE after it are "
    "inflated (Butler et al. 2021): they are no measure of the model."
)


class Correction(Protocol):
    """A fitted correction; written with y the chronological and ŷ the predicted age."""

    uses_test_age: ClassVar[bool]
    """Whether the person's own chronological age goes into the corrected one."""
    caution: ClassVar[str]
    """What must be said beside figures of merit after this correction; empty where nothing."""
    unit: ClassVar[str] = "years"
    """Of the gap: "years" or "SD"."""

    def corrected(self, predicted: npt.ArrayLike, age: npt.ArrayLike | None = None) -> Floats:
        """Corrected predicted ages, in years."""
        ...

    def gap(self, predicted: npt.ArrayLike, age: npt.ArrayLike) -> Floats:
        """The spine age gap, in :attr:`unit`: corrected − chronological age unless a correction says otherwise."""
        p, y = paired(predicted, age)
        return self.corrected(p, y) - y


def needed(age: npt.ArrayLike | None, whose: str) -> npt.ArrayLike:
    """The ages, or the error that says whose correction cannot do without them."""
    if age is None:
        raise UsageError(
            f"{whose} correction without ages",
            wanted="the chronological age of each person",
            remedy="give the ages, or use Cole's correction, which needs none",
        )
    return age
