"""How far a long run is, told on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
TOLD_EVERY = 0.05
"""Share of the scans after which a run that nobody watches says how far it is."""


def with_bar(ended: Iterable[T], total: int, kept: Callable[[], int]) -> Iterator[T]:
    """The scans as they end, and on standard error the time left: a bar on a terminal, else a line now and then.

    ``kept`` tells how many of the ``total`` needed no work so far.
    """
    if sys.stderr.isatty():
        yield from _on_terminal(ended, total, kept)
        return
    begun, told, step = time.monotonic(), 0, max(20, int(total * TOLD_EVERY))
    for count, one in enumerate(ended, start=1):
        yield one
        if count - told >= step:
            told = count
            left = (time.monotonic() - begun) / count * (total - kept() - count)
            print(f"{count + kept():,} of {total:,} scans, {left / 60:,.0f} minutes left", file=sys.stderr)


def bar_of_scans() -> Progress:
    """A bar on standard error: what it is at, how far, and the time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _on_terminal(ended: Iterable[T], total: int, kept: Callable[[], int]) -> Iterator[T]:
    with bar_of_scans() as bar:
        task = bar.add_task("scans", total=total)
        for count, one in enumerate(ended, start=1):
            yield one
            bar.update(task, completed=count + kept())


def size(count: float) -> str:
    """Bytes in words.

    >>> size(53_400_000)
    '53.4 MB'
    """
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} GB"
