"""Published dimensions of the adult spine, level by level: men's, with women's ratios.

Bodies, discs, arches, canal, sac and cord; alignment, sacrum, soft tissue and how often numbers of vertebrae vary.

The numbers, their sources and which of them were looked up, recalled or chosen stand in ``dimensions.toml``.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

LEVELS = (
    *(f"C{n}" for n in range(1, 8)),
    *(f"T{n}" for n in range(1, 14)),
    *(f"L{n}" for n in range(1, 8)),
    "S1",
)
"""The order of every array; T13 has T12's values, L6 and L7 have L5's."""

_REGION = np.array(["CTLS".index(level[0]) for level in LEVELS])


@dataclass(frozen=True)
class Dimensions:
    """Men's mean dimensions, 28 values each in the order of :data:`LEVELS`; nan where C1 has no such part.

    Discs are those below a level; wedges of discs are lordotic positive; spinous processes incline below the mid-plane.
    """

    body_height_posterior_mm: npt.NDArray[np.float64]
    body_height_anterior_mm: npt.NDArray[np.float64]
    endplate_depth_upper_mm: npt.NDArray[np.float64]
    endplate_depth_lower_mm: npt.NDArray[np.float64]
    endplate_width_upper_mm: npt.NDArray[np.float64]
    endplate_width_lower_mm: npt.NDArray[np.float64]
    concavity_upper_mm: npt.NDArray[np.float64]
    concavity_lower_mm: npt.NDArray[np.float64]
    canal_depth_mm: npt.NDArray[np.float64]
    canal_width_mm: npt.NDArray[np.float64]
    spinous_process_length_mm: npt.NDArray[np.float64]
    spinous_process_height_mm: npt.NDArray[np.float64]
    spinous_inclination_deg: npt.NDArray[np.float64]
    transverse_process_span_mm: npt.NDArray[np.float64]
    pedicle_height_mm: npt.NDArray[np.float64]
    pedicle_width_mm: npt.NDArray[np.float64]
    lamina_height_mm: npt.NDArray[np.float64]
    facet_height_mm: npt.NDArray[np.float64]
    disc_height_mm: npt.NDArray[np.float64]
    disc_wedge_deg: npt.NDArray[np.float64]
    dural_sac_depth_mm: npt.NDArray[np.float64]
    dural_sac_width_mm: npt.NDArray[np.float64]
    cord_depth_mm: npt.NDArray[np.float64]
    cord_width_mm: npt.NDArray[np.float64]
    women_ratio: Mapping[str, npt.NDArray[np.float64]]
    """Women over men, 28 values, by the name of a field; 1 for angles."""
    others: Mapping[str, Mapping[str, Any]]
    """The sections atlas, axis, cord, alignment and sacrum as they stand in the file."""

    def of(self, name: str, *, woman: bool) -> npt.NDArray[np.float64]:
        """The 28 values of the field ``name`` for a man or a woman.

        >>> both = [dimensions().of("canal_width_mm", woman=woman)[LEVELS.index("L5")] for woman in (False, True)]
        >>> [round(float(width), 1) for width in both]
        [28.5, 27.5]
        """
        values: npt.NDArray[np.float64] = getattr(self, name)
        return values * self.women_ratio[name] if woman else values


def _frozen(values: Any) -> npt.NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array


@cache
def dimensions() -> Dimensions:
    """The table of ``dimensions.toml``, read once; its arrays cannot be written to."""
    read = tomllib.loads((files("spineclock.phantom.anatomy") / "dimensions.toml").read_text(encoding="utf-8"))
    men, ratios = read.pop("men"), read.pop("women_ratio")
    by_region = {name: np.array(ratios.get(name, [1.0] * 3)) for name in men}
    women = {name: _frozen(ratio[np.minimum(_REGION, 2)]) for name, ratio in by_region.items()}
    return Dimensions(**{name: _frozen(values) for name, values in men.items()}, women_ratio=women, others=read)
