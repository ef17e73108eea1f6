"""Osteoporosis from sagittal lumbar MRI, T1- or T2-weighted: outline the vertebrae, crop their bodies, judge each.

Source: Ho et al. (seed of recipe three), as docs/osteoporosis.md retells it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spineclock.core.errors import InputError, RefusedError
from spineclock.core.outcomes import Diagnosis
from spineclock.core.recipe import Accepts, Learning, Options, Reader, Recipe, Words
from spineclock.core.records import Quality, Scan

if TYPE_CHECKING:
    import pandas as pd

    from spineclock.core.volume import Mask
    from spineclock.measure.bone_quality import BoneQuality
    from spineclock.prep.cropping import Cropping
    from spineclock.prep.crops import Crops
    from spineclock.prep.kinds import AnyPreparation
    from spineclock.prep.prepared import Variants
    from spineclock.segment.instances import Instances
    from spineclock.segment.network import Scorer

SEQUENCES = ("T1w", "T2w")
PACKAGED = "mri_osteoporosis"
"""In ``spineclock/weights``: a folder of a run for each of :data:`SEQUENCES`, once there are such."""
FEWEST_VERTEBRAE = 2
"""With one alone nothing tells which it is."""


def quality(scan: Scan) -> Quality:
    """What the scan's header says against it."""
    from spineclock.core.geometry import plane

    if scan.sequence not in SEQUENCES:
        told = f"it is weighted {scan.sequence}" if scan.sequence else "nothing tells its weighting"
        where = "the header, the file's name (…_T1w), a JSON sidecar's EchoTime or the table's column sequence"
        return Quality("refused", (f"{told}; wanted {' or '.join(SEQUENCES)}, told by {where}",))
    if plane(scan.volume) in ("axial", "coronal"):
        return Quality("refused", (f"the slices are {plane(scan.volume)}; wanted sagittal ones",))
    found = Quality()
    for note in scan.notes:
        found = found.with_reason("check", note)
    return found


def outlined(scan: Scan, scorer: Scorer) -> Scan:
    """The scan with its label map by the network; a picture also at the spacing at which its vertebrae can be told.

    Raises
    ------
    RefusedError
        If its vertebrae cannot be told.
    """
    return _outlined(scan, scorer)[0]


def _outlined(scan: Scan, scorer: Scorer | None, lowest_vertebra: str | None = None) -> tuple[Scan, Instances | None]:
    """The scan with a label map that tells bodies from arches, and what was found by the network or in the map."""
    from spineclock.core.anatomy import ARCH, BODY
    from spineclock.recipes.mri_age import outline
    from spineclock.segment.legible import UNUSABLE
    from spineclock.segment.pictures import outline_picture

    if scan.mask is not None and ((scan.mask.array > BODY) & (scan.mask.array < ARCH)).any():
        return scan, None
    if scan.mask is None and scan.volume.shape[0] == 1:
        assert scorer is not None, "a picture without a label map is outlined by the network"
        seen = outline_picture(scan.volume, scorer, lowest_vertebra=lowest_vertebra)
        scan, found = replace(scan, volume=seen.volume), seen.found
    else:
        found = outline(scan, scorer, lowest_vertebra=lowest_vertebra)  # type: ignore[arg-type]
    if len(found.vertebrae) < FEWEST_VERTEBRAE:
        n = len(found.vertebrae)
        raise RefusedError(f"{n or 'no'} vertebra{'e' * (n != 1)} found", wanted="a sagittal view of the lumbar spine")
    if found.confidence < UNUSABLE:
        raise RefusedError(f"the outlines are not to be trusted (confidence {found.confidence:.2f})",
                           wanted=f"{UNUSABLE:g} or more, as a sagittal lumbar scan gives")  # fmt: skip
    return scan.with_mask(told_apart(found)), found


def told_apart(found: Instances) -> Mask:
    """The label map of what was found with bodies as 200 and arches as 300 + the vertebra's number."""
    from spineclock.core.anatomy import ARCH
    from spineclock.segment.instances import bodies

    labels, front = found.labels.array.astype(np.int16), bodies(found).array.astype(np.int16)
    vertebra = np.isin(labels, [v.number for v in found.vertebrae])
    return found.labels.with_array(np.where(front > 0, front, np.where(vertebra, labels + ARCH, labels)))


