"""Recipes: one file each, found by listing this folder."""

from __future__ import annotations

import difflib
import pkgutil
from importlib import import_module

from spineclock.core.errors import UsageError
from spineclock.core.recipe import Recipe


def names() -> tuple[str, ...]:
    """The recipes there are, as the command line writes them.

    >>> "mri-age" in names()
    True
    """
    return tuple(sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__)))


def get(name: str) -> Recipe:
    """The recipe of that name.

    Raises
    ------
    UsageError
        If there is none.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        raise UsageError(f"no recipe is called {name!r}", wanted=f"one of {', '.join(names())}",
                         remedy=f"did you mean {near[0]!r}?" if near else "")  # fmt: skip
    recipe: Recipe = import_module(f"{__name__}.{name.replace('-', '_')}").RECIPE
    return recipe
