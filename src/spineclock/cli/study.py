"""``spineclock study``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from spineclock.cli.options import ConfigFile, Debug, LogFile, Overwrite, PrintConfig, Sets, settings
from spineclock.cli.program import app, example, plain_errors


@app.command(
    "study",
    epilog=example(
        "spineclock study results --cohort people.csv --findings findings.csv --out study",
        "spineclock study phantom/predictions.csv --cohort phantom --out study --set resamples=0",
    ),
)
def _study(
    predictions: Annotated[Path, typer.Argument(metavar="RUN|PREDICTIONS", help="predictions.csv, or its folder.")],
    cohort: Annotated[Path, typer.Option(metavar="COHORT", help="The people's table, a row a scan, or its folder.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the page, tables and figures go.")],
    findings: Annotated[Path | None, typer.Option(metavar="FILE", help="Report findings.")] = None,
    normals: Annotated[Path | None, typer.Option(metavar="FILE", help="normals.csv of `spineclock normals`.")] = None,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose predictions, where there are several.")
    ] = None,
    review: Annotated[Path | None, typer.Option(metavar="FILE", help="A filled-in tables/review.csv.")] = None,
    overwrite: Overwrite = None,
    config: ConfigFile = None,
    assignments: Sets = None,
    print_config: PrintConfig = False,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Make the paper's tables and figures from predicted ages and a table of people, beside the paper's own numbers."""
    flags: dict[str, Any] = {
        "findings": findings, "normals": normals, "model": model, "review": review, "overwrite": overwrite,
    }  # fmt: skip
    with plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.settings import StudySettings

        told = settings(StudySettings, config=config, assignments=assignments, flags=flags, print_config=print_config)
        from spineclock.run.study.command import study

        raise typer.Exit(study(predictions, told, cohort=cohort, out=out))
