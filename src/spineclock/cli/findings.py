"""``spineclock findings``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spineclock.cli.options import Debug, LogFile
from spineclock.cli.program import app, example, plain_errors


@app.command(
    "findings",
    epilog=example(
        "spineclock findings reports.csv --out findings.csv --evidence evidence.csv",
        "spineclock findings radiological_gradings.csv --format spider --out findings.csv",
    ),
)
def _findings(
    source: Annotated[
        Path,
        typer.Argument(metavar="REPORTS", help="A table (scan_id, report), or a folder of .txt; or a graded table."),
    ],
    out: Annotated[Path, typer.Option(metavar="FILE.csv", help="The findings: scan_id, condition, level, severity.")],
    evidence: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="The sentence each finding was read from.")
    ] = None,
    kind: Annotated[
        str, typer.Option("--format", metavar="auto|reports|long|wide|spider|rsna2024", help="What the input is.")
    ] = "auto",
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Read findings from English free-text reports by rules, or from tables of other schemes."""
    with plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.findings import findings_to_file

        raise typer.Exit(findings_to_file(source, out, evidence=evidence, kind=kind))
