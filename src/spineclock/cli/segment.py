"""``spineclock segment``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from spineclock.cli.options import Debug, LogFile, LowestVertebra, Threads
from spineclock.cli.program import app, example, plain_errors


@app.command("segment", epilog=example("spineclock segment scan.nii.gz --out mask.nii.gz --scheme spider"))
def _segment(
    input_: Annotated[Path, typer.Argument(metavar="INPUT", help="One scan: a file, a DICOM folder, or a .zip.")],
    out: Annotated[Path, typer.Option(metavar="MASK.nii.gz", help="The label map, in the scan's own space.")],
    scheme: Annotated[
        str, typer.Option(metavar="spineclock|spider|totalspineseg", help="The numbering of the labels.")
    ] = "spineclock",
    lowest_vertebra: LowestVertebra = None,
    threads: Threads = None,
    engine: Annotated[
        Literal["auto", "torch", "openvino"],
        typer.Option(metavar="auto|torch|openvino", help="What runs the network."),
    ] = "auto",
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Outline discs, vertebrae and canal, each with its level's number."""
    with plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.segment import segment_file

        segment_file(input_, out, scheme=scheme, lowest_vertebra=lowest_vertebra, threads=threads, engine=engine)
