"""Work in several processes, answers as they come, never more waiting than the processes can take up."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from spineclock.core.errors import SpineclockError

A = TypeVar("A")
B = TypeVar("B")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
            "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")  # fmt: skip


def side_by_side(work: Callable[[A], B], jobs: Iterable[A], *, workers: int) -> Generator[B, None, None]:
    """``work`` of each job in processes of one thread each, in the order in which they end.

    Jobs are drawn as processes become free, two for each: memory does not grow with their number. The processes start
    anew (``spawn``), so that ``work`` and the jobs must be things that can be pickled. Whatever stops the iteration,
    Ctrl-C or the reader's leaving, ends the processes at once.

    Raises
    ------
    SpineclockError
        If a process ends of itself, as one does that the system takes its memory from.
    """
    earlier = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent)
    try:
        yield from _bounded(pool, work, iter(jobs), most=2 * workers)
        pool.shutdown()
    except BrokenProcessPool as error:
        raise SpineclockError(
            "a worker process ended before its scan was done",
            wanted="memory for each of them",
            remedy="fewer --workers, and --resume",
        ) from error
    finally:  # a no-op after an orderly end
        for child in set(multiprocessing.active_children()) - earlier:
            child.terminate()
        pool.shutdown(cancel_futures=True)


def _bounded(pool: ProcessPoolExecutor, work: Callable[[A], B], jobs: Iterator[A], *, most: int) -> Iterator[B]:
    running: set[Future[B]] = set()
    while True:
        for job in itertools.islice(jobs, most - len(running)):
            with _for_children():
                running.add(pool.submit(work, job))
        if not running:
            return
        ended, running = wait(running, return_when=FIRST_COMPLETED)
        for future in ended:
            yield future.result()


@contextmanager
def _for_children() -> Iterator[None]:
    """While a process may start: one thread in its environment, and no Ctrl-C, which is the parent's to answer."""
    before = {name: os.environ.get(name) for name in _THREADS}
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)


def _end_with_parent() -> None:
    """Ends this process should its parent be killed: nobody would be left to take its answers."""
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
