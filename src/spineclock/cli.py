"""The command line: words in, words out. Whatever is heavy is imported inside the command that needs it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal

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


def _example(*lines: str) -> str:
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
LogFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Also write what happens, with times, to a file.")]
Threads = Annotated[int | None, typer.Option(min=1, metavar="N", help="Processor threads; all where not given.")]
EngineName = Annotated[
    str | None, typer.Option("--engine", metavar="auto|torch|openvino", help="What runs the networks.")
]
LowestVertebra = Annotated[
    str | None, typer.Option(metavar="LEVEL", help="The lowest whole vertebra in view, such as L4, where it is not L5.")
]


@contextmanager
def _plain_errors(*, debug: bool, log_file: Path | None = None) -> Iterator[None]:
    """Turns what a user can act on into one line and an exit status, and keeps the log."""
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
            typer.echo("stopped; what is finished is kept, and `--resume` takes up from here", err=True)
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


@app.command(
    "predict",
    epilog=_example(
        "spineclock predict scan.nii.gz --age 57 --sex F --out results",
        "spineclock predict studies/ --cohort people.csv --out results --resume",
        "spineclock predict export.zip --set interval_coverage=0.8 --print-config",
    ),
)
def _predict(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="INPUT", help="NIfTI, MetaImage or DICOM: files, folders, or a .zip.", show_default=False
        ),
    ] = None,
    recipe: Annotated[str | None, typer.Option(metavar="NAME", help="Which question is asked (mri-age).")] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME|RUN", help="Packaged weights, or a run's folder.")] = None,
    age: Annotated[float | None, typer.Option(metavar="YEARS", help="The person's age at the scan.")] = None,
    sex: Annotated[str | None, typer.Option(metavar="F|M", help="The person's sex.")] = None,
    cohort: Annotated[Path | None, typer.Option(metavar="TABLE", help="Ages and sexes of many people.")] = None,
    mask: Annotated[Path | None, typer.Option(metavar="FILE", help="A label map made elsewhere.")] = None,
    mask_scheme: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Its numbering: spider, totalspineseg, spineps, totalsegmentator."),
    ] = None,
    lowest_vertebra: LowestVertebra = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where results go.")] = Path("spineclock-out"),
    resume: Annotated[bool | None, typer.Option("--resume", help="Keep finished scans, do the others.")] = None,
    overwrite: Annotated[bool | None, typer.Option("--overwrite", help="Replace earlier results.")] = None,
    threads: Threads = None,
    device: Annotated[str | None, typer.Option(metavar="cpu|cuda", help="Where the networks run.")] = None,
    engine: EngineName = None,
    config: Annotated[Path | None, typer.Option(metavar="FILE", help="Settings in a TOML file.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting; may be repeated.")
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Show every setting and its origin, and leave.")
    ] = False,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Age each scan: prediction.json, measurements, pictures, and one report for all.

    Exit status: 0 all done, 1 some inputs failed or were refused (see failures.csv), 2 the call was wrong.
    """
    flags: dict[str, Any] = {
        "recipe": recipe, "model": model, "age_years": age, "sex": sex, "cohort": cohort, "mask": mask,
        "mask_scheme": mask_scheme, "lowest_vertebra": lowest_vertebra, "resume": resume, "overwrite": overwrite,
        "threads": threads, "device": device, "engine": engine,
    }  # fmt: skip
    with _plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.config import PredictSettings, configure

        configuration = configure(PredictSettings, file=config, assignments=assignments or (), flags=flags)
        if print_config:
            typer.echo(configuration.as_toml(), nl=False)
            return
        if not inputs:
            raise UsageError(
                "no input is given", wanted="a scan, a folder or a .zip", remedy="spineclock predict scan.nii.gz"
            )
        from spineclock.run.predict import predict_all

        raise typer.Exit(predict_all(inputs, configuration.settings, out=out))


@app.command("segment", epilog=_example("spineclock segment scan.nii.gz --out mask.nii.gz --scheme spider"))
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
    with _plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.segment import segment_file

        segment_file(input_, out, scheme=scheme, lowest_vertebra=lowest_vertebra, threads=threads, engine=engine)


Sets = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting; may be repeated.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Settings in a TOML file.")]
PrintConfig = Annotated[bool, typer.Option("--print-config", help="Show every setting and its origin, and leave.")]
Overwrite = Annotated[bool | None, typer.Option("--overwrite", help="Replace earlier results.")]


