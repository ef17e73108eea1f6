"""Which defaults a recipe has of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spineclock import recipes


def prepare_defaults(recipe: str) -> Mapping[str, Any]:
    """Of ``spineclock prepare``.

    Raises
    ------
    UsageError
        If there is no such recipe.

    Examples
    --------
    >>> dict(prepare_defaults("mri-age"))
    {}
    """
    return recipes.get(recipe).learning.prepare


def train_defaults(recipe: str) -> Mapping[str, Any]:
    """Of ``spineclock train``.

    Raises
    ------
    UsageError
        If there is no such recipe.
    """
    return recipes.get(recipe).learning.train
