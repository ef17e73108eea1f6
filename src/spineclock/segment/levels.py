"""What the vertebrae are called, counted from the sacrum up and, where C2 is in view, from C2 down."""

from __future__ import annotations

from dataclasses import dataclass

from spineclock.core.anatomy import USUAL_LEVELS, levels_upwards
from spineclock.core.errors import UsageError

USUAL = 24
"""Vertebrae above the sacrum, C1 included, that most people have."""
_FROM_C2 = USUAL_LEVELS[1:-1]


@dataclass(frozen=True)
class Count:
    """Names from the lowest vertebra up.

    ``presacral`` is how many vertebrae the person has above the sacrum, C1 included, where both ends are in view, else
    0. ``unusual`` says in words that it is not 24, ``doubts`` why the names may be wrong.
    """

    names: tuple[str, ...]
    presacral: int = 0
    unusual: str = ""
    doubts: tuple[str, ...] = ()


def counted(
    count: int, *, lowest_vertebra: str | None = None, below: bool = False, sacrum: bool = False, c2: bool = False
) -> Count:
    """Names of ``count`` vertebrae.

    Where the sacrum is known the lowest vertebra is L5, where the topmost is known to be C2 names run down from there;
    if the two disagree by one the person has 23 or 25 vertebrae above the sacrum and names run down from C2, so that
    the unusual number shows in the lumbar spine (T13 cannot be told without ribs). Otherwise :func:`named` decides.

    Parameters
    ----------
    count : int
        Vertebrae found, C1 not among them.
    lowest_vertebra : str, optional
        The reader's word on the lowest one, which nothing overrules.
    below : bool
        Whether, no sacrum being known, the first of them lies below the lowest disc.
    sacrum, c2 : bool
        Whether the lowest is known to stand on the sacrum, and the topmost to be C2.

    Raises
    ------
    UsageError
        If ``lowest_vertebra`` is no level.

    Examples
    --------
    >>> counted(3, sacrum=True).names, counted(3, c2=True).names
    (('L5', 'L4', 'L3'), ('C4', 'C3', 'C2'))
    >>> found = counted(24, sacrum=True, c2=True)
    >>> found.names[:2], found.names[-1], found.presacral
    (('L6', 'L5'), 'C2', 25)
    """
    if lowest_vertebra is not None or not (sacrum or c2):
        return Count(named(count, lowest_vertebra=lowest_vertebra, below=below))
    usual = len(_FROM_C2)
    if not sacrum:
        lowest = "S1" if below and count == usual + 1 else _down_from_c2(count)
        return Count(levels_upwards(lowest, count)) if lowest else Count(named(count, below=below))
    if count == usual or (count < usual and not c2):
        return Count(named(count), presacral=count + 1 if c2 else 0)
    if abs(count - usual) == 1:
        lowest = _down_from_c2(count)
        unusual = (
            f"supernumerary or transitional vertebrae: {count + 1} above the sacrum where {USUAL} are usual; "
            f"counted from C2 down, the lowest is called {lowest}"
        )
        return Count(levels_upwards(lowest, count), presacral=count + 1, unusual=unusual)
    doubt = f"{count + 1} vertebrae were counted from C1 to the sacrum where {USUAL} are usual"
    return Count(named(count), doubts=(doubt,))


def _down_from_c2(count: int) -> str:
    """The lowest of so many vertebrae from C2 down; "" where there are no names for as many.

    >>> _down_from_c2(6), _down_from_c2(23), _down_from_c2(25)
    ('C7', 'L5', 'L7')
    """
    levels = (*_FROM_C2, "L6", "L7")
    return levels[count - 1] if 0 < count <= len(levels) else ""


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
