"""Osteoporosis from sagittal lumbar MRI, T1- or T2-weighted: outline the vertebrae, crop their bodies, judge each.

Source: Ho et al. (seed of recipe three), as docs/osteoporosis.md retells it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spineclock.core.errors import InputError, RefusedError
from spineclock.core.outcomes import Diagnosis, DiagnosisPrediction, LevelProbability
from spineclock.core.recipe import Accepts, Engine, Learning, Options, Reader, Recipe, Words
from spineclock.core.records import ModelInfo, Quality, Reading, Scan, SeenCrop
from spineclock.recipes.mri_age import SEGMENTER

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from spineclock.core.volume import Mask
    from spineclock.measure.bone_quality import BoneQuality
    from spineclock.nets.diagnosis_folder import TrainedDiagnosis
    from spineclock.prep.cropping import Cropping
    from spineclock.prep.crops import Crops
    from spineclock.prep.kinds import AnyPreparation
    from spineclock.prep.prepared import Variants
    from spineclock.segment.instances import Instances
    from spineclock.segment.network import Scorer
    from spineclock.stats.diagnosis.from_levels import FromLevels

DISEASE = Diagnosis("osteoporosis", "osteoporosis")
SEQUENCES = ("T1w", "T2w")
PACKAGED = "mri_osteoporosis"
"""In ``spineclock/weights``: a folder of a run for each of :data:`SEQUENCES`, and how the two are joined."""
JOINED = "fusion.json"
"""In a folder with a run for each weighting: how the two are joined."""
FEWEST_VERTEBRAE = 2
"""With one alone nothing tells which it is."""
LEAST_SHARE = 0.5
"""Of the levels asked for: where fewer can be cropped, the outlines, or which side is up, are most likely wrong."""


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


def segmenter(engine: Engine, threads: int | None) -> Scorer:
    """The packaged network that outlines MRI."""
    from spineclock.recipes import mri_age

    return mri_age.segmenter(engine, threads)


def outlined(scan: Scan, scorer: Scorer) -> Scan:
    """The scan with its label map by the network; a picture also at the spacing at which its vertebrae can be told.

    Raises
    ------
    RefusedError
        If its vertebrae cannot be told.
    """
    scan, found = _outlined(scan, scorer)
    return scan.noted(_doubts(found))


def _outlined(scan: Scan, scorer: Scorer | None, lowest_vertebra: str | None = None) -> tuple[Scan, Instances | None]:
    """The scan with a label map that tells bodies from arches, and what was found by the network or in the map."""
    from spineclock.core.anatomy import ARCH, BODY
    from spineclock.recipes.mri_age import outline
    from spineclock.segment.legible import UNUSABLE
    from spineclock.segment.pictures import outline_picture, turned

    if scan.mask is not None and ((scan.mask.array > BODY) & (scan.mask.array < ARCH)).any():
        return scan, None
    if scan.mask is None and scan.volume.shape[0] == 1:
        assert scorer is not None, "a picture without a label map is outlined by the network"
        seen = outline_picture(scan.volume, scorer, lowest_vertebra=lowest_vertebra)
        if how := turned(seen, scorer):
            raise RefusedError(f"the picture seems to be {how}", wanted="head up, front at the left",
                               remedy="turn it")  # fmt: skip
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


def _doubts(found: Instances | None) -> tuple[str, ...]:
    """What makes outlines doubtful; nothing where they were given."""
    from spineclock.segment.legible import DOUBTFUL

    if found is None:
        return ()
    low = (f"low confidence of the outlines ({found.confidence:.2f}): look at them",)
    return (*(low if found.confidence < DOUBTFUL else ()), *found.notes)


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
    """The recipe with its networks in memory: those of a run's folder, or of a folder with one for each weighting.

    Raises
    ------
    InputError
        If there are no such weights, or they are another recipe's.
    """
    from spineclock.nets.diagnosis_folder import read_diagnosis
    from spineclock.nets.weights import packaged, sha256
    from spineclock.prep.cropping import Cropping
    from spineclock.prep.kinds import preparation_of
    from spineclock.segment.engine import scorer
    from spineclock.stats.diagnosis.from_levels import FromLevels

    networks = {}
    for folder in _folders(model):
        trained = read_diagnosis(folder, device=options.device)
        if trained.head.name != DISEASE.name:
            raise InputError(f"the network in {folder} tells of {trained.head.name}", wanted=DISEASE.name)
        if trained.sequence in networks:
            raise InputError(f"two networks for {trained.sequence} in {model}", wanted="one for each weighting")
        how = preparation_of(trained.about["preparation"], Cropping, recipe="mri-osteoporosis")
        networks[trained.sequence] = Judge(trained, how, FromLevels.from_dict(trained.about["calibration"]))
    segmenter = packaged(SEGMENTER)
    hashes = {SEGMENTER: sha256(segmenter), **{f"network {s}": j.network.sha256 for s, j in networks.items()}}
    statements = dict.fromkeys(j.network.about["statement"] for j in networks.values())
    info = ModelInfo(" + ".join(j.network.about["name"] for j in networks.values()), hashes, " ".join(statements))
    return MriOsteoporosis(info, scorer(segmenter, engine=options.engine, threads=options.threads), networks)


def _folders(model: str) -> list[Path]:
    """The folders of the networks that a model's name or folder stands for."""
    from spineclock.nets.weights import network_folders

    return network_folders(model, PACKAGED, SEQUENCES)


