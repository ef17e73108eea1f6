"""``spineclock prepare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from spineclock.cli.options import Cohort, ConfigFile, Debug, LogFile, Overwrite, PrintConfig, Sets, settings
from spineclock.cli.program import app, example, plain_errors


@app.command(
    "prepare",
    epilog=example(
        "spineclock prepare cohort --out store --workers 8",
        "spineclock prepare people.csv --out store --resume --set verify=true",
        "spineclock prepare phantom --out small --set spacing_mm=8,5,4 --set shape=16,128,64",
        "spineclock prepare films.csv --recipe xray-age --out films --set canvas=256,128",
        "spineclock prepare people.csv --recipe mri-osteoporosis --out t1 --set sequence=T1w",
        "spineclock prepare people.csv --recipe ct-fracture --out ct --workers 8",
    ),
)
def _prepare(
    cohort: Cohort,
    out: Annotated[Path, typer.Option(metavar="STORE", help="Where the prepared scans go.")],
    recipe: Annotated[
        str, typer.Option(metavar="NAME", help="For whose network: mri-age, xray-age, mri-osteoporosis, ct-fracture.")
    ] = "mri-age",
    workers: Annotated[int | None, typer.Option(min=1, metavar="W", help="Scans prepared side by side (2).")] = None,
    resume: Annotated[bool | None, typer.Option("--resume", help="Keep what is there, add the others.")] = None,
    overwrite: Overwrite = None,
    config: ConfigFile = None,
    assignments: Sets = None,
    print_config: PrintConfig = False,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Outline each scan of a cohort, mask it, and put it on one grid: a store that training reads.

    Exit status: 0 all done, 1 some scans could not be prepared (see failures.csv), 2 the call was wrong, 130 stopped.
    """
    flags: dict[str, Any] = {"workers": workers, "resume": resume, "overwrite": overwrite}
    with plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.defaults import prepare_defaults
        from spineclock.run.settings import PrepareSettings

        told = settings(
            PrepareSettings, config=config, assignments=assignments, flags=flags, print_config=print_config,
            defaults=prepare_defaults(recipe),
        )  # fmt: skip
        from spineclock.run.prepare import prepare_cohort

        raise typer.Exit(prepare_cohort(cohort, told, out=out, recipe=recipe))
