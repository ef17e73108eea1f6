"""Settings of a run, and where each came from: defaults < the recipe's < file < ``--set`` < a flag of its own.

Settings are flat: one name, one value. The file is TOML; ``--print-config`` writes the same form, so
that what one run used can be handed to the next.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from spineclock.core.errors import UsageError


class Settings(BaseModel):
    """Settings of one command: flat, frozen, and no name that is not declared."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())


S = TypeVar("S", bound=Settings)


def one_of_resume_and_overwrite(resume: bool, overwrite: bool, *, remedy: str) -> None:
    """Refuses settings that ask to keep what is there and to replace it.

    Raises
    ------
    UsageError
        If so.
    """
    if resume and overwrite:
        raise UsageError("both resume and overwrite are set", wanted="one of the two", remedy=remedy)


@dataclass(frozen=True)
class Configuration(Generic[S]):
    """Settings and, by name, where each value came from."""

    settings: S
    origins: Mapping[str, str]

    def as_toml(self) -> str:
        """The settings as TOML, each line with its origin; what is not set is commented out."""
        lines = []
        for name in type(self.settings).model_fields:
            value = getattr(self.settings, name)
            line = f"# {name} is not set" if value is None else f"{name} = {_toml(value)}"
            lines.append(f"{line}  # {self.origins[name]}")
        return "\n".join(lines) + "\n"


def configure(
    model: type[S],
    *,
    file: Path | None = None,
    assignments: Sequence[str] = (),
    flags: Mapping[str, object] | None = None,
    defaults: Mapping[str, object] | None = None,
) -> Configuration[S]:
    """The settings after each source has had its say, and which source gave each value.

    Parameters
    ----------
    model : type of settings
    file : TOML file, optional
    assignments : sequence of ``key=value``; nothing after the sign unsets the key
    flags : values given by flags of their own; None means not given
    defaults : values that a recipe has in place of the general defaults

    Raises
    ------
    UsageError
        If the file cannot be read, a name is unknown, or a value does not fit.

    Examples
    --------
    >>> from spineclock.run.settings import PredictSettings
    >>> c = configure(PredictSettings, assignments=["threads=2"], flags={"threads": 4, "model": None})
    >>> c.settings.threads, c.origins["threads"], c.origins["model"]
    (4, 'flag', 'default')
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    sources: list[tuple[str, Mapping[str, object]]] = [
        ("recipe", defaults or {}),
        (f"file {file}", _read(file) if file else {}),
        ("--set", _assigned(assignments)),
        ("flag", given),
    ]
    values: dict[str, object] = {}
    origins = dict.fromkeys(model.model_fields, "default")
    for origin, source in sources:
        for name, value in source.items():
            _require_known(name, model, origin)
            values[name], origins[name] = value, origin
    try:
        return Configuration(model(**values), origins)
    except ValidationError as error:
        _refuse(error, model, origins)


def _refuse(error: ValidationError, model: type[BaseModel], origins: Mapping[str, str]) -> NoReturn:
    first = error.errors()[0]
    name = str(first["loc"][0])
    wanted = first["msg"].removeprefix("Input should be ").removeprefix("Value error, ").removeprefix("wanted ")
    if first["type"] == "string_pattern_mismatch":  # what the words say, not the expression that checks them
        wanted = model.model_fields[name].description or wanted
    raise UsageError(f"{name} is {first['input']!r} ({origins[name]})", wanted=wanted) from error


def _read(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read ({error.strerror})",
            wanted="a TOML file of settings",
            remedy="`--print-config` writes one",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{file} is not TOML ({error})",
            wanted='lines such as engine = "torch"',
            remedy="`--print-config` writes a file in the right form",
        ) from error


def _assigned(assignments: Sequence[str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for assignment in assignments:
        name, sign, value = assignment.partition("=")
        if not sign:
            raise UsageError(f"--set {assignment} has no = sign", wanted="--set key=value")
        values[name.strip()] = value.strip() or None
    return values


def _require_known(name: str, model: type[Settings], origin: str) -> None:
    if name in model.model_fields:
        return
    near = difflib.get_close_matches(name, model.model_fields, n=1, cutoff=0.5)
    raise UsageError(
        f"no setting is called {name!r} ({origin})",
        wanted=f"one of {', '.join(model.model_fields)}",
        remedy=f"did you mean {near[0]!r}?" if near else "",
    )


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    # JSON's strings are TOML's, but for a sign that JSON leaves as it is
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
