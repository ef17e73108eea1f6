"""Options that several commands share, and the settings they come to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from spineclock.run.config import Settings

    S = TypeVar("S", bound=Settings)

Cohort = Annotated[
    Path, typer.Argument(metavar="COHORT", help="A table of people and scans, or a folder with participants.tsv.")
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
LogFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Also write what happens, with times, to a file.")]
Threads = Annotated[int | None, typer.Option(min=1, metavar="N", help="Processor threads; all where not given.")]
EngineName = Annotated[
    str | None, typer.Option("--engine", metavar="auto|torch|openvino", help="What runs the networks.")
]
LowestVertebra = Annotated[
    str | None, typer.Option(metavar="LEVEL", help="The lowest whole vertebra in view, such as L4, where it is not L5.")
]

Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting; may be repeated.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings in a TOML file.")]
PrintConfig = Annotated[bool, typer.Option("--print-config", help="Show every setting and its origin, and leave.")]
Overwrite = Annotated[bool | None, typer.Option("--overwrite", help="Replace earlier results.")]
ResumeScans = Annotated[bool | None, typer.Option("--resume", help="Keep finished scans, do the others.")]


def settings(
    model: type[S],
    *,
    config: Path | None,
    assignments: Sequence[str] | None,
    flags: Mapping[str, object],
    print_config: bool,
    defaults: Mapping[str, object] | None = None,
) -> S:
    """The command's settings from file, ``--set`` and flags; ``print_config`` shows them and ends the command."""
    from spineclock.run.config import configure

    configuration = configure(model, file=config, assignments=assignments or (), flags=flags, defaults=defaults)
    if print_config:
        typer.echo(configuration.as_toml(), nl=False)
        raise typer.Exit
    return configuration.settings
