"""``spineclock phantom radiograph``: a cohort folder of simulated people with lateral films and true label maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spineclock.run.phantom_cohort import Sort, people_told
from spineclock.run.phantom_making import make
from spineclock.run.phantom_scans import series_path
from spineclock.run.phantom_settings import PhantomRadiographSettings


def make_films(n: int, settings: PhantomRadiographSettings, *, out: Path) -> int:
    """Writes the folder: tables of all people first, then film by film; the exit status.

    The people are those of the seed, whatever their films are: folders of radiographs, of a densitometer's films and of
    MRI scans with one seed show the same people.

    Raises
    ------
    UsageError
        If there is no such world, ``out`` holds something else, or what is to be resumed was made otherwise.
    """
    return make(n, settings, _sort(settings), out=out)


def make_films_of(people: Path, settings: PhantomRadiographSettings, *, out: Path) -> int:
    """The same for the people of a folder that ``spineclock phantom people`` wrote, with its seed and world."""
    told = people_told(people)
    agreed = settings.model_copy(update={"seed": told["seed"], "world": told["world"]})
    return make_films(told["people"], agreed, out=out)


def _sort(settings: PhantomRadiographSettings) -> Sort:
    def path(scan_id: str) -> str:
        return series_path(scan_id, station="", weighting="xray", form=settings.format).as_posix()

    def asked() -> tuple[Any, Any]:
        from spineclock.phantom.radiograph import scanner

        request = scanner.Request(
            modality=settings.modality,
            grid_shape=settings.grid_shape,
            pixel_mm=settings.pixel_mm,
            world=settings.world,
        )
        return request, scanner.acquire

    return Sort(
        command="spineclock phantom radiograph",
        shown="lateral radiographs of the spine" if settings.modality == "radiograph" else "lateral DXA films (VFA)",
        choices={name: getattr(settings, name) for name in ("modality", "grid", "pixel_mm", "from_years")},
        others=("scanner", "ct"),
        path=path,
        scanner=asked,
        from_years=settings.from_years,
    )
