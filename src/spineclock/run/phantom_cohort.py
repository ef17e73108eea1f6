"""A cohort folder of simulated people before their scans are made: tables, what explains it, what it was made by."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from spineclock.core.errors import UsageError
from spineclock.phantom.anatomy.template import images
from spineclock.phantom.parameters import Parameters, load
from spineclock.phantom.people import People
from spineclock.phantom.predictions import Ceiling, ceiling
from spineclock.report.label_names import labels
from spineclock.run import phantom_people
from spineclock.run.outputs import write_json, write_text
from spineclock.run.phantom_people import STATEMENT, TABLES, write_block
from spineclock.run.phantom_scans import Format, remove_scans

FILES = {
    "sub-…/ses-…/": "the scans: images, label maps (…_dseg) and how each was acquired (.json)",
    "dseg.tsv": "what each number of a label map stands for",
    "dataset_description.json": "what this is, in BIDS's form",
    "failures.csv": "scans that could not be made, and why",
    "run.json": "the last run: command, versions, seconds, size",
}
_OURS = (
    "phantom.json", "run.json", "README.txt", "failures.csv", "dseg.tsv", "dataset_description.json", ".bidsignore",
    "truths.csv", *TABLES,
)  # fmt: skip


class Choices(Protocol):
    """What the settings of every sort of simulated scans tell."""

    @property
    def seed(self) -> int:
        """Of people and scans."""

    @property
    def world(self) -> str:
        """Which phantom world the people live in."""

    @property
    def workers(self) -> int:
        """Processes that make scans side by side."""

    @property
    def resume(self) -> bool:
        """Whether the scans that are there are kept."""

    @property
    def overwrite(self) -> bool:
        """Whether an earlier phantom is replaced."""

    @property
    def format(self) -> Format:
        """What the scans are written as."""

    def model_dump(self) -> dict[str, Any]:
        """All of them."""


@dataclass(frozen=True)
class Sort:
    """One sort of simulated scans, as one command makes them.

    Parameters
    ----------
    command : str
        Such as ``spineclock phantom mri``.
    shown : str
        What the scans are, in words.
    choices : mapping
        What the scans follow from beside people, seed, world and format.
    others : tuple of str
        Sections of ``images.toml`` that no scan of this sort follows from.
    path : callable
        A scan's path in participants.tsv, from its scan_id.
    scanner : callable
        Gives what is asked of the simulated scanner, and the scanner's ``acquire``; called when scans are made, as its
        import takes a while.
    from_years : float
        People younger than this are not scanned: they are in the other tables, and not in participants.tsv.
    images : str
        The world of images, where it is another than that of the people.
    """

    command: str
    shown: str
    choices: Mapping[str, Any]
    others: tuple[str, ...]
    path: Callable[[str], str]
    scanner: Callable[[], tuple[Any, Any]]
    from_years: float = 0.0
    images: str = ""


def made_by(n: int, settings: Choices, sort: Sort, parameters: Parameters) -> dict[str, Any]:
    """What a folder's scans follow from: a folder that says something else of one of these is not taken up."""
    return {
        "schema": phantom_people.SCHEMA,
        "statement": STATEMENT,
        "people": n,
        "seed": settings.seed,
        "world": settings.world,
        "format": settings.format,
        **sort.choices,
        "version": version("spineclock"),
        "parameters": plain(parameters.document) | {"images": _images(sort.images or settings.world, sort)},
    }


def _images(world: str, sort: Sort) -> dict[str, Any]:
    """What the images of a sort are made by."""
    return {name: value for name, value in plain(images(world)).items() if name not in sort.others}


