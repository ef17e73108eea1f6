"""The training loop of networks that read an age, a disease, or what will come, from a scan.

Source: the spine-age paper's training (Adam, batch 2, learning rate lowered on a plateau with patience 5); what it does
not state is our choice. Lightning Fabric places the network on one device or several and computes in mixed precision;
the loop itself is all here.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from spineclock.core.errors import SpineclockError
from spineclock.core.volume import Array
from spineclock.learn import checkpoint as disk
from spineclock.learn.feed import Batch, Examples, Feed, ReadAhead, in_order
from spineclock.learn.stopping import SharedStop
from spineclock.nets.heads import Head, Measure
from spineclock.nets.names import RateFalls
from spineclock.nets.networks import channels_last
from spineclock.prep.masking import Part

if TYPE_CHECKING:
    from lightning.fabric import Fabric

JUDGED_AT_ONCE = 16
"""Scans a batch where nothing is learned."""


class StoppedError(SpineclockError):
    """The training was asked to stop, and has written its state."""


@dataclass(frozen=True)
class Schedule:
    """How long, how fast and until when a network learns."""

    max_epochs: int = 100
    learning_rate: float = 1e-4
    weight_decay: float = 0.0
    rate_falls: RateFalls = "plateau"
    """On a plateau of the validation loss, or in a straight line to 0 at the end of the last epoch, reached always."""
    plateau_patience: int = 5
    """Epochs without a lower validation loss before the rate falls."""
    plateau_factor: float = 0.1
    stop_patience: int = 15
    """Epochs without a lower validation loss before training ends; of a rate that falls linearly it does not."""
    seed: int = 0

    def rate(self, epoch: int, share: float) -> float | None:
        """The learning rate where it follows from how much of an epoch is done alone; None where the plateau tells.

        >>> [Schedule(max_epochs=4, learning_rate=1.0, rate_falls="linear").rate(k, 0.5) for k in (0, 3)]
        [0.875, 0.125]
        """
        if self.rate_falls == "plateau":
            return None
        return self.learning_rate * (1 - (epoch + share) / self.max_epochs)


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to."""

    epoch: int
    train_loss: float
    validation_loss: float
    measure: Measure
    """What validation people were judged by, and in ``figure`` what it came to."""
    figure: float
    learning_rate: float
    """Of its last step."""
    seconds: float
    idle_share: float
    """Of the training's time, that spent waiting for data."""
    minutes: float
    """Since the training began, without the time it lay still."""

    def row(self) -> dict[str, Any]:
        """A row of ``curves.csv``: the figure in a column of its measure's name."""
        told = asdict(self)
        del told["measure"]
        return {self.measure.column if name == "figure" else name: value for name, value in told.items()}

    @classmethod
    def of(cls, row: dict[str, Any], measure: Measure) -> Epoch:
        """The epoch of a row."""
        told = {"figure" if name == measure.column else name: value for name, value in row.items()}
        return cls(**told, measure=measure)


@dataclass
class Progress:
    """How far a training is; all that is not in tensors."""

    epoch: int = 0
    batch: int = 0
    """Of this epoch, done."""
    loss_sum: float = 0.0
    seconds: float = 0.0
    waited_s: float = 0.0
    """Of this epoch."""
    best: float = math.inf
    best_epoch: int = -1
    rows: list[dict[str, Any]] = field(default_factory=list)

    def finished(self, schedule: Schedule) -> bool:
        """Whether nothing is left to learn: all epochs done, or too many without getting better."""
        waited = self.epoch - 1 - self.best_epoch
        return self.epoch >= schedule.max_epochs or (
            schedule.rate_falls == "plateau" and waited >= schedule.stop_patience
        )


@dataclass(frozen=True, eq=False)
class Fitted:
    """A network with its best weights, in evaluation mode on the CPU, what its answer means, and how it got there."""

    net: nn.Module
    head: Head
    epochs: tuple[Epoch, ...]
    best_epoch: int


