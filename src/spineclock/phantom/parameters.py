"""What the phantom's people are made by: the numbers of ``parameters.toml``, and the worlds that change them."""

from __future__ import annotations

import dataclasses
import tomllib
import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np

from spineclock.core.errors import UsageError

T = TypeVar("T")
OTHERS = ("bone", "fractures", "risk_factors", "outcomes")
"""Sections that other modules of the phantom read, by :func:`section`."""


@dataclass(frozen=True, eq=False)
class Site:
    """A clinic, the share of people scanned there, and the maker of each of its scanners."""

    name: str
    share: float
    makers: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Who:
    """Ages, sexes, repeat scans and scanners."""

    edges_years: tuple[float, ...]
    men: tuple[int, ...]
    """Scans of men in each bracket between two edges."""
    women: tuple[int, ...]
    people: int
    second_scans: int
    years_between: float
    years_between_least: float
    years_between_shape: float
    sites: tuple[Site, ...]
    same_scanner_share: float


@dataclass(frozen=True, eq=False)
class Share:
    """How many of :attr:`Lifestyle.of` people do something, and how that turns on age and sex (probit)."""

    count: int
    per_decade: float = 0.0
    men: float = 0.0


@dataclass(frozen=True, eq=False)
class Lifestyle:
    """Questionnaire answers and body mass index."""

    of: int
    smokes: Share
    packs_mean: float
    packs_sd: float
    drinks: Share
    days_shares: tuple[float, ...]
    """Of those who drink at all, who does on one, two … seven days a week."""
    sits: Share
    sedentary_mean: float
    sedentary_sd: float
    work_beyond_light: Share
    work_heavy: Share
    exercise_any: Share
    exercise_vigorous: Share
    bmi_women: float
    bmi_men: float
    bmi_per_decade: float
    bmi_log_sd: float


@dataclass(frozen=True, eq=False)
class Gap:
    """What makes a spine older or younger than its person, in years."""

    residual_sd_years: float
    drift_sd_per_root_year: float
    effect: float
    """Multiplies all that follows; 0 in the null world."""
    packs_per_day: float
    alcohol_days_per_week: float
    sedentary_hours: float
    work_moderate: float
    work_heavy: float
    work_heavy_per_decade: float
    exercise_moderate: float
    exercise_vigorous: float
    bmi_per_unit: float


@dataclass(frozen=True, eq=False)
class Part:
    """How common a condition is in one region of the spine, and how it is graded."""

    any: tuple[float, ...]
    """Per cent of people with it at one level at least, at each of :attr:`Imaging.ages_years`."""
    profile: str = ""
    cuts: tuple[float, ...] = ()
    """Where mild ends, moderate ends, … in standard deviations above being there at all."""
    gap_weight: float = 1.0
    """How many years of the curve a year of gap is worth."""
    gap_slope: float = 0.0
    """What a year of gap adds beside, in standard deviations."""
    men_years: float = 0.0
    """How many years men's curve is ahead of women's."""


@dataclass(frozen=True, eq=False)
class Imaging:
    """What the images hold."""

    ages_years: tuple[float, ...]
    gap_effect: float
    """Multiplies every gap_weight; 0 in the null world."""
    person_share: float
    """Share of a level's propensity that is the whole spine's."""
    region_share: float
    level_share: float
    """Share that all conditions of one level have in common."""
    extra_levels: dict[str, float]
    """Share of people who have T13, L6, L7."""
    healthy_disc_cut: float
    """Below it a disc that is not degenerated is Pfirrmann grade 1, above it grade 2."""
    profiles: dict[str, dict[str, float]]
    """Propensity of each level, in standard deviations."""
    cervical: dict[str, Part]
    thoracic: dict[str, Part]
    lumbar: dict[str, Part]
    whole: dict[str, Part]


@dataclass(frozen=True, eq=False)
class Told:
    """How often a finding that is there is told, by its severity."""

    told: tuple[float, ...]
    per_decade: float = 0.0
    """How much likelier (probit) in a person ten years older than 50."""


@dataclass(frozen=True, eq=False)
class Reading:
    """What readers tell of what the images hold."""

    error_rate: float
    habit_share: float
    """Share of the wish to tell that is the reader's for the whole scan."""
    condition_share: float
    """Share that is for one condition in one region: told of all levels or of none."""
    hushed: tuple[str, ...]
    """Conditions that are mostly left out where something more pertinent is told of the region."""
    pertinent: tuple[str, ...]
    hush: float
    """How often they are left out then."""
    lone_left_out: float
    """How often a mild finding at one level only is left out, of the conditions of :attr:`lone`."""
    lone: dict[str, tuple[str, ...]]
    overcalled: float
    """How often a mild bulge at L4 or L5 is told where no lumbar disc bulges in the images."""
    false_calls: dict[str, float]
    """What a false call calls, by share."""
    cervical: dict[str, Told]
    thoracic: dict[str, Told]
    lumbar: dict[str, Told]
    whole: dict[str, Told]


