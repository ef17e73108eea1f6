"""How an age is read from a network's last numbers, and what its training makes small."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from spineclock.core.errors import UsageError
from spineclock.core.volume import Array
from spineclock.nets.heads import Measure
from spineclock.nets.names import AgeLoss

LABEL_SD_YEARS = 1.0
"""Width of the soft labels (Peng et al., SFCN, Med Image Anal 2021)."""
MEAN_WEIGHT, VARIANCE_WEIGHT = 0.2, 0.05
"""λ₁ and λ₂ of the mean–variance loss, as VERTE-X-Aging sets them."""
MARGIN_YEARS = 5
"""Classes beyond the youngest and oldest training age, so that an estimate can lie outside them."""
BINNED = ("soft_label", "mean_variance")
"""The losses of networks that answer with a distribution over whole years."""


@dataclass(frozen=True)
class AgeHead:
    """What a spine-age network's answer means.

    Parameters
    ----------
    loss : str
        ``mse``: squared error of the standardised age (the paper's). ``smooth_l1``: absolute error, squared below one
        year. ``soft_label``: Kullback–Leibler divergence from a normal distribution of 1 year round the age, over
        classes of one year. ``mean_variance``: cross-entropy, with the error of the mean and the variance (Pan 2018).
    mean_years, sd_years : float
        Of the training ages: the first two losses work on ages standardised by them.
    youngest, oldest : int
        The classes of the last two losses, in whole years. Whoever is younger or older than these counts as being of
        the nearest class in ``mean_variance``'s cross-entropy, and as of their own age in its error of the mean.

    Examples
    --------
    >>> head = AgeHead("mse", 50.0, 10.0, 20, 80)
    >>> head.age_years(torch.tensor([[0.0], [1.5]])).tolist(), head.outputs
    ([50.0, 65.0], 1)
    >>> AgeHead("soft_label", 50.0, 10.0, 20, 80).outputs
    61
    """

    loss: AgeLoss
    mean_years: float
    sd_years: float
    youngest: int
    oldest: int

    def __post_init__(self) -> None:
        if self.loss not in get_args(AgeLoss):
            raise UsageError(f"no loss is called {self.loss!r}", wanted=f"one of {', '.join(get_args(AgeLoss))}")
        numbers = (self.mean_years, self.sd_years, self.youngest, self.oldest)
        if not all(math.isfinite(n) for n in numbers) or self.sd_years <= 0 or self.youngest >= self.oldest:
            raise UsageError(f"ages {self.mean_years} ± {self.sd_years} years, classes {self.youngest}–{self.oldest}",
                             wanted="finite ages that differ from each other")  # fmt: skip

    @classmethod
    def of(cls, ages_years: Tensor, loss: AgeLoss, *, classes: tuple[int, int] | None = None) -> AgeHead:
        """The head for a training set: standardised by its ages, classes a little beyond them unless they are told.

        Parameters
        ----------
        ages_years : tensor, shape (N,)
            Of the people trained on.
        loss : str
            As above.
        classes : (int, int), optional
            The first and the last whole year, such as :data:`spineclock.nets.names.RADIOGRAPH_CLASSES`.

        Raises
        ------
        UsageError
            If everyone is of one age, or someone lies a year or more outside the classes.

        Examples
        --------
        >>> AgeHead.of(torch.tensor([45.0, 80.0]), "mean_variance", classes=(40, 99)).outputs
        60
        """
        ages = ages_years.double()
        youngest = math.floor(float(ages.min())) - MARGIN_YEARS
        oldest = math.ceil(float(ages.max())) + MARGIN_YEARS
        if classes is not None:
            youngest, oldest = classes
            outside = ages[(ages <= youngest - 1) | (ages >= oldest + 1)]
            if len(outside) and loss in BINNED:
                raise UsageError(
                    f"{len(outside)} of {len(ages)} people outside the classes {youngest}–{oldest} years, such as one "
                    f"of {float(outside[0]):g}",
                    wanted="ages that have a class",
                    remedy="leave these people out, or widen the classes",
                )
        return cls(loss, float(ages.mean()), float(ages.std(unbiased=False)), youngest, oldest)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> AgeHead:
        """The head that :meth:`as_dict` described; TypeError or UsageError where it describes none."""
        return cls(**told)

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for ``network.json``."""
        return asdict(self)

    @property
    def binned(self) -> bool:
        """Whether the network answers with a distribution over whole years."""
        return self.loss in BINNED

    @property
    def outputs(self) -> int:
        """How many numbers a network must answer with."""
        return self.oldest - self.youngest + 1 if self.binned else 1

    @property
    def measure(self) -> Measure:
        """What validation people are judged by, beside the cost: the mean absolute error in years."""
        return Measure("mae_years", "MAE", unit=" years")

    def begin(self, last: nn.Linear) -> None:
        """Has a network that answers with a distribution begin with the training people's own, taken for normal.

        A step of the features along one direction then moves the whole distribution, as in a regression, and
        neighbouring years answer alike. From random weights, each year's for itself, the mean–variance loss stands
        still for a while, and what is learned then may be a blend of two distributions, an old and a young one.

        Parameters
        ----------
        last : torch.nn.Linear
            The network's last layer; its weights are replaced, where the answer is a distribution.

        Examples
        --------
        >>> head, last = AgeHead("mean_variance", 60.0, 10.0, 20, 100), nn.Linear(4, 81)
        >>> head.begin(last)
        >>> start = last(torch.zeros(1, 4)).detach()
        >>> round(float(head.age_years(start)), 2), round(float(head.predicted_sd_years(start)), 1)
        (60.0, 10.0)
        """
        if not self.binned:
            return
        with torch.no_grad():
            away = (self._classes(last.bias) - self.mean_years) / self.sd_years  # outputs
            direction = torch.randn(last.in_features) / math.sqrt(last.in_features)
            last.weight.copy_(away[:, None] * direction)
            last.bias.copy_(-0.5 * away.square())

    def age_years(self, raw: Tensor) -> Tensor:
        """Ages in years, shape (N,), from a network's answer, shape (N, outputs): of a distribution its mean."""
        raw = _exact(raw)
        if not self.binned:
            return raw[:, 0] * self.sd_years + self.mean_years
        return (raw.softmax(1) * self._classes(raw)).sum(1)

    def said(self, raw: Tensor) -> Tensor:
        """Ages in years and, of a distribution, its SD: shape (N, 1) or (N, 2)."""
        columns = [self.age_years(raw), *([self.predicted_sd_years(raw)] if self.binned else [])]
        return torch.stack(columns, dim=1)

    def figure(self, said: Array, targets: Array) -> float:
        """The mean absolute error in years of ages that were said."""
        return float(np.abs(said[:, 0] - targets).mean())

    def whole_years(self, raw: Tensor) -> Tensor:
        """The same rounded, as VERTE-X-Aging reports ages.

        >>> AgeHead("mse", 50.0, 10.0, 20, 80).whole_years(torch.tensor([[1.23]])).tolist()
        [62.0]
        """
        return self.age_years(raw).round()

    def predicted_sd_years(self, raw: Tensor) -> Tensor:
        """Standard deviation of each answered distribution, in years, shape (N,): the network's own uncertainty.

        It is not calibrated: a network learns it to be as small as its loss likes. See
        :mod:`spineclock.stats.predicted_spread`.

        Raises
        ------
        UsageError
            If the network answers with an age, and no distribution.

        Examples
        --------
        >>> head = AgeHead("mean_variance", 60.0, 10.0, 59, 61)
        >>> head.predicted_sd_years(torch.tensor([[9.0, -99.0, 9.0]])).tolist()  # 59 or 61, one as likely as the other
        [1.0]
        """
        if not self.binned:
            raise UsageError(
                f"a network trained by {self.loss} answers with an age, not with a distribution",
                wanted=f"one trained by {' or '.join(BINNED)}",
            )
        return self._variance(_exact(raw)).sqrt()

    def cost(self, raw: Tensor, ages_years: Tensor) -> Tensor:
        """What training makes small, a mean over the batch; ``ages_years`` has shape (N,)."""
        raw = _exact(raw)
        match self.loss:
            case "mse":
                return F.mse_loss(raw[:, 0], (ages_years - self.mean_years) / self.sd_years)
            case "smooth_l1":  # over the standard deviation, so that gradients are of the squared error's size
                return F.smooth_l1_loss(self.age_years(raw), ages_years, beta=1.0) / self.sd_years
            case "soft_label":
                away = (self._classes(raw) - ages_years[:, None]) / LABEL_SD_YEARS
                return F.kl_div(raw.log_softmax(1), (-0.5 * away.square()).softmax(1), reduction="batchmean")
            case "mean_variance":
                return self._mean_variance(raw, ages_years)

    def _mean_variance(self, raw: Tensor, ages_years: Tensor) -> Tensor:
        mean = self.age_years(raw)
        nearest = (ages_years.round().long() - self.youngest).clamp(0, self.outputs - 1)
        off = 0.5 * (mean - ages_years).square().mean()
        return F.cross_entropy(raw, nearest) + MEAN_WEIGHT * off + VARIANCE_WEIGHT * self._variance(raw).mean()

    def _variance(self, raw: Tensor) -> Tensor:
        away = self._classes(raw) - self.age_years(raw)[:, None]
        return (raw.softmax(1) * away.square()).sum(1)

    def _classes(self, raw: Tensor) -> Tensor:
        return torch.arange(self.youngest, self.oldest + 1, device=raw.device, dtype=raw.dtype)


def _exact(raw: Tensor) -> Tensor:
    """In float32 at least: in bfloat16 a sum over 60 classes is off by a quarter of a year."""
    return raw.float() if raw.dtype in (torch.bfloat16, torch.float16) else raw
