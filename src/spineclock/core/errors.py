"""What can go wrong, said in the words of the person who has to mend it."""

from __future__ import annotations


class SpineclockError(Exception):
    """An error a user can act on: what was found, what is wanted, and the remedy.

    Parameters
    ----------
    found : str
        What the program met, with the offending value.
    wanted : str, optional
        What it needs instead.
    remedy : str, optional
        What the user can do about it.

    Examples
    --------
    >>> str(SpineclockError("series 3 has 6 mm slices", wanted="slices up to 3 mm",
    ...                     remedy="export the thin series"))
    'series 3 has 6 mm slices; wanted: slices up to 3 mm; remedy: export the thin series.'
    """

    def __init__(self, found: str, *, wanted: str = "", remedy: str = "") -> None:
        self.found, self.wanted, self.remedy = found, wanted, remedy
        super().__init__(found)  # what it is made of again in another process

    def __str__(self) -> str:
        parts = [self.found]
        if self.wanted:
            parts.append(f"wanted: {self.wanted}")
        if self.remedy:
            parts.append(f"remedy: {self.remedy}")
        return "; ".join(parts).removesuffix(".") + "."


class InputError(SpineclockError):
    """A file, folder or header that cannot be read as a scan."""


class GeometryError(SpineclockError):
    """Two images, or an image and its header, that do not fit together in space."""


class RefusedError(SpineclockError):
    """A scan that could be opened but must not be given an age (see ``quality``)."""


class TableError(SpineclockError):
    """A cohort table whose columns or values are not what the program can use."""


class UsageError(SpineclockError):
    """A call that is wrong in itself, before any scan is opened."""
