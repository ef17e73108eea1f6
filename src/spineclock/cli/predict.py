"""``spineclock predict``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from spineclock.cli.options import (
    ConfigFile,
    Debug,
    EngineName,
    LogFile,
    LowestVertebra,
    Overwrite,
    PrintConfig,
    ResumeScans,
    Sets,
    Threads,
    settings,
)
from spineclock.cli.program import app, example, plain_errors
from spineclock.core.errors import UsageError


@app.command(
    "predict",
    epilog=example(
        "spineclock predict scan.nii.gz --age 57 --sex F --out results",
        "spineclock predict film.dcm --recipe xray-age --age 67 --sex F --out results",
        "spineclock predict sub-1_T1w.nii.gz --recipe mri-osteoporosis --model run --out results",
        "spineclock predict ct.nii.gz --recipe ct-fracture --mask map.nii.gz --mask-scheme verse --out results",
        "spineclock predict studies/ --cohort people.csv --out results --resume",
        "spineclock predict export.zip --set interval_coverage=0.8 --print-config",
    ),
)
def _predict(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="INPUT",
            help="NIfTI, MetaImage, DICOM; of films and single slices also PNG, JPEG, TIFF: files, folders, or a .zip.",
            show_default=False,
        ),
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(metavar="NAME", help="mri-age, xray-age for films, mri-osteoporosis, or ct-fracture.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME|RUN", help="Packaged weights, or a run's folder.")] = None,
    age: Annotated[float | None, typer.Option(metavar="YEARS", help="The person's age at the scan.")] = None,
    sex: Annotated[str | None, typer.Option(metavar="F|M", help="The person's sex.")] = None,
    cohort: Annotated[Path | None, typer.Option(metavar="TABLE", help="Ages and sexes of many people.")] = None,
    mask: Annotated[Path | None, typer.Option(metavar="FILE", help="A label map made elsewhere.")] = None,
    mask_scheme: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Its numbering: spider, totalspineseg, spineps, verse, totalsegmentator."),
    ] = None,
    lowest_vertebra: LowestVertebra = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where results go.")] = Path("spineclock-out"),
    resume: ResumeScans = None,
    overwrite: Overwrite = None,
    threads: Threads = None,
    device: Annotated[str | None, typer.Option(metavar="cpu|cuda", help="Where the networks run.")] = None,
    engine: EngineName = None,
    config: ConfigFile = None,
    assignments: Sets = None,
    print_config: PrintConfig = False,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Read each scan: prediction.json, measurements, pictures, and one report for all.

    Exit status: 0 all done, 1 some inputs failed or were refused (see failures.csv), 2 the call was wrong.
    """
    flags: dict[str, Any] = {
        "recipe": recipe, "model": model, "age_years": age, "sex": sex, "cohort": cohort, "mask": mask,
        "mask_scheme": mask_scheme, "lowest_vertebra": lowest_vertebra, "resume": resume, "overwrite": overwrite,
        "threads": threads, "device": device, "engine": engine,
    }  # fmt: skip
    with plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.settings import PredictSettings

        told = settings(PredictSettings, config=config, assignments=assignments, flags=flags, print_config=print_config)
        if not inputs:
            raise UsageError(
                "no input is given", wanted="a scan, a folder or a .zip", remedy="spineclock predict scan.nii.gz"
            )
        from spineclock.run.predict import predict_all

        raise typer.Exit(predict_all(inputs, told, out=out))