@dataclass(frozen=True, eq=False)
class Training:
    """A training of one network on one feed; :meth:`run` does it.

    Parameters
    ----------
    net : module
        (B, 1, D, H, W) → (B, outputs).
    head : Head
        What its answer means.
    feed, validation
        What it learns from, and who tells which epoch is kept and, of a plateau, its rate and end; no person in both.
    schedule : Schedule
    fabric : lightning.fabric.Fabric
        Launched; places everything.
    state : path, optional
        Where the training's state is kept; a training whose state is there goes on from it. Repeated or resumed on one
        CPU with as many threads, it gives the same weights to the bit.
    save_every_s : float
        Seconds between writings within an epoch.
    stop : function
        Asked after each step, of several processes about every five seconds; True, of any of them, ends the training
        with :class:`StoppedError` once its state is written.
    on_step, on_epoch : functions
        Told of each step (progress, batches of the epoch) and of each epoch.
    """

    net: nn.Module
    head: Head
    feed: Feed
    validation: Examples
    schedule: Schedule
    fabric: Fabric
    state: Path | None = None
    save_every_s: float = 120.0
    stop: Callable[[], bool] = lambda: False
    on_step: Callable[[Progress, int], None] = lambda progress, batches: None
    on_epoch: Callable[[Epoch], None] = lambda epoch: None

    def run(self) -> Fitted:
        """The network once validation loss has stopped falling, or after the last epoch."""
        plain = channels_last(self.net)
        optimiser = torch.optim.Adam(
            plain.parameters(), self.schedule.learning_rate, weight_decay=self.schedule.weight_decay
        )
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(
            optimiser, factor=self.schedule.plateau_factor, patience=self.schedule.plateau_patience, threshold=0
        )
        net, fast = self.fabric.setup(plain, optimiser)
        parts = _Parts(plain, optimiser, plateau, copy.deepcopy(plain.state_dict()))
        progress, stop = self._restored(parts), SharedStop(self.fabric, self.stop)
        while not progress.finished(self.schedule):
            self._train_epoch(net, fast, parts, progress, stop)
            self._close_epoch(net, parts, progress)
            self._save(parts, progress)
        plain.load_state_dict(parts.best)
        return Fitted(
            plain.cpu().eval(),
            self.head,
            tuple(Epoch.of(row, self.head.measure) for row in progress.rows),
            progress.best_epoch,
        )

    def _train_epoch(
        self, net: nn.Module, optimiser: Any, parts: _Parts, progress: Progress, asked_to_stop: SharedStop
    ) -> None:
        net.train()
        batches, saved = self.feed.batches, time.monotonic()
        ahead = ReadAhead(self.feed.epoch(progress.epoch, first=progress.batch))
        begun, waited = time.perf_counter(), 0.0
        for batch in ahead:
            # dropout depends on the step alone, so that a resumed training drops what an unbroken one would have
            torch.manual_seed(self.schedule.seed * 1_000_003 + progress.epoch * batches + progress.batch)
            loss = self.head.cost(net(self._placed(batch)), self.fabric.to_device(batch.targets))
            rate = self.schedule.rate(progress.epoch, progress.batch / batches)
            if rate is not None:
                _set_rate(parts.optimiser, rate)
            optimiser.zero_grad()
            self.fabric.backward(loss)
            optimiser.step()
            progress.loss_sum += loss.item()
            progress.batch += 1
            now = time.perf_counter()
            progress.seconds += now - begun
            progress.waited_s += ahead.waited_s - waited
            begun, waited = now, ahead.waited_s
            self.on_step(progress, batches)
            stop = asked_to_stop()
            if progress.batch < batches and (stop or time.monotonic() - saved > self.save_every_s):
                self._save(parts, progress)
                saved = time.monotonic()
            if stop and progress.batch < batches:
                self.fabric.barrier()  # the first process is killed soon after another has ended: it writes before
                raise StoppedError("stopped", wanted="time", remedy="--resume takes up from here")

    def _close_epoch(self, net: nn.Module, parts: _Parts, progress: Progress) -> None:
        """Judges the epoch, lowers the rate where it is time, and keeps the weights if they are the best so far."""
        begun = time.perf_counter()
        said, loss = judged(net, self.head, self.validation, part=self.feed.part)
        # batch norm's statistics differ a little between processes: the first one's judgement counts
        loss, figure = self.fabric.broadcast((loss, self.head.figure(said, self.validation.targets)))
        loss_sum = self._mean_of_processes(progress.loss_sum)
        if not math.isfinite(loss + loss_sum):
            raise SpineclockError(f"the loss of epoch {progress.epoch + 1} is no number",
                                  remedy="a smaller learning_rate, or precision=float32")  # fmt: skip
        rate = float(parts.optimiser.param_groups[0]["lr"])
        if self.schedule.rate_falls == "plateau":
            parts.plateau.step(loss)
        if loss < progress.best:
            progress.best, progress.best_epoch = loss, progress.epoch
            parts.best = copy.deepcopy(parts.net.state_dict())
        learning_s = progress.seconds
        seconds = learning_s + time.perf_counter() - begun
        minutes = (progress.rows[-1]["minutes"] if progress.rows else 0.0) + seconds / 60
        row = Epoch(progress.epoch, loss_sum / self.feed.batches, loss, self.head.measure, figure, rate, seconds,
                    progress.waited_s / learning_s, minutes)  # fmt: skip
        progress.rows.append(row.row())
        progress.epoch, progress.batch = progress.epoch + 1, 0
        progress.loss_sum = progress.seconds = progress.waited_s = 0.0
        self.on_epoch(row)

    def _placed(self, batch: Batch) -> Tensor:
        volumes: Tensor = self.fabric.to_device(batch.volumes)
        return volumes.contiguous(memory_format=torch.channels_last_3d)

    def _mean_of_processes(self, value: float) -> float:
        mean = self.fabric.all_reduce(torch.tensor(value, dtype=torch.float64), reduce_op="mean")
        assert isinstance(mean, Tensor)
        return float(mean)

    def _save(self, parts: _Parts, progress: Progress) -> None:
        if self.state is not None and self.fabric.is_global_zero:
            disk.write(self.state, {**parts.state(), "progress": asdict(progress)})

    def _restored(self, parts: _Parts) -> Progress:
        if self.state is None or not self.state.is_file():
            return Progress()
        state = disk.read(self.state)
        parts.restore(state)
        return Progress(**state["progress"])


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


