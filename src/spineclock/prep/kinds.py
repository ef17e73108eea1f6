"""The ways in which scans are prepared, of which a store or a network names one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypeVar

from spineclock.core.errors import InputError
from spineclock.prep.cropping import Cropping
from spineclock.prep.ct_cropping import CtCropping
from spineclock.prep.film import FilmPreparation
from spineclock.prep.prepared import Preparation

AnyPreparation = Preparation | FilmPreparation | Cropping | CtCropping
P = TypeVar("P", Preparation, FilmPreparation, Cropping, CtCropping)
_READS = {Preparation: "scans", FilmPreparation: "films", Cropping: "crops of vertebrae", CtCropping: "regions of CT"}


def preparation_told(told: Mapping[str, Any]) -> AnyPreparation:
    """From the same values as JSON holds them; TypeError where a name is none of these.

    >>> preparation_told({"shape": [16, 128, 64]}).shape, preparation_told({"canvas": [256, 128]}).shape
    ((16, 128, 64), (1, 256, 128))
    """
    if "window_hu" in told:
        return CtCropping.told(told)
    if "levels" in told:
        return Cropping.told(told)
    return FilmPreparation.told(told) if "canvas" in told else Preparation.told(told)


def preparation_of(told: Mapping[str, Any], kind: type[P], *, recipe: str) -> P:
    """A network's preparation, which is of the kind that the recipe prepares scans in.

    Raises
    ------
    InputError
        If it is of another kind, and the network another recipe's.
    TypeError
        If a name is none of a preparation's.
    """
    how = preparation_told(told)
    if not isinstance(how, kind):
        reads, wanted = (_READS[type(one)] for one in (how, kind()))
        raise InputError(f"the network reads {reads}, not {wanted}", wanted=f"a run of {recipe}",
                         remedy="name the recipe it was trained for with --recipe")  # fmt: skip
    return how


def for_every_part(how: AnyPreparation) -> dict[str, Any]:
    """A preparation by the names of its settings, without the part of the spine: a store serves every part."""
    return {name: value for name, value in asdict(how).items() if name != "part"}