def narrowed(accepts: Accepts, model: str) -> Accepts:
    """The series that a model's networks can read: of a study with T1 and T2, that for which there is one, or both
    where the networks answer together (``spineclock fuse``)."""
    from spineclock.nets.weights import model_folder

    told = []
    for folder in _folders(model):
        try:
            told.append(json.loads((folder / "network.json").read_text(encoding="utf-8"))["sequence"])
        except (OSError, ValueError, KeyError, TypeError):
            return accepts  # what is wrong with it is said when it is loaded
    kept = tuple(s for s in accepts.sequences if s in told)
    joined = (model_folder(model, PACKAGED) / JOINED).is_file()
    return replace(accepts, sequences=kept, each_sequence=joined) if kept else accepts


@dataclass(frozen=True, eq=False)
class Judge:
    """A network of one weighting: how its crops are cut, and how its answers become a person's probability."""

    network: TrainedDiagnosis
    how: Cropping
    calibration: FromLevels


@dataclass(frozen=True, eq=False)
class MriOsteoporosis:
    """The recipe's networks in memory, by weighting."""

    model: ModelInfo
    scorer: Scorer
    networks: Mapping[str, Judge]

    @property
    def ages_years(self) -> tuple[float, float]:
        """Youngest and oldest age they learned from; 0 to 120 where that is not known."""
        told = [age for judge in self.networks.values() for age in judge.network.about["ages_years"]]
        return (float(min(told)), float(max(told))) if told else (0.0, 120.0)

    def read(self, scan: Scan, *, lowest_vertebra: str | None = None) -> Reading:
        """Outlines and crops the vertebrae of one scan and judges each; refuses, with reasons, what cannot be read."""
        verdict = quality(scan)
        if verdict.verdict == "refused":
            return Reading(scan, verdict, self.model)
        if scan.sequence not in self.networks:
            why = f"no network for {scan.sequence} scans; there is one for {' and '.join(self.networks)}"
            return Reading(scan, Quality("refused", (why,)), self.model)
        judge = self.networks[scan.sequence]
        scan, found = _outlined(scan, self.scorer, lowest_vertebra)
        outlined = Reading(_joined(scan), self._known(scan, found, judge, verdict), self.model, found=_described(found))
        try:
            crops = cropped(scan, judge.how)
        except RefusedError as error:
            return replace(outlined, quality=outlined.quality.with_reason("refused", str(error)))
        if len(crops.crops) < LEAST_SHARE * len(judge.how.levels):
            why = "; ".join(f"{level}: {reason}" for level, reason in crops.missing.items())
            few = f"only {', '.join(crops.levels)} of {', '.join(judge.how.levels)} could be cropped ({why})"
            return replace(outlined, quality=outlined.quality.with_reason("refused", few))
        return _judged(outlined, crops, judge, _scores(scan))

    def _known(self, scan: Scan, found: Instances | None, judge: Judge, verdict: Quality) -> Quality:
        """The quality with what is known of outlines, person and network."""
        for doubt in _doubts(found):
            verdict = verdict.with_reason("check", doubt)
        verdict = verdict.with_age("the person's age", scan.age_years, self.ages_years)
        if caution := judge.calibration.caution:
            verdict = verdict.with_reason("check", caution)
        if judge.network.about["simulated"]:
            verdict = verdict.with_reason("check", "the network has seen simulated people only")
        return verdict