def ready(out: Path, asked: dict[str, Any], settings: Choices, sort: Sort) -> dict[str, Any]:
    """Makes the folder ready; what an earlier run that is taken up says of itself, else nothing."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file", wanted="a folder for the scans")
    there = [out / name for name in _OURS if (out / name).exists()]
    if there and settings.resume:
        return _taken_up(out, asked, sort)
    if there and not settings.overwrite:
        raise UsageError(
            f"{out} holds {there[0].name} already",
            wanted="an empty folder",
            remedy="name another, --resume what was begun, or --overwrite",
        )
    if there:
        remove_scans(out)
        for path in there:
            path.unlink()
    out.mkdir(parents=True, exist_ok=True)
    return {}


def _taken_up(out: Path, asked: dict[str, Any], sort: Sort) -> dict[str, Any]:
    """phantom.json of the run to be taken up."""
    told = _document(out)
    if told is None or "format" not in told:
        raise UsageError(
            f"{out} holds a phantom without scans, which cannot be resumed",
            wanted=f"a folder that `{sort.command}` began",
            remedy="name another, or --overwrite",
        )
    if not set(sort.choices) <= set(told):
        raise UsageError(
            f"the scans in {out} are not such as `{sort.command}` makes",
            wanted="a folder that it began",
            remedy="name another, or --overwrite",
        )
    other = [name for name in asked if told.get(name) != asked[name]]
    if other:
        is_, was = (
            ", ".join(f"{name} {_shown(source.get(name))}" for name in other if name != "parameters") or "parameters"
            for source in (asked, told)
        )
        raise UsageError(
            f"the scans in {out} were made with {was}, and now it is {is_}",
            wanted="the same settings",
            remedy="call it as before, name another folder, or --overwrite",
        )
    return told


def _shown(value: object) -> str:
    return "not set" if value is None else str(value)


def _document(folder: Path) -> dict[str, Any] | None:
    try:
        told = json.loads((folder / "phantom.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) and told.get("schema") == phantom_people.SCHEMA else None


def tables(drawn: Iterable[People], out: Path, settings: Choices, sort: Sort, parameters: Parameters) -> dict[str, Any]:
    """Writes all tables, block by block, and what explains the folder; what phantom.json says of them."""
    ages, spines, persons, count = [], [], 0, 0
    for k, some in enumerate(drawn):
        scanned = some.table["age_years"] >= sort.from_years
        paths = [sort.path(scan) for scan in some.table["scan_id"]]
        write_block(replace(some, table=some.table.assign(path=paths)), out, parameters=parameters,
                    seed=settings.seed, number=k, listed=scanned)  # fmt: skip
        count += int(scanned.sum())
        ages.append(some.table["age_years"].to_numpy())
        spines.append(some.truth["spine_age_years"].to_numpy())
        persons += some.table["person_id"].nunique()
    best = ceiling(np.concatenate(ages), np.concatenate(spines))
    write_text(out / "README.txt", _readme(persons, best, settings))
    rows = "".join(f"{label.number}\t{label.name}\n" for label in labels().values())
    write_text(out / "dseg.tsv", f"index\tname\n0\tbackground\n{rows}")
    write_json(out / "dataset_description.json", _bids(settings, sort))
    write_text(out / ".bidsignore", "*_dseg.nii.gz\n*_scan.json\n*.csv\n*.dcm\nphantom.json\nrun.json\nREADME.txt\n")
    told = phantom_people.document(persons, best, parameters, seed=settings.seed)
    return {"scans": count, "oracle": told["oracle"]}


def people_told(folder: Path) -> dict[str, Any]:
    """How many people a folder of ``spineclock phantom people`` holds, of which seed and world.

    Raises
    ------
    UsageError
        If it is none, or was made by another version or by other parameters, so that its people cannot be drawn again.
    """
    told = _document(folder)
    if told is None or not {"people", "seed", "world"} <= set(told):
        raise UsageError(f"{folder} holds no phantom.json of people", wanted="a folder of `spineclock phantom people`")
    if told.get("version") != version("spineclock") or told.get("parameters") != plain(load(told["world"]).document):
        raise UsageError(
            f"the people in {folder} were made by spineclock {told.get('version')} or by other parameters",
            wanted=f"those of spineclock {version('spineclock')}",
            remedy="make them again with `spineclock phantom people`",
        )
    return {name: told[name] for name in ("people", "seed", "world")}


def plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as JSON gives them back."""
    found: dict[str, Any] = json.loads(json.dumps(dict(document)))
    return found


def _readme(persons: int, best: Ceiling, settings: Choices) -> str:
    rows = "\n".join(f"{name:28}{what}" for name, what in {**TABLES, **FILES}.items())
    return (
        f"{STATEMENT}\n\n{persons:,} people, {best.n:,} scans, world {settings.world}; phantom.json says by which "
        f"parameters and settings.\n{best.sentence}\n\n{rows}\n"
    )


def _bids(settings: Choices, sort: Sort) -> dict[str, Any]:
    """dataset_description.json."""
    return {
        "Name": f"Simulated {sort.shown}, world {settings.world}, seed {settings.seed}",
        "BIDSVersion": "1.10.0",
        "DatasetType": "raw",
        "Authors": ["spineclock"],
        "Acknowledgements": STATEMENT,
        "GeneratedBy": [{"Name": "spineclock", "Version": version("spineclock")}],
    }
