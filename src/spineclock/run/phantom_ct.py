"""``spineclock phantom ct``: a cohort folder of simulated people with abdominal CT and the true label maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spineclock.phantom.anatomy.template import images
from spineclock.run.phantom_cohort import Sort, people_told
from spineclock.run.phantom_making import make
from spineclock.run.phantom_scans import series_path
from spineclock.run.phantom_settings import PhantomCtSettings

_REQUESTED = ("coverage", "slice_mm", "pixel_mm", "kernel", "phase", "tilt_deg", "beam_hardening")


def make_ct(n: int, settings: PhantomCtSettings, *, out: Path) -> int:
    """Writes the folder: tables of all people first, then scan by scan; the exit status.

    The people are those of the seed, whatever shows them: folders of CT, of films and of MRI scans with one seed and
    world are paired.

    Raises
    ------
    UsageError
        If there is no such world, ``out`` holds something else, or what is to be resumed was made otherwise.
    """
    if settings.images is not None:
        images(settings.images)
    return make(n, settings, _sort(settings), out=out)


def make_ct_of(people: Path, settings: PhantomCtSettings, *, out: Path) -> int:
    """The same for the people of a folder that ``spineclock phantom people`` wrote, with its seed and world."""
    told = people_told(people)
    agreed = settings.model_copy(update={"seed": told["seed"], "world": told["world"]})
    return make_ct(told["people"], agreed, out=out)


def _sort(settings: PhantomCtSettings) -> Sort:
    def path(scan_id: str) -> str:
        return series_path(scan_id, station="", weighting="ct", form=settings.format).as_posix()

    def asked() -> tuple[Any, Any]:
        from spineclock.phantom.ct import scanner

        request = scanner.Request(
            **{name: getattr(settings, name) for name in _REQUESTED},
            grid_shape=settings.grid_shape,
            world=settings.images or settings.world,
        )
        return request, scanner.acquire

    return Sort(
        command="spineclock phantom ct",
        shown="CT of the spine",
        choices={name: getattr(settings, name) for name in (*_REQUESTED, "grid", "from_years", "images")},
        others=("scanner", "bone_density", "radiograph", "vfa"),
        path=path,
        scanner=asked,
        from_years=settings.from_years,
        images=settings.images or "",
    )
