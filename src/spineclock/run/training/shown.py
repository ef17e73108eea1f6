"""What a person at the terminal sees of a training: a bar with the time left, or a line an epoch."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from spineclock.learn.fit import Epoch, Progress
from spineclock.run.progress import bar_of_scans


class Shown:
    """A bar on a terminal, else lines on standard error; as a context, so that the bar ends with the training."""

    def __init__(self, *, max_epochs: int, quiet: bool = False) -> None:
        self.max_epochs, self.quiet = max_epochs, quiet
        self._best: Epoch | None = None
        self._told = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if not self.quiet and sys.stderr.isatty():
            self._bar = bar_of_scans()
            self._task = self._bar.add_task("epoch 1", total=None)
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def step(self, progress: Progress, batches: int) -> None:
        """A step is done."""
        if self._bar is not None:
            self._bar.update(self._task, description=self._title(progress.epoch), completed=progress.batch,
                             total=batches)  # fmt: skip
        elif not self.quiet and time.monotonic() - self._told > 60:
            self._told = time.monotonic()
            left = progress.seconds / progress.batch * (batches - progress.batch)
            print(f"{self._title(progress.epoch)}, step {progress.batch:,} of {batches:,}, {left / 60:.0f} minutes "
                  "left in it", file=sys.stderr)  # fmt: skip

    def epoch(self, row: Epoch) -> None:
        """An epoch is done."""
        sign = -1 if row.measure.rising else 1
        if self._best is None or not sign * row.figure >= sign * self._best.figure:
            self._best = row
        self._told = time.monotonic()
        if self.quiet:
            return
        line = (f"epoch {row.epoch + 1} of at most {self.max_epochs}: training loss {row.train_loss:.3f}, validation "
                f"{row.validation_loss:.3f}, {row.measure.shown(row.figure)}, rate {row.learning_rate:.0e}, "
                f"{row.seconds:.0f} s")  # fmt: skip
        if self._bar is None:
            print(line, file=sys.stderr)
        else:
            self._bar.console.print(line)

    def _title(self, epoch: int) -> str:
        best = f", best {self._best.measure.shown(self._best.figure)}" if self._best else ""
        return f"epoch {epoch + 1} of at most {self.max_epochs}{best}"
