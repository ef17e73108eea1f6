"""``spineclock train``, ``evaluate``, ``recalibrate``, ``fuse`` and ``ablate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from spineclock.cli.options import Cohort, ConfigFile, Debug, LogFile, Overwrite, PrintConfig, Sets, Threads, settings
from spineclock.cli.program import app, example, plain_errors

Resume = Annotated[bool | None, typer.Option("--resume", help="Go on where it was stopped.")]
Store = Annotated[
    Path | None, typer.Option(metavar="STORE", help="Scans that `spineclock prepare` prepared; made where not given.")
]
Device = Annotated[
    str | None, typer.Option(metavar="auto|cpu|cuda", help="Where the network runs; auto takes a GPU if there is one.")
]


@app.command(
    "train",
    epilog=example(
        "spineclock train mri-age people.csv --store store --out run",
        "spineclock train mri-age people.csv --store store --out run --resume",
        "spineclock train mri-age people.csv --store store --out small --set train_scans=850 --set loss=smooth_l1",
        "spineclock train xray-age films.csv --store films --out run",
        "spineclock train mri-osteoporosis people.csv --store t1 --out run",
        "spineclock train ct-fracture people.csv --store ct --out run --set inputs=bone --set survival_head=cox",
        "spineclock train mri-age people.csv --out run --print-config",
    ),
)
def _train(
    recipe: Annotated[
        str,
        typer.Argument(metavar="RECIPE", help="What is learned: mri-age, xray-age, mri-osteoporosis or ct-fracture."),
    ],
    cohort: Cohort,
    out: Annotated[Path, typer.Option(metavar="RUN", help="Where the run's folder is made.")],
    store: Store = None,
    resume: Resume = None,
    overwrite: Overwrite = None,
    threads: Threads = None,
    device: Device = None,
    devices: Annotated[int | None, typer.Option(min=1, metavar="N", help="How many share the work (1).")] = None,
    config: ConfigFile = None,
    assignments: Sets = None,
    print_config: PrintConfig = False,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Train a recipe's network on your own cohort: weights, model card, errors by age and sex, predictions.

    Ctrl-C or SIGTERM ends it after the step it is at; --resume goes on and comes to the same weights.
    """
    flags: dict[str, Any] = {
        "store": store, "resume": resume, "overwrite": overwrite, "threads": threads, "device": device,
        "devices": devices,
    }  # fmt: skip
    with plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.defaults import train_defaults
        from spineclock.run.training.settings import TrainSettings

        told = settings(
            TrainSettings, config=config, assignments=assignments, flags=flags, print_config=print_config,
            defaults=train_defaults(recipe),
        )  # fmt: skip
        from spineclock.run.training.command import train

        raise typer.Exit(train(recipe, cohort, told, out=out))


@app.command("evaluate", epilog=example("spineclock evaluate run other_cohort --out evaluation"))
def _evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder that `spineclock train` made.")],
    cohort: Cohort,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the evaluation goes.")],
    store: Store = None,
    overwrite: Overwrite = None,
    threads: Threads = None,
    device: Device = None,
    config: ConfigFile = None,
    assignments: Sets = None,
    print_config: PrintConfig = False,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Read another cohort by a trained network and say how far off it is; people it has seen are left out."""
    flags: dict[str, Any] = {"store": store, "overwrite": overwrite, "threads": threads, "device": device}
    with plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.training.settings import EvaluateSettings

        told = settings(
            EvaluateSettings, config=config, assignments=assignments, flags=flags, print_config=print_config
        )
        from spineclock.run.training.evaluation import evaluate

        raise typer.Exit(evaluate(run, cohort, told, out=out))


@app.command(
    "recalibrate",
    epilog=example(
        "spineclock recalibrate run other_scanner",
        "spineclock recalibrate run vfa_people.csv --store vfa",
    ),
)
def _recalibrate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder that `spineclock train` made.")],
    cohort: Cohort,
    store: Store = None,
    threads: Threads = None,
    device: Device = None,
    config: ConfigFile = None,
    assignments: Sets = None,
    print_config: PrintConfig = False,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Set a trained network's bias correction and interval anew by other people, for each kind of film by itself.

    Its weights stay as they are; `evaluate` leaves these people out from then on.
    """
    flags: dict[str, Any] = {"store": store, "threads": threads, "device": device}
    with plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.training.settings import EvaluateSettings

        told = settings(
            EvaluateSettings, config=config, assignments=assignments, flags=flags, print_config=print_config
        )
        from spineclock.run.training.recalibration import recalibrate

        raise typer.Exit(recalibrate(run, cohort, told))


@app.command("fuse", epilog=example("spineclock fuse both/T1w both/T2w --out both"))
def _fuse(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, such as of T1.")],
    second: Annotated[
        Path, typer.Argument(metavar="RUN", help="That of a run with the same people in the same sets, such as of T2.")
    ],
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where it goes; the folder of the runs T1w and T2w, to predict by both.")
    ],
    overwrite: Overwrite = None,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Join two networks of one disease that read different weightings, by people who validated both.

    A folder that holds both runs, as T1w and T2w, and what this leaves is then a model: `predict --model DIR` answers
    each scan by itself, and an examination that has both by both together.
    """
    with plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.training.fusion import fuse

        raise typer.Exit(fuse(first, second, out=out, overwrite=bool(overwrite)))


@app.command(
    "ablate",
    epilog=example(
        "spineclock ablate people.csv --store store --out ablations",
        "spineclock ablate people.csv --store store --out ablations --only proposed,scans_850,lumbar",
    ),
)
def _ablate(
    cohort: Cohort,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the runs and their table go.")],
    only: Annotated[str | None, typer.Option(metavar="NAME,…", help="Some of them; all where not given.")] = None,
    store: Store = None,
    overwrite: Annotated[
        bool | None,
        typer.Option("--overwrite", help="First remove the earlier runs of these; leave it out to go on when stopped."),
    ] = None,
    threads: Threads = None,
    device: Device = None,
    config: ConfigFile = None,
    assignments: Sets = None,
    print_config: PrintConfig = False,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Train the paper's ablations and more, one after another, and set them beside the paper's Table 3.

    Finished ones are kept and a stopped one is gone on with: call it again as before, but without --overwrite, which
    removes the earlier runs once, at the start. docs/training.md lists them.
    """
    flags: dict[str, Any] = {"store": store, "overwrite": overwrite, "threads": threads, "device": device}
    goes_on = "the same call, without --overwrite, takes up from here"
    with plain_errors(debug=debug, log_file=log_file, goes_on=goes_on):
        from spineclock.run.training.settings import TrainSettings

        told = settings(TrainSettings, config=config, assignments=assignments, flags=flags, print_config=print_config)
        from spineclock.run.ablation.command import ablate

        raise typer.Exit(ablate(cohort, told, out=out, only=only))
