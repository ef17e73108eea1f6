"""The command line: words in, words out. Whatever is heavy is imported inside the command that needs it."""

from __future__ import annotations

import sys
from types import TracebackType

import typer

from spineclock.cli.program import DONE, INTERRUPTED, SOME_FAILED, WRONG_CALL, app

# in the order in which `--help` lists them
from spineclock.cli import (  # isort: skip
    predict, segment, prepare, train, normals, study, findings, phantom, checks,  # noqa: F401  # each adds its commands
)  # fmt: skip

__all__ = ["DONE", "INTERRUPTED", "SOME_FAILED", "WRONG_CALL", "app", "main"]


def _one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    typer.echo(f"error: {kind.__name__}: {error}; remedy: run again with --debug and report what it shows.", err=True)


def main() -> None:
    """Runs the command line; no traceback reaches a user without ``--debug``."""
    sys.excepthook = _one_line
    # the command itself, not `app()`, which would put its own traceback in place of ours
    typer.main.get_command(app)(prog_name="spineclock")
