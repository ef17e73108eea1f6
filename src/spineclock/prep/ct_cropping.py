"""How CT regions round vertebrae are cut: parts, levels, grid, window and stacks, as plain settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.core.errors import UsageError

Parts = Literal["bone", "bone+muscle"]
PARTS: tuple[Parts, ...] = ("bone", "bone+muscle")


@dataclass(frozen=True)
class CtCropping:
    """How CT regions are cut. The source (seed 004) states bone, and bone with muscle; the rest is our choice, from
    related public work where it says.

    Raises
    ------
    UsageError
        If a value is none that can be meant.

    Examples
    --------
    >>> CtCropping().images_shape, CtCropping.small().images_shape
    ((9, 3, 128, 224), (9, 3, 64, 112))
    """

    parts: Parts = "bone+muscle"
    """What is left: vertebrae, or vertebrae with psoas and erector muscles."""
    levels: tuple[str, ...] = ("T12", "L1", "L2", "L3", "L4")
    """Vertebrae by name, from the top down."""
    region: tuple[int, int, int] = (24, 128, 224)
    """Its shape: slices from the head down, rows from the front back, columns from the patient's right to left."""
    spacing_mm: tuple[float, float, float] = (3.0, 1.0, 1.0)
    window_hu: tuple[float, float] = (-200.0, 1000.0)
    """Scaled to 0 … 1. From 0 on, as related code has it, fat is not told from muscle, nor in marrow."""
    outside: float = 0.0
    """What stands where nothing of the parts is, after scaling."""
    margin_mm: float = 2.0
    """By how much the outlines are widened, on the region's grid: one drawn within the cortex would cut it off."""
    behind_mm: float = 28.0
    """How far behind the body's middle a region's middle lies: muscles lie behind more than before it."""
    heights: tuple[float, ...] = (0.2, 0.5, 0.8)
    """Where stacks lie, as shares of the body's height from its lower end plate."""
    adjacent: int = 3
    """Slices of a stack, which become the channels of an image."""
    consecutive: int = 3
    """Vertebrae of an example."""
    along: Literal["body", "scan"] = "body"
    """Whether slices follow the body's own end plates, or are the scan's axial ones."""

    def __post_init__(self) -> None:
        order = [level for level in LEVEL_NUMBERS if level in self.levels]
        if not self.levels or list(self.levels) != order:
            raise UsageError(f"levels {', '.join(self.levels) or 'none'}",
                             wanted="names such as T12, L1, from the top down, each once")  # fmt: skip
        if self.parts not in PARTS or self.along not in ("body", "scan"):
            raise UsageError(f"parts {self.parts!r} along the {self.along}",
                             wanted=f"parts {' or '.join(PARTS)}; along body or scan")  # fmt: skip
        if min(self.region) < 8 or min(self.spacing_mm) <= 0 or not self.window_hu[0] < self.window_hu[1]:
            raise UsageError(
                f"regions of {self.region} at {self.spacing_mm} mm in a window of {self.window_hu} HU",
                wanted="at least 8 samples an axis, positive spacings, a window from low to high",
            )
        if (
            not self.heights or not all(0 <= h <= 1 for h in self.heights) or self.margin_mm < 0
            or not 1 <= self.adjacent <= self.region[0] or not 1 <= self.consecutive <= len(self.levels)
        ):  # fmt: skip
            raise UsageError(
                f"stacks at {self.heights} of {self.adjacent} slices, {self.consecutive} vertebrae, a margin of "
                f"{self.margin_mm:g} mm",
                wanted="heights from 0 to 1, no more slices and vertebrae than there are, and no negative margin",
            )

    @classmethod
    def small(cls, **settings: Any) -> CtCropping:
        """The same field of view at 2 mm, 64 × 112: for a CPU."""
        return cls(**{"region": (24, 64, 112), "spacing_mm": (3.0, 2.0, 2.0), **settings})

    @property
    def images_shape(self) -> tuple[int, int, int, int]:
        """Of an example: images (vertebra by vertebra from the top, stack by stack), channels, rows, columns."""
        return (self.consecutive * len(self.heights), self.adjacent, *self.region[1:])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of an example as a store keeps it: all images' slices one after the other, rows, columns."""
        return (self.consecutive * len(self.heights) * self.adjacent, *self.region[1:])

    @classmethod
    def told(cls, told: Mapping[str, Any]) -> CtCropping:
        """From what :meth:`as_dict` gives, or JSON made of it; TypeError where a name is none of these.

        >>> CtCropping.told({"levels": ["L1", "L2", "L3"], "parts": "bone"}).levels
        ('L1', 'L2', 'L3')
        """
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items() if k != "shape"}
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """As plain data, with the ``shape`` that every description of a preparation has."""
        told = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return {"shape": list(self.shape), **told}