@app.command(
    "normals",
    epilog=_example(
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
    with _plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.config import NormalsSettings, configure

        configuration = configure(NormalsSettings, file=config, assignments=assignments or (), flags=flags)
        if print_config:
            typer.echo(configuration.as_toml(), nl=False)
            return
        from spineclock.run.normals import normals

        raise typer.Exit(normals(findings, configuration.settings, cohort=cohort, out=out))


@app.command(
    "study",
    epilog=_example(
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
    with _plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.config import StudySettings, configure

        configuration = configure(StudySettings, file=config, assignments=assignments or (), flags=flags)
        if print_config:
            typer.echo(configuration.as_toml(), nl=False)
            return
        from spineclock.run.study.command import study

        raise typer.Exit(study(predictions, configuration.settings, cohort=cohort, out=out))


@app.command(
    "findings",
    epilog=_example(
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
    with _plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.findings import findings_to_file

        raise typer.Exit(findings_to_file(source, out, evidence=evidence, kind=kind))


phantom_app = typer.Typer(
    help="Simulated people with everything about them known, to try methods on. No real person is described.",
    epilog=_example("spineclock phantom people --n 2000 --seed 1 --out phantom"),
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(phantom_app, name="phantom")


@phantom_app.command(
    "people",
    epilog=_example(
        "spineclock phantom people --n 2000 --seed 1 --out phantom",
        "spineclock phantom people --n 17394 --seed 2 --world null --out null",
    ),
)
def _phantom_people(
    n: Annotated[int, typer.Option("--n", min=1, metavar="N", help="How many people.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the tables go.")],
    seed: Annotated[int, typer.Option(min=0, metavar="S", help="Another seed, other people.")] = 0,
    world: Annotated[
        str, typer.Option(metavar="NAME", help="default, null (nothing has an effect), shifted, …")
    ] = "default",
    truths: Annotated[bool, typer.Option("--truths", help="Also what studies of a million such people find.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier phantom.")] = False,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Make up people: ages, lives, true spine ages, findings in images and reports, prose, predictions, outcomes.

    All is simulated, and the same for the same seed, however many people.
    """
    with _plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.phantom_people import make_people

        raise typer.Exit(make_people(n, seed=seed, out=out, world=world, truths=truths, overwrite=overwrite))


@phantom_app.command(
    "mri",
    epilog=_example(
        "spineclock phantom mri --n 20 --seed 1 --out cohort",
        "spineclock phantom mri --n 2000 --out cohort --weighting T2w,T1w --workers 16 --resume",
        "spineclock phantom mri --n 500 --out grids --grid 16x128x64",
        "spineclock phantom mri --n 3 --out dicom --format dicom --coverage stations",
        "spineclock phantom mri --people phantom --out cohort --coverage lumbar",
    ),
)
def _phantom_mri(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where tables and scans go.")],
    n: Annotated[int | None, typer.Option("--n", min=1, metavar="N", help="How many people.")] = None,
    people: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="The people of `phantom people`, in place of --n, --seed, --world."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, metavar="S", help="Another seed, other people.")] = None,
    world: Annotated[
        str | None, typer.Option(metavar="NAME", help="default, ageing_off (images know no age), null, shifted, …")
    ] = None,
    kind: Annotated[str | None, typer.Option("--format", metavar="nifti|dicom", help="NIfTI where not given.")] = None,
    coverage: Annotated[
        str | None,
        typer.Option(
            metavar="whole|stations|lumbar", help="The whole spine, in one piece or three, or its lower part."
        ),
    ] = None,
    weighting: Annotated[
        str | None, typer.Option(metavar="T2w|T1w|T2w,T1w", help="One series of each weighting; T2w where not given.")
    ] = None,
    slices: Annotated[
        str | None, typer.Option(metavar="thick|space", help="2-D slices some mm apart, or a 3-D slab.")
    ] = None,
    grid: Annotated[
        str | None, typer.Option(metavar="16x128x64", help="Write a training grid: slices, rows, columns.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, metavar="W", help="Scans made side by side (2).")] = None,
    resume: Annotated[bool | None, typer.Option("--resume", help="Keep finished scans, do the others.")] = None,
    overwrite: Annotated[bool | None, typer.Option("--overwrite", help="Replace an earlier phantom.")] = None,
    config: ConfigFile = None,
    assignments: Sets = None,
    print_config: PrintConfig = False,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Make up people as `phantom people` does, and their MRI scans with true label maps: a cohort folder.

    All is simulated, and the same for the same seed. Exit status: 0 all done, 1 some scans could not be made (see
    failures.csv), 2 the call was wrong, 130 stopped by Ctrl-C (go on with --resume).
    """
    flags: dict[str, Any] = {
        "seed": seed, "world": world, "format": kind, "coverage": coverage, "weighting": weighting, "slices": slices,
        "grid": grid, "workers": workers, "resume": resume, "overwrite": overwrite,
    }  # fmt: skip
    with _plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.config import PhantomMriSettings, configure

        configuration = configure(PhantomMriSettings, file=config, assignments=assignments or (), flags=flags)
        if print_config:
            typer.echo(configuration.as_toml(), nl=False)
            return
        if (n is None) == (people is None):
            found = "neither a number of people nor a folder of them is given" if n is None else "both --n and --people"
            raise UsageError(found, wanted="one of the two", remedy="spineclock phantom mri --n 20 --out cohort")
        if people is not None and (seed is not None or world is not None):
            raise UsageError(
                "--people and a seed or world of its own",
                wanted="one of the two",
                remedy="leave --seed and --world out",
            )
        from spineclock.run import phantom_mri

        if people is not None:
            raise typer.Exit(phantom_mri.make_scans_of(people, configuration.settings, out=out))
        assert n is not None
        raise typer.Exit(phantom_mri.make_scans(n, configuration.settings, out=out))


@app.command("demo", epilog=_example("spineclock demo --out demo"))
def _demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the demonstration goes.")] = Path("demo"),
    debug: Debug = False,
) -> None:
    """Make an artificial lumbar scan, age it, and say where the report lies."""
    with _plain_errors(debug=debug):
        from spineclock.run.demo import demo

        raise typer.Exit(demo(out))


@app.command("selftest", epilog=_example("spineclock selftest"))
def _selftest(debug: Debug = False) -> None:
    """Check this installation against outputs recorded with it."""
    with _plain_errors(debug=debug):
        from spineclock.run.selftest import selftest

        raise typer.Exit(selftest())


def _one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    typer.echo(f"error: {kind.__name__}: {error}; remedy: run again with --debug and report what it shows.", err=True)


def main() -> None:
    """Runs the command line; no traceback reaches a user without ``--debug``."""
    sys.excepthook = _one_line
    # the command itself, not `app()`, which would put its own traceback in place of ours
    typer.main.get_command(app)(prog_name="spineclock")
