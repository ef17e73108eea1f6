"""``spineclock demo`` and ``selftest``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spineclock.cli.options import Debug
from spineclock.cli.program import app, example, plain_errors


@app.command("demo", epilog=example("spineclock demo --out demo"))
def _demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the demonstration goes.")] = Path("demo"),
    debug: Debug = False,
) -> None:
    """Make an artificial lumbar scan, age it, and say where the report lies."""
    with plain_errors(debug=debug):
        from spineclock.run.demo import demo

        raise typer.Exit(demo(out))


@app.command("selftest", epilog=example("spineclock selftest"))
def _selftest(debug: Debug = False) -> None:
    """Check this installation against outputs recorded with it."""
    with plain_errors(debug=debug):
        from spineclock.run.selftest import selftest

        raise typer.Exit(selftest())
