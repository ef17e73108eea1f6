"""The program, its exit statuses, and how errors become words and a status."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from spineclock.core.errors import SpineclockError, UsageError

DONE, SOME_FAILED, WRONG_CALL, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses others script against."""

app = typer.Typer(
    name="spineclock",
    help="A spine age from a scan, with its interval and a verdict on whether the scan could be read.\n\n"
    "For research. Not a medical device.",
    epilog="\b\nExample:\n  spineclock predict scan.nii.gz --age 57 --sex F --out results",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: rich alone takes a quarter of the time help may take
)


def example(*lines: str) -> str:
    """What stands under a command's options: calls as a user would type them."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


@contextmanager
def plain_errors(
    *, debug: bool, log_file: Path | None = None, goes_on: str = "`--resume` takes up from here"
) -> Iterator[None]:
    """Turns what a user can act on into one line and an exit status, and keeps the log.

    ``goes_on`` says how a command that was stopped is gone on with.
    """
    if debug:
        sys.excepthook = sys.__excepthook__
    with _logged(log_file, debug=debug):
        try:
            yield
        except SpineclockError as error:
            if debug:
                raise
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(WRONG_CALL if isinstance(error, UsageError) else SOME_FAILED) from error
        except OSError as error:  # a full disk, a share that went away
            if debug:
                raise
            where = f"{error.filename} " if error.filename else ""
            typer.echo(
                f"error: {where}cannot be read or written ({error.strerror or error}); what is finished is kept.",
                err=True,
            )
            raise typer.Exit(SOME_FAILED) from error
        except KeyboardInterrupt:
            typer.echo(f"stopped; what is finished is kept, and {goes_on}", err=True)
            raise typer.Exit(INTERRUPTED) from None


@contextmanager
def _logged(log_file: Path | None, *, debug: bool) -> Iterator[None]:
    """Sends the program's own log, warnings and the error that ends the command to the file."""
    if log_file is None:
        yield
        return
    import logging

    try:
        handler = logging.FileHandler(log_file, encoding="utf-8")
    except OSError as error:
        typer.echo(f"error: the log {log_file} cannot be written ({error.strerror}).", err=True)
        raise typer.Exit(WRONG_CALL) from error
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    loggers = logging.getLogger("spineclock"), logging.getLogger("py.warnings")
    logging.captureWarnings(True)
    for logger in loggers:
        logger.setLevel(logging.DEBUG if debug else logging.INFO)
        logger.addHandler(handler)
    loggers[0].info("spineclock %s", " ".join(sys.argv[1:]))
    try:
        yield
    except typer.Exit as end:
        if end.__cause__ is not None:
            loggers[0].error("%s", end.__cause__, exc_info=end.__cause__)
        raise
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        logging.captureWarnings(False)
        handler.close()


def _version(wanted: bool) -> None:
    if wanted:
        import spineclock

        typer.echo(f"spineclock {spineclock.__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    pass
