"""What the vertebrae are called, counted from the lowest one up."""

from __future__ import annotations

from spineclock.core.anatomy import levels_upwards
from spineclock.core.errors import UsageError


def named(count: int, *, lowest_vertebra: str | None = None, below: bool = False) -> tuple[str, ...]:
    """Names of ``count`` vertebrae from the lowest up; fewer where the neck ends.

    The lowest disc in view is taken for L5/S1, so the vertebra above it is L5. ``below`` says that the first of
    the vertebrae lies below that disc: it is then S1. ``lowest_vertebra`` names the first one instead.

    Raises
    ------
    UsageError
        If ``lowest_vertebra`` is no level.

    Examples
    --------
    >>> named(3), named(3, below=True), named(2, lowest_vertebra="L4")
    (('L5', 'L4', 'L3'), ('S1', 'L5', 'L4'), ('L4', 'L3'))
    """
    if count < 0:
        raise UsageError(f"{count} vertebrae to name", wanted="none or more")
    return levels_upwards(lowest_vertebra or ("S1" if below else "L5"), count)
