"""``spineclock phantom people``, ``phantom mri``, ``phantom radiograph`` and ``phantom ct``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from spineclock.cli.options import ConfigFile, Debug, LogFile, PrintConfig, ResumeScans, Sets, settings
from spineclock.cli.program import app, example, plain_errors
from spineclock.core.errors import UsageError

phantom_app = typer.Typer(
    help="Simulated people with everything about them known, to try methods on. No real person is described.",
    epilog=example("spineclock phantom people --n 2000 --seed 1 --out phantom"),
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(phantom_app, name="phantom")

Count = Annotated[int | None, typer.Option("--n", min=1, metavar="N", help="How many people.")]
PeopleFolder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="The people of `phantom people`, in place of --n, --seed, --world.")
]
Seed = Annotated[int | None, typer.Option(min=0, metavar="S", help="Another seed, other people.")]
Replace = Annotated[bool | None, typer.Option("--overwrite", help="Replace an earlier phantom.")]


@phantom_app.command(
    "people",
    epilog=example(
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
    with plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.phantom_people import make_people

        raise typer.Exit(make_people(n, seed=seed, out=out, world=world, truths=truths, overwrite=overwrite))


@phantom_app.command(
    "mri",
    epilog=example(
        "spineclock phantom mri --n 20 --seed 1 --out cohort",
        "spineclock phantom mri --n 2000 --out cohort --weighting T2w,T1w --workers 16 --resume",
        "spineclock phantom mri --n 500 --out grids --grid 16x128x64",
        "spineclock phantom mri --n 3 --out dicom --format dicom --coverage stations",
        "spineclock phantom mri --people phantom --out cohort --coverage lumbar",
    ),
)
def _phantom_mri(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where tables and scans go.")],
    n: Count = None,
    people: PeopleFolder = None,
    seed: Seed = None,
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
    resume: ResumeScans = None,
    overwrite: Replace = None,
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
    with plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.phantom_settings import PhantomMriSettings

        told = settings(
            PhantomMriSettings, config=config, assignments=assignments, flags=flags, print_config=print_config
        )
        _one_kind_of_people(n, people, seed=seed, world=world, command="spineclock phantom mri")
        from spineclock.run import phantom_mri

        if people is not None:
            raise typer.Exit(phantom_mri.make_scans_of(people, told, out=out))
        assert n is not None
        raise typer.Exit(phantom_mri.make_scans(n, told, out=out))


@phantom_app.command(
    "radiograph",
    epilog=example(
        "spineclock phantom radiograph --n 20 --seed 1 --out films",
        "spineclock phantom radiograph --n 20 --seed 1 --out vfa --modality vfa",
        "spineclock phantom radiograph --n 2000 --out grids --grid 256x128 --workers 16 --resume",
        "spineclock phantom radiograph --n 5 --out pictures --format png --world shifted",
    ),
)
def _phantom_radiograph(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where tables and films go.")],
    n: Count = None,
    people: PeopleFolder = None,
    seed: Seed = None,
    world: Annotated[
        str | None, typer.Option(metavar="NAME", help="default, ageing_off (films know no age), null, shifted, …")
    ] = None,
    modality: Annotated[
        str | None, typer.Option(metavar="radiograph|vfa", help="Radiographs, or a densitometer's lateral films.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--format", metavar="nifti|png|dicom", help="NIfTI where not given.")
    ] = None,
    grid: Annotated[
        str | None, typer.Option(metavar="256x128", help="Fit each film into a training grid: rows, columns.")
    ] = None,
    pixel: Annotated[
        float | None, typer.Option(metavar="MM", help="Pixels at the detector; about 0.6 mm where not given.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, metavar="W", help="Films made side by side (2).")] = None,
    resume: ResumeScans = None,
    overwrite: Replace = None,
    config: ConfigFile = None,
    assignments: Sets = None,
    print_config: PrintConfig = False,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Make up people as `phantom people` does, and their lateral films with true label maps: a cohort folder.

    All is simulated, and the same for the same seed: with one seed, radiographs and VFA show the same people. Exit
    status: 0 all done, 1 some films could not be made (see failures.csv), 2 the call was wrong, 130 stopped by Ctrl-C.
    """
    flags: dict[str, Any] = {
        "seed": seed, "world": world, "format": kind, "modality": modality, "grid": grid, "pixel_mm": pixel,
        "workers": workers, "resume": resume, "overwrite": overwrite,
    }  # fmt: skip
    with plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.phantom_settings import PhantomRadiographSettings

        told = settings(
            PhantomRadiographSettings, config=config, assignments=assignments, flags=flags, print_config=print_config
        )
        _one_kind_of_people(n, people, seed=seed, world=world, command="spineclock phantom radiograph")
        from spineclock.run import phantom_radiograph

        if people is not None:
            raise typer.Exit(phantom_radiograph.make_films_of(people, told, out=out))
        assert n is not None
        raise typer.Exit(phantom_radiograph.make_films(n, told, out=out))


