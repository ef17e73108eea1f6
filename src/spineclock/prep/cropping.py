"""How vertebral bodies are cropped: levels, size, margin, slices and grey values, as plain settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from spineclock.core.anatomy import LEVEL_NUMBERS
from spineclock.core.errors import UsageError

Intensity = Literal["zscore", "raw", "csf", "fat", "muscle"]
INTENSITIES: tuple[Intensity, ...] = ("zscore", "raw", "csf", "fat", "muscle")


@dataclass(frozen=True)
class Cropping:
    """How vertebral bodies are cropped. Ho et al. (2026) state bodies of T1 and T2; the numbers are our choice.

    Raises
    ------
    UsageError
        If a value is none that can be meant.

    Examples
    --------
    >>> Cropping(size=(96, 96), intensity="csf").shape
    (4, 96, 96)
    """

    levels: tuple[str, ...] = ("L1", "L2", "L3", "L4")
    """Vertebrae by name; those that DXA of the spine measures."""
    size: tuple[int, int] = (64, 64)
    """Rows and columns."""
    margin: float = 0.10
    """Round the body's own box on every side, of its depth or height."""
    slices: int = 1
    """Side by side; a body that shows in fewer is left out."""
    choose: Literal["middle", "largest"] = "middle"
    """Which: those nearest to the middle of the canal, or those with the largest area of the body, of equals the
    nearest to the middle."""
    intensity: Intensity = "zscore"
    """Grey values: standard deviations from the crop's mean, as they are, or ratios to a tissue's signal."""

    def __post_init__(self) -> None:
        unknown = [level for level in self.levels if level not in LEVEL_NUMBERS]
        if unknown or not self.levels or len(set(self.levels)) < len(self.levels):
            raise UsageError(f"levels {', '.join(self.levels) or 'none'}", wanted="names such as L1, L2, each once")
        if len(self.size) != 2 or min(self.size) < 8 or self.slices < 1 or not 0 <= self.margin <= 2:
            raise UsageError(
                f"crops of {self.size} pixels, {self.slices} slices, with a margin of {self.margin:g}",
                wanted="at least 8 rows and columns, 1 slice, and a margin from 0 to 2",
            )
        if self.intensity not in INTENSITIES or self.choose not in ("middle", "largest"):
            raise UsageError(
                f"intensity {self.intensity!r} and slices chosen by {self.choose!r}",
                wanted=f"intensity {', '.join(INTENSITIES)}; choose middle or largest",
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of all crops of a scan, one after the other: levels × slices, rows, columns."""
        return (len(self.levels) * self.slices, *self.size)

    @classmethod
    def told(cls, told: Mapping[str, Any]) -> Cropping:
        """From what :meth:`as_dict` gives, or JSON made of it; TypeError where a name is none of these.

        >>> Cropping.told({"levels": ["L3"], "size": [96, 96], "shape": [1, 96, 96]}).size
        (96, 96)
        """
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in told.items() if k != "shape"}
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """As plain data, with the ``shape`` that every description of a preparation has."""
        return {"shape": list(self.shape), **asdict(self), "levels": list(self.levels), "size": list(self.size)}