def _judged(outlined: Reading, crops: Crops, judge: Judge, scores: Mapping[str, float]) -> Reading:
    """The reading with probabilities of vertebrae and person, and where the network looked."""
    from spineclock.core.volume import Volume
    from spineclock.explain.gradcam import attention
    from spineclock.prep.crop_rows import crop_variants

    log_odds = judge.network.log_odds(crop_variants(crops).input())[None]
    each, calibration = judge.calibration.vertebrae(log_odds)[0], judge.calibration
    levels = judge.network.head.levels
    seen = []
    for crop in crops.crops:
        picture = Volume(crop.array, crop.affine)
        heat = attention(judge.network.net, picture, picture).on_scan.array
        seen.append(SeenCrop(crop.level, crop.array, crop.mask, heat[len(heat) // 2]))
    told = DiagnosisPrediction(
        DISEASE.name,
        float(calibration.probability(log_odds)[0]),
        calibration.threshold,
        calibration.rule,
        tuple(LevelProbability(v, float(p)) for v, p in zip(levels, each, strict=True) if v in crops.levels),
        dict(crops.missing),
        calibration.pooling,
        judge.network.sequence,
        dict(calibration.thresholds),
        calibration.person.prevalence,
        scores,
    )
    verdict = outlined.quality
    if crops.missing:
        verdict = verdict.with_reason("check", f"not read: {', '.join(crops.missing)}")
    return replace(outlined, quality=verdict, diagnosis=told, crops=tuple(seen))


def _scores(scan: Scan) -> dict[str, float]:
    """The vertebral bone quality score and its relatives, NaN where they cannot be told."""
    return {name: value for name, value in bone_quality_of(scan).wide().items() if "." not in name}


def _described(found: Instances | None) -> dict[str, Any]:
    from spineclock.recipes.mri_age import described

    return {} if found is None else described(found)


def _joined(scan: Scan) -> Scan:
    """The scan with bodies and arches as their vertebra, as outlines are drawn."""
    from spineclock.core.anatomy import BODY, RIB

    assert scan.mask is not None, "an outlined scan has a label map"
    array = scan.mask.array
    return scan.with_mask(scan.mask.with_array(np.where((array > BODY) & (array < RIB), array % 100, array)))


RECIPE = Recipe(
    name="mri-osteoporosis",
    title="Osteoporosis from sagittal lumbar MRI (T1 or T2)",
    accepts=Accepts(
        modalities=frozenset({"MR"}), plane="sagittal", sequences=SEQUENCES, max_slice_spacing_mm=8.0, min_slices=1,
        prefer_words=("lumbar", "lspine", "l spine", "lws"), pictures=True,
    ),
    outcome=DISEASE,
    load=load,
    learning=Learning(
        outline=outlined,
        segmenter=segmenter,
        segmenter_weights=SEGMENTER,
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
    packaged=PACKAGED,
    narrowed=narrowed,
)  # fmt: skip
