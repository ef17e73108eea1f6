"""``spineclock phantom mri``: a cohort folder of simulated people with their scans and the true label maps."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from spineclock.phantom.series import Station, Weighting
from spineclock.run.phantom_cohort import Sort, people_told
from spineclock.run.phantom_making import make
from spineclock.run.phantom_scans import series_path, session_folder
from spineclock.run.phantom_settings import WHOLE_SLAB_MM, PhantomMriSettings


def make_scans(n: int, settings: PhantomMriSettings, *, out: Path, only: Collection[str] | None = None) -> int:
    """Writes the folder: tables of all people first, then scan by scan; the exit status.

    Some people are scanned twice. Memory does not grow with ``n``. With ``only`` the scans of these scan_id alone are
    made.

    Raises
    ------
    UsageError
        If there is no such world, ``out`` holds something else, or what is to be resumed was made otherwise.
    """
    return make(n, settings, _sort(settings), out=out, only=only)


def make_scans_of(people: Path, settings: PhantomMriSettings, *, out: Path) -> int:
    """The same for the people of a folder that ``spineclock phantom people`` wrote, with its seed and world."""
    told = people_told(people)
    agreed = settings.model_copy(update={"seed": told["seed"], "world": told["world"]})
    return make_scans(told["people"], agreed, out=out)


def cohort_path(scan_id: str, settings: PhantomMriSettings) -> str:
    """What participants.tsv gives as a scan's path: its T2w series, where it has one.

    Of three stations it is the lumbar file, or, in DICOM, the folder that holds all three.
    """
    weighting: Weighting = "T2w" if "T2w" in settings.weightings else "T1w"
    if settings.coverage == "stations" and settings.format == "dicom":
        return session_folder(scan_id, "dicom").as_posix()
    station: Station = "lumbar" if settings.coverage == "stations" else ""
    return series_path(scan_id, station=station, weighting=weighting, form=settings.format).as_posix()


def _sort(settings: PhantomMriSettings) -> Sort:
    choices: dict[str, Any] = {name: getattr(settings, name) for name in ("coverage", "weighting", "slices", "grid")}
    slab = {} if settings.slab_mm == WHOLE_SLAB_MM else {"slab_mm": settings.slab_mm}
    least = {"from_years": settings.from_years} if settings.from_years else {}

    def asked() -> tuple[Any, Any]:
        scanner = _scanner()
        request = scanner.Request(
            coverage=settings.coverage,
            weightings=settings.weightings,
            slices=settings.slices,
            grid_shape=settings.grid_shape,
            **slab,
            world=settings.world,
        )
        return request, scanner.acquire

    return Sort(
        command="spineclock phantom mri",
        shown="spine MRI",
        choices=choices | slab | least,
        others=("bone_density", "radiograph", "vfa", "ct"),
        path=lambda scan_id: cohort_path(scan_id, settings),
        scanner=asked,
        from_years=settings.from_years,
    )


def _scanner() -> Any:
    """The simulated scanner, whose import takes a while."""
    from spineclock.phantom.mri import scanner

    return scanner