@dataclass(frozen=True, eq=False)
class Predictions:
    """A model of a spine-age model."""

    shrinkage: float
    """Years a prediction rises with a year of true spine age."""
    centre_years: float
    error_sd_years: float
    scanner_sd_years: float


@dataclass(frozen=True, eq=False)
class Parameters:
    """All of it; one object is one world."""

    world: str
    who: Who
    lifestyle: Lifestyle
    gap: Gap
    imaging: Imaging
    reading: Reading
    predictions: Predictions
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The sections :data:`OTHERS` as they stand in the file."""
    document: Mapping[str, Any] = field(default_factory=dict)
    """Everything as plain data, worlds' changes made; for phantom.json."""


def document() -> dict[str, Any]:
    """The parameter file as plain data, with its worlds."""
    return tomllib.loads((files("spineclock.phantom") / "parameters.toml").read_text(encoding="utf-8"))


def worlds() -> tuple[str, ...]:
    """The names of the worlds there are.

    >>> {"default", "null", "shifted"} <= set(worlds())
    True
    """
    return ("default", *document()["worlds"])


def parts(world: str) -> tuple[str, ...]:
    """The worlds that one is put together of, each changing what the ones before it made.

    >>> parts("shifted+osteoporosis")
    ('shifted', 'osteoporosis')
    """
    return tuple(world.split("+"))


@cache
def load(world: str = "default") -> Parameters:
    """The parameters of one world, or of several put together with a + between.

    >>> load("null").imaging.gap_effect, load("shifted+null").gap.effect
    (0.0, 0.0)

    Raises
    ------
    UsageError
        If there is no such world, or the file holds a key that means nothing.
    """
    raw = document()
    changes = {"default": {}, **raw.pop("worlds")}
    for part in parts(world):
        if part not in changes:
            raise UsageError(f"no phantom world is called {part!r}",
                             wanted=f"one of {', '.join(changes)}, or several with + between")  # fmt: skip
        raw = changed(raw, changes[part])
    return made(raw, world=world)


def made(raw: Mapping[str, Any], *, world: str) -> Parameters:
    """Parameters from plain data such as :func:`document` gives, ``worlds`` left out; errors as in :func:`load`."""
    own = {key: value for key, value in raw.items() if key not in OTHERS}
    kept = {key: value for key, value in raw.items() if key in OTHERS}
    return section(Parameters, {**own, "world": world, "others": kept, "document": dict(raw)}, where="parameters")


def changed(raw: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Plain data with some values replaced, however deep.

    >>> changed({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
    {'a': {'b': 1, 'c': 3}}
    """
    result = dict(raw)
    for key, value in changes.items():
        inner = result.get(key)
        result[key] = changed(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return result


def between(rng: np.random.Generator, ends: tuple[float, ...]) -> float:
    """A number between two ends, each as likely."""
    return float(rng.uniform(ends[0], ends[1]))


def section(cls: type[T], raw: Mapping[str, Any], *, where: str) -> T:
    """A dataclass of parameters from a table of the file.

    Examples
    --------
    >>> section(Share, {"count": 3, "men": 1}, where="smokes").men
    1.0

    Raises
    ------
    UsageError
        If a key is unknown or missing, or a value of another kind, naming its place.
    """
    hints = get_type_hints(cls)
    known = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if unknown := sorted(set(raw) - set(known)):
        raise UsageError(f"the unknown key {where}.{unknown[0]}", wanted=f"one of {', '.join(known)}")
    needed = {
        n for n, f in known.items() if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    if missing := sorted(needed - set(raw)):
        raise UsageError(f"no value for {where}.{missing[0]}", wanted="a value in the parameter file")
    return cls(**{name: _value(hints[name], value, f"{where}.{name}") for name, value in raw.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    """A value as its field's type wants it."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(inner[0], one, f"{where}[{k}]") for k, one in enumerate(value))
    if origin is dict and isinstance(value, Mapping):
        return {key: _value(inner[1], one, f"{where}.{key}") for key, one in value.items()}
    if origin is Mapping and isinstance(value, Mapping):
        return types.MappingProxyType(dict(value))
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        return section(kind, value, where=where)  # type: ignore[arg-type]
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    if kind in (int, str) and type(value) is kind:
        return value
    raise UsageError(f"{where} is {value!r}", wanted=getattr(kind, "__name__", str(kind)))


DEFAULT = load()
"""The parameters of the default world."""