@phantom_app.command(
    "ct",
    epilog=example(
        "spineclock phantom ct --n 20 --seed 1 --out ct",
        "spineclock phantom ct --n 4000 --world muscle_matters --grid 112x84x112 --out grids --workers 16 --resume",
        "spineclock phantom ct --n 3 --out dicom --format dicom --tilt 12",
        "spineclock phantom ct --people phantom --out bone --kernel bone --phase native --set slice_mm=1",
    ),
)
def _phantom_ct(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where tables and scans go.")],
    n: Count = None,
    people: PeopleFolder = None,
    seed: Seed = None,
    world: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="default, muscle_matters, muscle_idle, ageing_off, null, shifted, …"),
    ] = None,
    kind: Annotated[str | None, typer.Option("--format", metavar="nifti|dicom", help="NIfTI where not given.")] = None,
    coverage: Annotated[
        str | None, typer.Option(metavar="abdomen|thoracolumbar", help="The trunk from T10, or the spine from T4.")
    ] = None,
    kernel: Annotated[
        str | None, typer.Option(metavar="soft|bone", help="Drawn for each scan where not given.")
    ] = None,
    phase: Annotated[
        str | None, typer.Option(metavar="native|portal_venous", help="Drawn for each scan where not given.")
    ] = None,
    tilt: Annotated[float | None, typer.Option(metavar="DEG", help="Tilt of the gantry; none where not given.")] = None,
    grid: Annotated[
        str | None, typer.Option(metavar="112x84x112", help="Write a training grid: slices, rows, columns.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, metavar="W", help="Scans made side by side (2).")] = None,
    resume: ResumeScans = None,
    overwrite: Replace = None,
    config: ConfigFile = None,
    assignments: Sets = None,
    print_config: PrintConfig = False,
    log_file: LogFile = None,
    debug: Debug = False,
) -> None:
    """Make up people as `phantom people` does, and their CT with true label maps: a cohort folder.

    All is simulated, and the same for the same seed, which gives the same people as MRI and films have. Exit status: 0
    all done, 1 some scans could not be made (see failures.csv), 2 the call was wrong, 130 stopped by Ctrl-C.
    """
    flags: dict[str, Any] = {
        "seed": seed, "world": world, "format": kind, "coverage": coverage, "kernel": kernel, "phase": phase,
        "tilt_deg": tilt, "grid": grid, "workers": workers, "resume": resume, "overwrite": overwrite,
    }  # fmt: skip
    with plain_errors(debug=debug, log_file=log_file):
        from spineclock.run.phantom_settings import PhantomCtSettings

        told = settings(
            PhantomCtSettings, config=config, assignments=assignments, flags=flags, print_config=print_config
        )
        _one_kind_of_people(n, people, seed=seed, world=world, command="spineclock phantom ct")
        from spineclock.run import phantom_ct

        if people is not None:
            raise typer.Exit(phantom_ct.make_ct_of(people, told, out=out))
        assert n is not None
        raise typer.Exit(phantom_ct.make_ct(n, told, out=out))


def _one_kind_of_people(n: int | None, people: Path | None, *, seed: int | None, world: str | None,
                        command: str) -> None:  # fmt: skip
    """Refuses a call that says nothing of whom to show, or two things."""
    if (n is None) == (people is None):
        found = "neither a number of people nor a folder of them is given" if n is None else "both --n and --people"
        raise UsageError(found, wanted="one of the two", remedy=f"{command} --n 20 --out cohort")
    if people is not None and (seed is not None or world is not None):
        raise UsageError(
            "--people and a seed or world of its own",
            wanted="one of the two",
            remedy="leave --seed and --world out",
        )
