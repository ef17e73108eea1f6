"""Spine age from a sagittal T2-weighted MRI: outline the spine, measure it, age it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spineclock.core.errors import InputError, RefusedError
from spineclock.core.outcomes import Age
from spineclock.core.recipe import Accepts, Engine, Learning, Options, Reader, Recipe, Words
from spineclock.core.records import Contribution, ModelInfo, Quality, Reading, Scan

if TYPE_CHECKING:
    from collections.abc import Callable

    from spineclock.core.volume import Array, Mask, Volume
    from spineclock.nets.run_folder import TrainedNetwork
    from spineclock.prep.kinds import AnyPreparation
    from spineclock.prep.prepared import Preparation, Variants
    from spineclock.segment.instances import Instances
    from spineclock.segment.network import Scorer
    from spineclock.stats.measured_age import MeasuredAge

FEATURES = (
    "vertebra.mean.signal_to_discs", "vertebra.min.signal_to_discs", "vertebra.max.signal_to_discs",
    "vertebra.mean.signal_sd", "vertebra.mean.lipping", "vertebra.max.lipping",
    "vertebra.mean.height_to_width", "vertebra.mean.width_mm",
    "disc.mean.height_mm", "disc.min.height_mm", "disc.mean.height_to_width", "disc.min.height_to_width",
    "disc.mean.nucleus_contrast", "disc.mean.bulge_mm",
    "canal.mean.depth_mm", "canal.min.depth_mm",
    "sex.male",
)  # fmt: skip
"""What the interpretable age reads: degeneration of discs, marrow, bone edges and canal."""

STATEMENT = (
    "Research demonstration: trained on the lumbar scans of 28 people, ages 14 to 84, of one data set. "
    "Not a medical device; not for decisions about a patient."
)
LUMBAR_MM = 300.0
"""Height of the scans the packaged models learned from."""
SEGMENTER, AGE_MODEL, NETWORK = "segmenter.safetensors", "mri_age.json", "simulated_network"
"""In ``spineclock/weights``; the last is a training run's folder."""
NETWORK_AGE, NETWORK_FEATURES = "network.age_years", tuple(f"network.feature_{k:02d}" for k in range(64))
"""What the packaged network, which has seen simulated people only, says of a scan."""


def load(model: str, options: Options) -> Reader:
    """The recipe with its weights in memory: packaged ones (``default``), or with the network of a run's folder.

    Raises
    ------
    InputError
        If the weights cannot be read.
    TableError
        If the model was validated on too few people for an interval of this coverage.
    """
    from spineclock.nets.weights import packaged, sha256
    from spineclock.segment.engine import scorer
    from spineclock.stats.calibration import Calibration
    from spineclock.stats.measured_age import MeasuredAge

    segmenter, age_model = packaged(SEGMENTER), packaged(AGE_MODEL)
    clock = MeasuredAge.from_dict(json.loads(age_model.read_text(encoding="utf-8")))
    hashes = {SEGMENTER: sha256(segmenter), AGE_MODEL: sha256(age_model)}
    features = None
    if set(NETWORK_FEATURES) & set(clock.features):
        features = NetworkFeatures.packaged(threads=options.threads)
        hashes[NETWORK] = features.sha256
    info = ModelInfo("mri-age-lumbar-2" if features else "mri-age-lumbar-1", hashes, STATEMENT)
    network = None
    if model != "default":
        from spineclock.nets.run_folder import read_network

        network = read_network(Path(model), device=options.device)
        Calibration.fit(network.pairs(), coverage=options.coverage)  # refused before any scan is read
        _preparation(network)
        info = ModelInfo(network.about["name"], {**hashes, **network.hashes}, network.about["statement"])
    Calibration.fit(clock.out_of_fold, coverage=options.coverage)
    outliner = scorer(segmenter, engine=options.engine, threads=options.threads)
    return MriAge(info, outliner, clock, features, network, options.coverage)


