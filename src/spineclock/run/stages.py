"""Programs of several resumable stages: what goes wrong or is stopped ends them with a line, not a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from spineclock.core.errors import SpineclockError

DONE, FAILED, STOPPED = 0, 1, 130


def plainly(work: Callable[[], None]) -> int:
    """Does the work; the exit status.

    >>> plainly(lambda: None)
    0
    """
    try:
        work()
    except SpineclockError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("stopped; call it again to go on", file=sys.stderr)
        return STOPPED
    return DONE