def bone_quality_of(scan: Scan) -> BoneQuality:
    """The marrow's signals of a scan whose label map tells bodies from arches."""
    from spineclock.measure.bone_quality import bone_quality

    assert scan.mask is not None, "a scan that is read has a label map"
    return bone_quality(scan.volume, scan.mask, weighting="T1w" if scan.sequence == "T1w" else "T2w")


def cropped(scan: Scan, how: Cropping) -> Crops:
    """The crops of a scan whose label map tells bodies from arches.

    Raises
    ------
    RefusedError
        If none can be cropped, or the tissue that grey values are to be ratios to is not in view.
    """
    from spineclock.core.bone import REFERENCES
    from spineclock.measure.body_frames import body_frames
    from spineclock.prep.crops import crops

    assert scan.mask is not None, "a scan that is read has a label map"
    reference = None
    if how.intensity in REFERENCES:
        reference = bone_quality_of(scan).references[how.intensity]
    return crops(scan.volume, scan.mask, body_frames(scan.mask), how, reference=reference)


def preparation(settings: Any) -> Cropping:
    """How the settings of ``spineclock prepare`` have bodies cropped."""
    from spineclock.prep.cropping import Cropping

    return Cropping(settings.crop_levels, settings.crop_size, settings.margin, settings.slices, settings.choose,
                    settings.intensity)  # fmt: skip


def prepared(scan: Scan, how: AnyPreparation) -> Variants:
    """The crops of an outlined scan as a store keeps them."""
    from spineclock.prep.crop_rows import crop_variants
    from spineclock.prep.cropping import Cropping

    assert isinstance(how, Cropping), "a store of this recipe holds crops"
    return crop_variants(cropped(_outlined(scan, None)[0], how))


def labels(table: pd.DataFrame, settings: Any) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The cohort's table with ``osteoporosis`` by T-scores or as it is told, and what is to be said of it.

    Raises
    ------
    TableError
        If nothing tells of osteoporosis, or the table contradicts itself.
    """
    from spineclock.ingest.dxa import DxaRule, dxa_labels

    rule = DxaRule(settings.dxa_site_names, settings.dxa_measured, settings.dxa_within_days, settings.dxa_undated)
    found = dxa_labels(table, rule)
    return found.table, found.notes


def load(model: str, options: Options) -> Reader:
    """The recipe with its networks in memory: those of a run's folder, one for each weighting where there are two.

    Raises
    ------
    InputError
        If there are no such weights, or they are another recipe's.
    """
    raise InputError("no reader yet")


RECIPE = Recipe(
    name="mri-osteoporosis",
    title="Osteoporosis from sagittal lumbar MRI (T1 or T2)",
    accepts=Accepts(
        modalities=frozenset({"MR"}), plane="sagittal", sequences=SEQUENCES, max_slice_spacing_mm=8.0, min_slices=1,
        prefer_words=("lumbar", "lspine", "l spine", "lws"), pictures=True,
    ),
    outcome=Diagnosis("osteoporosis", "osteoporosis"),
    load=load,
    learning=Learning(
        outline=outlined,
        quality=quality,
        preparation=preparation,
        variants=prepared,
        labels=labels,
        prepare={},
        train={
            "network": "crop_small",
            "train_on": "all",
            "batch_size": 16,
            "learning_rate": 1e-3,
            "weight_decay": 1e-4,
            "mirror": False,
            "shift_voxels": 3,
            "rotate_deg": 8.0,
            "zoom": 0.08,
            "noise": 0.05,
            "contrast": 0.1,
        },
    ),
    words=Words(
        "a sagittal T1- or T2-weighted MRI of the lumbar spine",
        "Mid-sagittal slice, plain, and with outlines of vertebrae, discs and canal and level names",
        "Mid-sagittal slice; anterior is left, superior is up. Check that outlines and level names are right: the "
        "crops are cut by them.",
        answer="probability",
        title="Osteoporosis report",
    ),
)  # fmt: skip