@dataclass(frozen=True, eq=False)
class NetworkFeatures:
    """The packaged network as a source of measurements: 64 features of a scan, and the age it would say itself."""

    how: Preparation
    answer: Callable[[Array], tuple[Array, Array]]
    mean_years: float
    sd_years: float
    sha256: str

    @classmethod
    def packaged(cls, *, threads: int | None = None) -> NetworkFeatures:
        """From the folder in ``spineclock/weights``."""
        from spineclock.nets.weights import packaged

        return cls.of(packaged(f"{NETWORK}/network.json"), packaged(f"{NETWORK}/weights.safetensors"), threads=threads)

    @classmethod
    def of(cls, described: Path, weights: Path, *, threads: int | None = None) -> NetworkFeatures:
        """From the two files of a run's folder, trained to tell the standardised age."""
        from spineclock.nets.dcnn_openvino import compile_age_net
        from spineclock.nets.weights import read_arrays, sha256
        from spineclock.prep.prepared import Preparation

        about = json.loads(described.read_text(encoding="utf-8"))
        how, head = Preparation.told(about["preparation"]), about["head"]
        answer = compile_age_net(read_arrays(weights), shape=how.shape, pool=about["pool"], band=about.get("band", 0),
                                 threads=threads)  # fmt: skip
        return cls(how, answer, float(head["mean_years"]), float(head["sd_years"]), sha256(weights))

    def __call__(self, volume: Volume, labels: Mask) -> dict[str, float]:
        """By name; each NaN where the spine does not fit the network."""
        from spineclock.prep.prepared import prepare

        try:
            raw, features = self.answer(prepare(volume, labels, self.how).array)
        except RefusedError:
            return dict.fromkeys((NETWORK_AGE, *NETWORK_FEATURES), np.nan)
        said = {NETWORK_AGE: self.mean_years + self.sd_years * float(raw[0])}
        return said | dict(zip(NETWORK_FEATURES, features.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class MriAge:
    """The recipe's models in memory."""

    model: ModelInfo
    scorer: Scorer
    clock: MeasuredAge
    features: NetworkFeatures | None = None
    network: TrainedNetwork | None = None
    coverage: float = 0.9

    @property
    def ages_years(self) -> tuple[float, float]:
        """Youngest and oldest age it learned from."""
        low, high = self.network.about["ages_years"] if self.network else self.clock.ages_years
        return float(low), float(high)

    def read(self, scan: Scan, *, lowest_vertebra: str | None = None) -> Reading:
        """Outlines, measures and ages one scan; a scan that cannot be read comes back refused, with reasons.

        Of a stitched scan that is refused as a whole, the lowest part is read, of the height the model learned from.
        """
        reading = self._read(scan, lowest_vertebra)
        part = _lumbar_part(scan) if reading.quality.verdict == "refused" else None
        if part is None:
            return reading
        lumbar = self._read(part, lowest_vertebra)
        if lumbar.quality.verdict == "refused":
            return reading
        why = f"only the lowest {LUMBAR_MM:g} mm were read, since of the whole: {'; '.join(reading.quality.reasons)}"
        return replace(lumbar, quality=lumbar.quality.with_reason("check", why))

    def _read(self, scan: Scan, lowest_vertebra: str | None) -> Reading:
        from spineclock.segment.legible import header_quality, spine_quality

        quality = header_quality(scan)
        if quality.verdict == "refused":
            return Reading(scan, quality, self.model)
        instances = outline(scan, self.scorer, lowest_vertebra=lowest_vertebra)
        quality = spine_quality(instances, scan, quality, named=lowest_vertebra is not None)
        outlined = Reading(scan.with_mask(instances.labels), quality, self.model, found=described(instances))
        if quality.verdict == "refused":
            return outlined
        reading = self._aged(outlined, instances)
        if reading.prediction is None:
            return reading
        corrected = reading.prediction.corrected_age_years
        return replace(reading, quality=reading.quality.with_age("the corrected age", corrected, self.ages_years))

    def _aged(self, outlined: Reading, instances: Instances) -> Reading:
        from spineclock import measure
        from spineclock.segment.instances import bodies

        scan = outlined.scan
        measurements = measure.spine(scan.volume, instances.labels, bodies(instances))
        measured = {**measurements.wide(), "sex.male": {"M": 1.0, "F": 0.0}.get(scan.sex, np.nan)}
        if self.features is not None:
            measured |= self.features(scan.volume, instances.labels)
        by_clock = self._judged(measured, self._known(scan, outlined.quality))
        reading = replace(outlined, quality=by_clock, measurements=measurements.table)
        if by_clock.verdict != "refused":
            prediction = self.clock.predict(measured, age_years=scan.age_years, coverage=self.coverage)
            told = _in_one(prediction.contributions, measured.get(NETWORK_AGE, np.nan))
            reading = replace(reading, prediction=replace(prediction, contributions=told))
        if self.network is None:
            return reading
        # what could not be measured speaks against the clock beside it, not against the network
        return self._by_network(replace(reading, quality=self._known(scan, outlined.quality)), self.network)

    def _judged(self, measured: dict[str, float], quality: Quality) -> Quality:
        """The quality with what the measurements say."""
        missing, far = (_in_words(found) for found in (self.clock.missing(measured), self.clock.outside(measured)))
        if len(missing) > len(set(self.clock.features) - set(NETWORK_FEATURES)) / 2:
            return quality.with_reason("refused", f"{len(missing)} of the measurements could not be taken")
        if missing:
            quality = quality.with_reason("check", f"not measured, taken as average: {', '.join(missing)}")
        if far:
            quality = quality.with_reason("check", f"far outside the training people's range: {', '.join(far)}")
        return quality

    def _known(self, scan: Scan, quality: Quality) -> Quality:
        """The quality with what the person's age and the scan's header say."""
        quality = quality.with_age("the person's age", scan.age_years, self.ages_years)
        if not scan.sequence and "the weighting is not stated" not in scan.notes:  # reading notes it of most files
            quality = quality.with_reason("check", "the header does not tell the weighting; taken for T2")
        return quality

    def _by_network(self, reading: Reading, network: TrainedNetwork) -> Reading:
        """The reading with the run's network as the age it stands for, and where the network looked."""
        from spineclock.explain.gradcam import attention
        from spineclock.nets.band import Banded, inner
        from spineclock.nets.dcnn import AgeNet
        from spineclock.prep.prepared import prepare
        from spineclock.stats.calibration import Calibration

        scan, mask = reading.scan, _mask_of(reading)
        if network.about["simulated"]:
            reason = "the network has seen simulated people only"
            reading = replace(reading, quality=reading.quality.with_reason("check", reason))
        prepared = prepare(scan.volume, mask, _preparation(network))
        said = network.answer(prepared.array)
        calibration = Calibration.fit(network.pairs(), coverage=self.coverage)
        measured = reading.prediction
        prediction = calibration.prediction(
            said.age_years,
            age_years=scan.age_years,
            components={"network": said.age_years, **(measured.components if measured else {})},
            contributions=measured.contributions if measured else (),
            sd_years=said.sd_years,
        )
        net = network.net
        if not isinstance(net, AgeNet | Banded) or not isinstance(inner(net), AgeNet):
            return replace(reading, prediction=prediction)
        heat = attention(net, prepared.volume, scan.volume, age=network.head.age_years).on_scan
        return replace(reading, prediction=prediction, heat=heat)


def _preparation(network: TrainedNetwork) -> Preparation:
    """How the network's input is prepared, as its run says."""
    from spineclock.prep.kinds import preparation_of
    from spineclock.prep.prepared import Preparation

    try:
        how = preparation_of(network.about["preparation"], Preparation, recipe="mri-age")
        fits = len(how.shape) == len(how.spacing_mm) == 3 and min(how.shape) >= 4 and min(how.spacing_mm) > 0
    except TypeError as error:
        raise InputError(f"the network's preparation cannot be used ({error})", remedy="train it again") from error
    if not fits:
        raise InputError(
            f"the network's preparation has shape {how.shape} and spacing {how.spacing_mm}",
            wanted="three axes of at least 4 voxels, spacings in millimetres",
            remedy="train it again",
        )
    return how


def _in_words(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, all of the network's features as one."""
    plain = tuple(name for name in names if name not in NETWORK_FEATURES)
    return (*plain, "the network's features") if len(plain) < len(names) else plain


def _in_one(contributions: tuple[Contribution, ...], network_age: float) -> tuple[Contribution, ...]:
    """The contributions, all of the network's features as one beside the age the network says itself."""
    plain = tuple(c for c in contributions if c.name not in NETWORK_FEATURES)
    if len(plain) == len(contributions):
        return plain
    years = sum(c.years for c in contributions if c.name in NETWORK_FEATURES)
    return (*plain, Contribution(NETWORK_AGE, network_age, years))


def _lumbar_part(scan: Scan) -> Scan | None:
    """The lowest :data:`LUMBAR_MM` of a stitched scan that is taller, or None."""
    from spineclock.ingest.stitch import STITCHED

    count = round(LUMBAR_MM / scan.volume.spacing_mm[2])
    if scan.volume.shape[2] <= count or not any(note.startswith(STITCHED) for note in scan.notes):
        return None
    volume = scan.volume.with_array(scan.volume.array[:, :, :count])  # the origin is the lowest corner
    mask = scan.mask.with_array(scan.mask.array[:, :, :count]) if scan.mask is not None else None
    return replace(scan, volume=volume, mask=mask)


def outline(scan: Scan, scorer: Scorer, *, lowest_vertebra: str | None = None) -> Instances:
    """The vertebrae and discs of a scan: from the label map it came with, or else from the network."""
    from spineclock.core.anatomy import LEVEL_NAMES, LEVEL_NUMBERS
    from spineclock.segment.instances import find, semantic
    from spineclock.segment.network import certain_label_map, class_probabilities

    if scan.mask is not None:
        order = list(LEVEL_NUMBERS.values())
        levels = [n for n in np.unique(scan.mask.array).tolist() if n in LEVEL_NAMES and LEVEL_NAMES[n] != "S1"]
        lowest = LEVEL_NAMES[max(levels, key=order.index)] if levels else None
        return find(semantic(scan.mask), lowest_vertebra=lowest_vertebra or lowest)
    mask, certainty = certain_label_map(*class_probabilities(scan.volume, scorer), scan.volume)
    return find(mask, certainty=certainty, lowest_vertebra=lowest_vertebra)


def described(instances: Instances) -> dict[str, Any]:
    """What was outlined, as plain data for prediction.json."""
    return {
        "confidence": round(instances.confidence, 3),
        "vertebrae": [v.level for v in instances.vertebrae],
        "discs": [d.level for d in instances.discs],
        "incomplete": [i.level for i in (*instances.vertebrae, *instances.discs) if not i.complete],
        "notes": list(instances.notes),
    }


def _mask_of(reading: Reading) -> Mask:
    assert reading.scan.mask is not None, "a reading that was not refused has a label map"
    return reading.scan.mask


def quality(scan: Scan) -> Quality:
    """What the scan's header says against it."""
    from spineclock.segment.legible import header_quality

    return header_quality(scan)


def segmenter(engine: Engine, threads: int | None) -> Scorer:
    """The packaged network that outlines MRI."""
    from spineclock.nets.weights import packaged
    from spineclock.segment.engine import scorer

    return scorer(packaged(SEGMENTER), engine=engine, threads=threads)


def outlined(scan: Scan, scorer: Scorer) -> Scan:
    """The scan outlined by the network.

    Raises
    ------
    RefusedError
        If its spine cannot be read.
    """
    from spineclock.segment.legible import spine_quality

    found = outline(scan, scorer)
    verdict = spine_quality(found, scan, Quality())
    if verdict.verdict == "refused":
        raise RefusedError("; ".join(verdict.reasons))
    return scan.with_mask(found.labels).noted(verdict.reasons)


def preparation(settings: Any) -> Preparation:
    """How the settings of ``spineclock prepare`` have scans prepared, for every part of the spine."""
    from spineclock.prep.prepared import Preparation

    return Preparation("whole", settings.margin_mm, settings.spacing, settings.grid_shape, settings.limits,
                       settings.centre)  # fmt: skip


def prepared(scan: Scan, how: AnyPreparation) -> Variants:
    """An outlined scan as the network reads it, of every part that is in view."""
    from spineclock.prep.prepared import Preparation, variants

    assert isinstance(how, Preparation), "a store of this recipe holds scans"
    assert scan.mask is not None, "a scan that is prepared has a label map"
    return variants(scan.volume, scan.mask, how)


RECIPE = Recipe(
    name="mri-age",
    title="Spine age from sagittal T2-weighted MRI",
    accepts=Accepts(
        modalities=frozenset({"MR"}), plane="sagittal", sequences=("T2w",), max_slice_spacing_mm=8.0, min_slices=5,
        prefer_words=("lumbar", "lspine", "l spine", "lws"),
    ),
    outcome=Age(),
    load=load,
    learning=Learning(
        outline=outlined, segmenter=segmenter, segmenter_weights=SEGMENTER, quality=quality, preparation=preparation,
        variants=prepared, prepare={}, train={},
    ),
    words=Words(
        "a sagittal T2-weighted MRI of the spine",
        "Mid-sagittal slice, plain, and with outlines of vertebrae, discs and canal and level names",
        "Mid-sagittal slice; anterior is left, superior is up. Check that outlines and level names are right: the age "
        "stands on them.",
    ),
)  # fmt: skip