@dataclass
class _Parts:
    """What of a training is tensors."""

    net: nn.Module
    optimiser: torch.optim.Optimizer
    plateau: torch.optim.lr_scheduler.ReduceLROnPlateau
    best: dict[str, Tensor]

    def state(self) -> dict[str, Any]:
        return {"net": self.net.state_dict(), "optimiser": self.optimiser.state_dict(),
                "plateau": self.plateau.state_dict(), "best": self.best}  # fmt: skip

    def restore(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.plateau.load_state_dict(state["plateau"])
        self.best = state["best"]


class Judged(NamedTuple):
    """What a network says of scans, in their order, and the mean loss.

    ``said`` has a row a scan: the age in years and, where the network answers with a distribution over whole years,
    its SD; or of a diagnosis the log-odds of each level, NaN where it was not there.
    """

    said: Array
    loss: float

    @property
    def ages_years(self) -> Array:
        """Of a network of ages, the age of each scan."""
        found: Array = self.said[:, 0]
        return found

    @property
    def sd_years(self) -> Array | None:
        """Of a network of ages, the SD of each answered distribution; None where it answers with an age."""
        return self.said[:, 1] if self.said.shape[1] > 1 else None


def judged(net: nn.Module, head: Head, examples: Examples, *, part: Part = "whole") -> Judged:
    """What a network says of scans, in the examples' order, and the mean loss; nothing is learned."""
    net.eval()
    device = next(net.parameters()).device
    if examples.targets.ndim == 2:  # some are not known, and who has an event is compared with everybody at risk
        raw = answered(net, examples, part=part)
        said = head.said(raw).cpu().double().numpy()
        return Judged(said, float(head.cost(raw, torch.from_numpy(examples.targets).to(raw))))
    answers, costs = [], []
    with torch.inference_mode():
        for batch in ReadAhead(in_order(examples, JUDGED_AT_ONCE, part)):
            targets = batch.targets.to(device)
            raw = net(batch.volumes.to(device).contiguous(memory_format=torch.channels_last_3d)).float()
            answers.append(head.said(raw).cpu())
            costs.append(float(head.cost(raw, targets)) * len(targets))
    return Judged(torch.cat(answers).double().numpy(), sum(costs) / len(examples))


def answered(net: nn.Module, examples: Examples, *, part: Part = "whole") -> Tensor:
    """What a network answers, before its head reads it, in the examples' order: shape (N, outputs), on its device."""
    net.eval()
    device = next(net.parameters()).device
    with torch.inference_mode():
        return torch.cat([
            net(batch.volumes.to(device).contiguous(memory_format=torch.channels_last_3d)).float()
            for batch in ReadAhead(in_order(examples, JUDGED_AT_ONCE, part))
        ])  # fmt: skip
