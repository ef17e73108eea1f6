"""What every head offers: how a network's last numbers become an answer, and what training makes small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from spineclock.core.volume import Array


@dataclass(frozen=True)
class Measure:
    """A figure that validation people are judged by: its column in ``curves.csv``, and how it is shown.

    >>> Measure("mae_years", "MAE", unit=" years").shown(3.456)
    'MAE 3.46 years'
    """

    name: str
    title: str
    unit: str = ""
    digits: int = 2
    rising: bool = False
    """Whether more is better."""

    @property
    def column(self) -> str:
        """Of ``curves.csv``."""
        return f"validation_{self.name}"

    def shown(self, value: float) -> str:
        """In words."""
        return f"{self.title} {value:.{self.digits}f}{self.unit}"


class Head(Protocol):
    """What an answer means. :class:`spineclock.nets.age_head.AgeHead`, :class:`…diagnosis_head.DiagnosisHead`."""

    @property
    def outputs(self) -> int:
        """How many numbers a network must answer with."""
        ...

    @property
    def measure(self) -> Measure:
        """What validation people are judged by, beside the cost."""
        ...

    def begin(self, last: nn.Linear) -> None:
        """Prepares the network's last layer, before anything is learned."""
        ...

    def cost(self, raw: Tensor, targets: Tensor, /) -> Tensor:
        """What training makes small, a mean over the batch; ``raw`` (N, outputs), ``targets`` (N,)."""
        ...

    def said(self, raw: Tensor) -> Tensor:
        """What the answers say, a row a scan."""
        ...

    def figure(self, said: Array, targets: Array) -> float:
        """The measure of what was said of people whose truth is known."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for ``network.json``."""
        ...
