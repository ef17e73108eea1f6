"""``spineclock normals``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from spineclock.cli.options import ConfigFile, Debug, LogFile, Overwrite, PrintConfig, Sets, settings
from spineclock.cli.program import app, example, plain_errors


@app.command(
    "normals",
    epilog=example(
        "spineclock normals findings.csv --cohort people.csv --out normals --seeds 20 --direct",
        "spineclock normals new.csv --cohort new_people.csv --fitted normals/normals.json --out new",
    ),
)
def _normals(
    findings: Annotated[Path, typer.Argument(metavar="FINDINGS", help="Report findings, a row each or a row a scan.")],
    cohort: Annotated[Path, typer.Option(metavar="TABLE", help="Ages of the scans, by scan_id.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where results go.")],
    seeds: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Repeat under N seeds, to show stability.")
    ] = None,
    min_cluster_share: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Smallest cluster, as a share of the age bracket.")
    ] = None,
    direct: Annotated[bool | None, typer.Option("--direct", help="Also cluster without UMAP, to compare.")] = None,
    fitted: Annotated[Path | None, typer.Option(metavar="FILE", help="Label by an earlier normals.json.")] = None,
    overwrite: Overwrite = None,
    config: ConfigFile = None,
    assignments: Sets = None,
    print_config: PrintConfig = False,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Find which findings are typical at which age, by clusters of reports (UMAP, HDBSCAN); label each scan."""
    flags: dict[str, Any] = {
        "seeds": seeds, "min_cluster_share": min_cluster_share, "direct": direct, "fitted": fitted,
        "overwrite": overwrite,
    }  # fmt: skip
    with plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.settings import NormalsSettings

        told = settings(NormalsSettings, config=config, assignments=assignments, flags=flags, print_config=print_config)
        from spineclock.run.normals import normals

        raise typer.Exit(normals(findings, told, cohort=cohort, out=out))
