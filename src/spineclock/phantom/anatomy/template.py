"""The anatomy template a world's people are built on, and how its images age."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

from spineclock.core.errors import UsageError
from spineclock.phantom.parameters import changed, parts, section, worlds


@dataclass(frozen=True, eq=False)
class Template:
    """Section ``[body]`` of ``images.toml``: what differs between anatomies, and how marrow and muscle age."""

    sizes: dict[str, float] = field(default_factory=dict)
    """Factors on fields of :class:`~spineclock.phantom.anatomy.dimensions.Dimensions`."""
    disc_height: float = 1.0
    lordosis_deg: float = 0.0
    kyphosis_deg: float = 0.0
    arches: float = 1.0
    """How stout posterior elements are."""
    fat_at_25: float = 0.25
    """Fat fraction of lumbar marrow at a spine age of 25, its rise a decade, its fall with each unit of T-score, SD."""
    fat_per_decade: float = 0.052
    fat_per_t_score: float = -0.02
    fat_sd: float = 0.045
    hollow_per_decade: float = 0.10
    """How much deeper end plates get, mm a decade after 30."""
    hollow_per_t_score: float = 0.12
    """The same, mm for each unit of T-score below 0."""
    hollow_sd: float = 0.0
    """How much deeper or flatter end plates are, mm: half the variance is the person's, half each end plate's."""
    flavum_per_decade: float = 0.28
    spur_per_decade: float = 0.22
    unevenness_at_25: float = 0.07
    unevenness_per_decade: float = 0.012
    sac_loss_per_decade: float = 0.012
    trabecular_sd: float = 0.0
    """How far trabecular bone, which marrow and end plates follow, strays from the lumbar T-score: SD among people and,
    about the person's mean of L1-L4, among levels, in T-scores."""
    trabecular_level_sd: float = 0.0
    unevenness_per_t_score: float = 0.0
    """How much more uneven marrow is for each unit of T-score below 0, and the SD of what is the person's own."""
    unevenness_sd: float = 0.0
    coarse_per_t_score: float = 0.0
    """How much more of the unevenness is in large patches, for each unit below 0."""
    space_per_t_score: float = 0.0
    """What share more room for marrow fewer trabeculae leave, for each unit, to both sides of 0."""
    nodes_per_t_score: float = 0.0
    """How much likelier a node in an end plate is, for each unit below 0."""


@cache
def template(world: str = "default") -> Template:
    """The template of a world of images.

    >>> template("shifted").kyphosis_deg > template().kyphosis_deg
    True

    Raises
    ------
    UsageError
        If there is no such world.
    """
    return section(Template, images(world)["body"], where="body")


def image_worlds() -> tuple[str, ...]:
    """Names of the worlds whose images differ.

    >>> image_worlds()
    ('default', 'ageing_off', 'osteoporosis', 'shifted')
    """
    return ("default", *_document()["worlds"])


def people_world(world: str) -> str:
    """The world whose people a world of images shows: its namesake, or the default one.

    >>> people_world("ageing_off"), people_world("shifted"), people_world("ageing_off+osteoporosis")
    ('default', 'shifted', 'osteoporosis')
    """
    return "+".join(part for part in parts(world) if part in worlds()) or "default"


@cache
def images(world: str) -> Mapping[str, Any]:
    """Everything ``images.toml`` says of a world, as plain data; worlds of people alone have the default images.

    Raises
    ------
    UsageError
        If there is no such world.
    """
    raw = dict(_document())
    changes = {"default": {}, **raw.pop("worlds")}
    for part in parts(world):
        if part not in (*changes, *worlds()):
            known = ", ".join(dict.fromkeys((*worlds(), *changes)))
            raise UsageError(
                f"no phantom world is called {part!r}", wanted=f"one of {known}, or several with + between"
            )
        raw = changed(raw, changes.get(part, {}))
    return raw


@cache
def _document() -> Mapping[str, Any]:
    return tomllib.loads((files("spineclock.phantom") / "images.toml").read_text(encoding="utf-8"))
