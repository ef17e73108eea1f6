"""What the segmentation network learns from: people's slices with their labels, and how often each kind is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spineclock.core.anatomy import DISC, LEVEL_NUMBERS
from spineclock.core.volume import Array, Mask, Volume
from spineclock.segment.instances import CANAL_CLASS, SACRUM_CLASS, semantic
from spineclock.segment.slices import PIXEL_MM, to_pictures, windowed, working_grid

UNKNOWN = 255
"""Label of pixels that teach nothing."""
FULL_SCALE = 255
"""What a picture's 1 is where pictures are kept as whole numbers."""


@dataclass(frozen=True)
class LabelledSlices:
    """A person's slices as pictures and their labels, both (N, H, W).

    Pictures are 0..1 in half precision, or 0..255 as whole numbers. Where the sacrum is not labelled, background means
    background or sacrum.
    """

    pictures: Tensor
    labels: Tensor
    pixel_mm: tuple[float, float] = (PIXEL_MM, PIXEL_MM)
    """Of rows and of columns."""
    slice_mm: float = 1.0
    sacrum: bool = False
    """Whether the sacrum is labelled."""


@dataclass(frozen=True)
class Source:
    """Examples of one kind, and how often one of them is drawn against those of other kinds."""

    examples: Sequence[LabelledSlices]
    share: float = 1.0


def labelled_slices(volume: Volume, mask: Mask) -> LabelledSlices:
    """The pictures and labels the network learns from, on its own grid; the mask is an expert's, without sacrum."""
    from spineclock.core.geometry import resample

    grid = working_grid(volume)
    pictures, labels = windowed(to_pictures(grid.array)), to_pictures(resample(mask, grid.spacing_mm).array)
    slice_mm, column_mm, row_mm = grid.spacing_mm
    return LabelledSlices(
        torch.from_numpy(pictures.copy()).half(),
        torch.from_numpy(labels.astype(np.uint8)),
        (row_mm, column_mm),
        slice_mm,
    )


def phantom_slices(volume: Volume, labels: Mask) -> LabelledSlices:
    """The pictures and labels of a simulated scan, on the scan's own pixels, every structure labelled.

    The canal within the sacrum is left open: the experts whose masks the network also learns from stop there, each at
    another height.

    Parameters
    ----------
    volume, labels : Volume, Mask
        Canonical, on one grid; labels in the numbering of :mod:`spineclock.core.anatomy`.
    """
    classes = np.array(semantic(labels).array)
    end = _sacral_canal_from(labels.array, classes)
    classes[:, :, :end][classes[:, :, :end] == CANAL_CLASS] = UNKNOWN
    pictures = (FULL_SCALE * windowed(to_pictures(volume.array))).round().astype(np.uint8)
    slice_mm, column_mm, row_mm = volume.spacing_mm
    return LabelledSlices(
        torch.from_numpy(np.ascontiguousarray(pictures)),
        torch.from_numpy(np.ascontiguousarray(to_pictures(classes)).astype(np.uint8)),
        (row_mm, column_mm),
        slice_mm,
        sacrum=True,
    )


def _sacral_canal_from(labels: Array, classes: Array) -> int:
    """The height, as an index, of the lowest disc above the sacrum; 0 where there is no sacrum."""
    if not (classes == SACRUM_CLASS).any():
        return 0
    discs = [DISC + n for name, n in LEVEL_NUMBERS.items() if name != "S1"]
    heights = [np.flatnonzero((labels == n).any(axis=(0, 1))) for n in discs if (labels == n).any()]
    return round(min(float(h.mean()) for h in heights)) if heights else 0
