"""The two levels every signal is compared with: the scan's background and the cerebrospinal fluid near by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineclock.core.volume import Array
from spineclock.measure.frame import Piece
from spineclock.measure.section import Floats

BACKGROUND_PERCENTILE = 1.0
CSF_PERCENTILE = 75.0
"""Nerve roots, cord, fat and edges take up to half of the canal and are darker on T2. A higher percentile would be
nearer to pure fluid, but 8-bit exports often cut the brightest fluid off."""
NEAR_MM = 40.0
"""Fluid is compared with what lies at most this far above or below it, for a surface coil's signal falls along the
spine; less would rest the level on a single narrow place."""
FEWEST_MM3 = 2000.0
"""A level rests on at least so much of the canal, where there is so much."""


@dataclass(frozen=True)
class Levels:
    """Background and fluid levels at one height of the spine, in the scan's own units; NaN where not known."""

    background: float
    csf: float

    def ratio(self, samples: Array) -> Floats:
        """(samples − background) ÷ (CSF − background): the same for a·x + b with a > 0. NaN without CSF.

        >>> Levels(10.0, 210.0).ratio(np.array([10, 110, 210])).tolist()
        [0.0, 0.5, 1.0]
        """
        span = self.csf - self.background
        if not span > 0:
            return np.full(np.shape(samples), np.nan)
        return np.asarray((np.asarray(samples, dtype=np.float64) - self.background) / span)


@dataclass(frozen=True, eq=False)
class Reference:
    """Background of a scan, and its canal to read fluid levels from.

    ``spread`` is (90th − 10th percentile of the canal) over the 90th less the background: nerve roots, flow and narrow
    canals raise it. ``clipped_share`` is the share of canal voxels that hold the scan's highest value: where it is
    large an export has cut the fluid's signal off, and every ratio to it is too high.
    """

    background: float
    spread: float
    clipped_share: float
    canal: Piece | None

    def near(self, piece: Piece) -> Levels:
        """The levels at a structure's height: fluid = 75th percentile of the canal within 40 mm of its middle.

        Where the canal ends or is not seen, as much more of it as makes 2 cm³.
        """
        if self.canal is None:
            return Levels(self.background, float("nan"))
        k = np.arange(self.canal.inside.shape[2]) + self.canal.first[2]
        away = np.abs(k - piece.height_index) * piece.spacing_mm[2]
        order = np.argsort(away, kind="stable")
        volume = np.cumsum(self.canal.inside.sum(axis=(0, 1))[order]) * float(np.prod(piece.spacing_mm))
        enough = away[order[min(int(np.searchsorted(volume, FEWEST_MM3)), len(order) - 1)]]
        rows = away <= max(NEAR_MM, float(enough))
        samples = self.canal.samples[:, :, rows][self.canal.inside[:, :, rows]]
        return Levels(self.background, float(np.percentile(samples, CSF_PERCENTILE)))


def reference(volume_array: Array, canal: Piece | None) -> Reference:
    """The background (1st percentile of the scan) and the canal's fluid; NaN for the canal's where there is none."""
    background = float(np.percentile(volume_array, BACKGROUND_PERCENTILE))
    if canal is None:
        return Reference(background, float("nan"), float("nan"), None)
    samples = canal.samples[canal.inside]
    low, high = (float(x) for x in np.percentile(samples, (10.0, 90.0)))
    spread = (high - low) / (high - background) if high > background else float("nan")
    return Reference(background, spread, float((samples >= volume_array.max()).mean()), canal)
