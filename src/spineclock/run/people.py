"""Who the scans of a run are of, as the user told it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spineclock import recipes
from spineclock.core.geometry import require_same_grid
from spineclock.core.records import Scan
from spineclock.ingest.ct import upright_labels
from spineclock.ingest.nifti import read_mask
from spineclock.run.prepare_scan import labels_of
from spineclock.run.settings import PredictSettings

if TYPE_CHECKING:
    from spineclock.ingest.cohort import Cohort


@dataclass(frozen=True, eq=False)
class People:
    """Ages, sexes and a label map from settings and cohort table."""

    settings: PredictSettings
    cohort: Cohort | None

    @classmethod
    def of(cls, settings: PredictSettings) -> People:
        """As the settings tell; the cohort table is read and checked here."""
        if settings.cohort is None:
            return cls(settings, None)
        from spineclock.ingest.cohort import read_cohort  # pandera's import is spared where there is no table

        return cls(settings, read_cohort(settings.cohort))

    def known(self, scan: Scan) -> Scan:
        """The scan with age, sex and label map as told.

        Of scans that a program outlines where it is installed (CT), a label map beside the scan (``…_dseg.nii.gz``, in
        the spineclock numbering) is taken too.

        Raises
        ------
        TableError
            If the table contradicts itself about the scan.
        GeometryError, InputError, UsageError
            If the label map lies on another grid, cannot be read, or is of another numbering.
        """
        told = self.settings
        if self.cohort is not None:
            scan = self.cohort.complete(scan)
        scan = replace(
            scan,
            age_years=scan.age_years if told.age_years is None else told.age_years,
            sex=told.sex or scan.sex,
            sequence=scan.sequence or told.sequence,
        )
        file, scheme = told.mask, told.mask_scheme
        if file is None and recipes.get(told.recipe).learning.program:
            beside = labels_of(scan.source, None, "")
            file, scheme = beside.file, "spineclock"
        if file is None or scheme is None:
            return scan
        from spineclock.segment.schemes import to_spineclock

        mask = upright_labels(scan, read_mask(file))
        require_same_grid(scan.volume, mask, what=f"the scan and {file.name}")
        return scan.with_mask(to_spineclock(mask, scheme))
