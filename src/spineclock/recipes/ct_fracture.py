"""Vertebral fracture from CT: those that are there, measured and by a network, and the risk of one in five years.

Source: seed of recipe four, as docs/ct.md retells it. What can be measured is told where no network sees what it needs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from spineclock.core.errors import RefusedError
from spineclock.core.outcomes import EventPrediction, GradedVertebra, TimeToEvent
from spineclock.core.recipe import Accepts, Engine, Learning, Options, Reader, Recipe, Words
from spineclock.core.records import ModelInfo, Quality, Reading, Scan, SeenCrop

if TYPE_CHECKING:
    from torch import Tensor

    from spineclock.core.volume import Array
    from spineclock.measure.ct_whole import CtMeasurements
    from spineclock.nets.risk_folder import TrainedRisk
    from spineclock.prep.ct import CtRegions
    from spineclock.prep.ct_cropping import CtCropping
    from spineclock.prep.kinds import AnyPreparation
    from spineclock.prep.prepared import Variants
    from spineclock.segment.ct_network import CtScorer
    from spineclock.stats.diagnosis.from_levels import FromLevels
    from spineclock.stats.survival.risk_band import RiskBand

FRACTURE = TimeToEvent("vertebral_fracture", "prevalent_fracture", count="prevalent_vertebral_fractures")
CT_SEGMENTER, PACKAGED = "ct_segmenter.safetensors", "ct_fracture"
"""In ``spineclock/weights``: what outlines, and a folder with that of a training run for each of :data:`INPUTS`."""
INPUTS: tuple[Literal["bone_muscle", "bone"], ...] = ("bone_muscle", "bone")
"""What networks are shown, by their folder's name; of two the first that a scan has all for answers it."""
PROGRAM = "TotalSegmentator"
STACKS = ("upper", "middle", "lower")
CURVE_STEP_YEARS = 0.5


def quality(scan: Scan) -> Quality:
    """What the scan's header and grid say against it."""
    from spineclock.ingest import ct

    found = ct.quality(scan)
    for note in scan.notes:
        found = found.with_reason("check", note)
    return found


def outlined(scan: Scan, scorer: CtScorer | None) -> Scan:
    """The scan with bodies told from arches in its label map; by the packaged network of CT where it has none.

    Raises
    ------
    RefusedError
        If no spine is found, or bodies cannot be told from arches.
    """
    from spineclock.segment.ct_outline import outline_ct

    made = outline_ct(scan, scorer=scorer)
    return scan.with_mask(made.labels).noted(made.notes)


@lru_cache(maxsize=1)
def segmenter(engine: Engine, threads: int | None) -> CtScorer:
    """The packaged network that outlines CT."""
    from spineclock.nets.weights import packaged
    from spineclock.segment.engine import ct_scorer

    return ct_scorer(packaged(CT_SEGMENTER), engine=engine, threads=threads)


def preparation(settings: Any) -> CtCropping:
    """How the settings of ``spineclock prepare`` have regions cut."""
    from spineclock.prep.ct_cropping import CtCropping

    return CtCropping(
        settings.parts, settings.crop_levels, settings.ct_region, settings.spacing, settings.window,
        margin_mm=settings.margin_mm, along=settings.along,
    )  # fmt: skip


def prepared(scan: Scan, how: AnyPreparation) -> Variants:
    """The images of a scan with its label map as a store keeps them."""
    from spineclock.measure.body_frames import body_frames
    from spineclock.prep.ct import regions
    from spineclock.prep.ct_cropping import CtCropping
    from spineclock.prep.ct_rows import ct_variants

    assert isinstance(how, CtCropping), "a store of this recipe holds regions of CT"
    scan = outlined(scan, None)
    assert scan.mask is not None, "an outlined scan has a label map"
    return ct_variants(regions(scan.volume, scan.mask, body_frames(scan.mask), how))


def load(model: str, options: Options) -> Reader:
    """The recipe with its networks in memory: that of a run's folder, or of a folder with one for each of ``INPUTS``.

    Raises
    ------
    InputError
        If the folder holds no such network.
    """
    from spineclock.nets.weights import network_folders, packaged, sha256

    judges = tuple(_judge(folder, options) for folder in network_folders(model, PACKAGED, INPUTS))
    about = [judge.network.about for judge in judges]
    hashes = {f"network of {judge.how.parts}": judge.network.sha256 for judge in judges}
    info = ModelInfo(
        " + ".join(one["name"] for one in about), {CT_SEGMENTER: sha256(packaged(CT_SEGMENTER)), **hashes},
        " ".join(dict.fromkeys(one["statement"] for one in about)),
    )  # fmt: skip
    return CtFracture(info, options, judges)


def _judge(folder: Path, options: Options) -> Judge:
    from spineclock.nets.risk_folder import read_risk
    from spineclock.prep.ct_cropping import CtCropping
    from spineclock.prep.kinds import preparation_of
    from spineclock.stats.diagnosis.from_levels import FromLevels
    from spineclock.stats.survival.risk_band import RiskBand

    network = read_risk(folder, device=options.device)
    about = network.about
    how = preparation_of(about["preparation"], CtCropping, recipe="ct-fracture")
    detection = None if about["detection"] is None else FromLevels.from_dict(about["detection"])
    return Judge(network, how, detection, None if about["band"] is None else RiskBand.from_dict(about["band"]))


@dataclass(frozen=True, eq=False)
class Judge:
    """A network: how its input is cut, and how its answers become a probability, a call, and an interval of a risk."""

    network: TrainedRisk
    how: CtCropping
    detection: FromLevels | None
    band: RiskBand | None

    @property
    def ages_years(self) -> tuple[float, float]:
        """Youngest and oldest age it learned from; 0 to 120 where that is not known."""
        told = self.network.about["ages_years"]
        return (float(told[0]), float(told[1])) if told else (0.0, 120.0)

    def known(self, scan: Scan, verdict: Quality) -> Quality:
        """The quality with what is known of person and network."""
        verdict = verdict.with_age("the person's age", scan.age_years, self.ages_years)
        if self.detection is not None and self.detection.caution:
            verdict = verdict.with_reason("check", self.detection.caution)
        if self.network.head.survival is not None and self.band is None:
            verdict = verdict.with_reason("check", "too few events among validation people for an interval of the risk")
        if self.network.about["simulated"]:
            verdict = verdict.with_reason("check", "the network has seen simulated people only")
        return verdict

    @property
    def horizons_years(self) -> tuple[float, ...]:
        """By when risks are told."""
        return tuple(map(float, self.network.about["horizons_years"]))

    def shown(self, raw: Tensor) -> Tensor:
        """The number that pictures explain: the hazards' logits or log hazard ratio, or the finding's log-odds."""
        head = self.network.head
        first = 0 if head.detection is None else head.detection.outputs
        if head.survival is not None:
            return raw[:, first : first + head.survival.outputs // head.survival.causes].sum()
        answers = raw[:, :first]
        return answers[answers.isfinite()].sum()


@dataclass(frozen=True, eq=False)
class CtFracture:
    """The recipe ready to read; of its networks the first that a scan has all for answers."""

    model: ModelInfo
    options: Options
    judges: tuple[Judge, ...]

    @property
    def ages_years(self) -> tuple[float, float]:
        """Youngest and oldest age they learned from; 0 to 120 where that is not known."""
        ages = [age for judge in self.judges for age in judge.ages_years]
        return min(ages), max(ages)

    def read(self, scan: Scan, *, lowest_vertebra: str | None = None) -> Reading:
        """Measures one scan's vertebrae and muscles, and has a network judge them."""
        from spineclock.measure.ct_whole import measure_ct

        verdict = quality(scan)
        if verdict.verdict == "refused":
            return Reading(scan, verdict, self.model)
        scan, notes = self._outlined(scan, lowest_vertebra)
        assert scan.mask is not None, "an outlined scan has a label map"
        measured = measure_ct(scan.volume, scan.mask)
        if all(body.cut for body in measured.bodies.values()):
            why = measured.coverage.reason or "the label map shows no vertebral body"
            raise RefusedError(f"no vertebra is whole in view: {why}", wanted="a CT that shows some of T4 to L5")
        for note in (*notes, *measured.notes):
            verdict = verdict.with_reason("check", note)
        told = _measured(measured)
        reading = Reading(
            _joined(scan), verdict, self.model, measurements=measured.measurements.table,
            found={"levels": list(measured.bodies), "whole": list(told_levels(told))}, event=told,
        )  # fmt: skip
        return self._judged(reading, scan, measured)

    def _outlined(self, scan: Scan, lowest_vertebra: str | None) -> tuple[Scan, tuple[str, ...]]:
        """The scan with its label map, by program or network where it comes without one, and what to know of that."""
        from spineclock.segment.ct_outline import outline_ct

        scorer, program = None, self.options.program
        if scan.mask is None and program is None:
            scorer = segmenter(self.options.engine, self.options.threads)
        made = outline_ct(scan, program=program, scorer=scorer, lowest_vertebra=lowest_vertebra)
        return scan.with_mask(made.labels), made.notes

    def _judged(self, reading: Reading, scan: Scan, measured: CtMeasurements) -> Reading:
        """The reading with a network's probability and risk; refused where none sees what it needs."""
        told = reading.event
        assert told is not None, "measured before"
        verdict, lacking = reading.quality, []
        for judge in self.judges:
            try:
                cut, row = _cut(scan, measured, judge.how)
            except RefusedError as error:
                lacking.append(error)
                continue
            for lack in lacking:
                verdict = verdict.with_reason("check", f"{lack.found}: the network of {judge.how.parts} alone answers")
            return self._answered(replace(reading, quality=verdict), scan, judge, cut, row)
        why = str(lacking[-1])
        return replace(reading, quality=verdict.with_reason("refused", why), event=replace(told, lacking=why))

    def _answered(self, reading: Reading, scan: Scan, judge: Judge, cut: CtRegions, row: Variants) -> Reading:
        """The reading with what this network says, and where it looked."""
        assert reading.event is not None, "measured before"
        verdict, said = judge.known(scan, reading.quality), _said(reading.event, judge, row)
        if said.interval is not None and not said.interval[0] <= (said.risk or 0.0) <= said.interval[1]:
            verdict = verdict.with_reason(
                "check", f"of validation people with this risk {said.observed:.1%} had the event, not {said.risk:.1%}"
            )
        elif said.curve and said.interval is None and judge.band is not None:
            verdict = verdict.with_reason("check", "the risk lies beyond those of the validation people: no interval")
        return replace(reading, quality=verdict, event=said, crops=_pictures(cut, row, judge))


def _cut(scan: Scan, measured: CtMeasurements, how: CtCropping) -> tuple[CtRegions, Variants]:
    """What a network is shown of a scan.

    Raises
    ------
    RefusedError
        If that is not there.
    """
    from spineclock.prep.ct import regions
    from spineclock.prep.ct_rows import ct_variants
    from spineclock.prep.ct_sampling import MUSCLES

    assert scan.mask is not None, "an outlined scan has a label map"
    if how.parts != "bone" and not np.isin(scan.mask.array, MUSCLES).any():
        raise RefusedError("the label map marks no muscles", wanted="a map with muscles, such as TotalSegmentator's",
                           remedy="or name a network of bone alone with --model")  # fmt: skip
    cut = regions(scan.volume, scan.mask, measured.frames, how)
    return cut, ct_variants(cut)


def told_levels(told: EventPrediction) -> tuple[str, ...]:
    """The vertebrae that are whole in view."""
    return tuple(v.level for v in told.vertebrae)


def _measured(found: CtMeasurements) -> EventPrediction:
    """What is there as it is measured."""
    vertebrae = []
    for level, body in found.bodies.items():
        if body.cut:
            continue
        d = found.deformities.get(level)
        hu = body.trabecular.mean_hu
        vertebrae.append(
            GradedVertebra(level, None, trabecular_hu=hu) if d is None
            else GradedVertebra(level, d.grade, d.form, d.loss, hu)
        )  # fmt: skip
    return EventPrediction(FRACTURE.words, FRACTURE.finding.replace("_", " "), tuple(vertebrae), measures=found.wide())


def _said(told: EventPrediction, judge: Judge, row: Variants) -> EventPrediction:
    """The same with what the network says."""
    from spineclock.nets.risk_folder import log_odds, risks

    head, raw = judge.network.head, judge.network.answer(row.input())
    said = replace(told, shown=row.levels)
    if judge.detection is not None:
        z = log_odds(head, raw)
        p, calibration = float(judge.detection.probability(z)[0]), judge.detection
        said = replace(said, probability=p, threshold=calibration.threshold, rule=calibration.rule)
        if z.shape[1] > 1:
            each = dict(zip(row.levels, calibration.vertebrae(z)[0].tolist(), strict=True))
            said = replace(said, vertebrae=tuple(
                replace(v, probability=each.get(v.level, float("nan"))) for v in said.vertebrae
            ))  # fmt: skip
    if head.survival is None:
        return replace(said, lacking="the network was trained to detect fractures, not to foretell them")
    horizons = judge.horizons_years
    steps = np.arange(CURVE_STEP_YEARS, horizons[-1], CURVE_STEP_YEARS).tolist()
    years = tuple(sorted({*steps, *horizons}))
    curve = tuple(zip(years, risks(head, raw, years)[0].tolist(), strict=True))
    interval, coverage, observed = None, float("nan"), float("nan")
    if judge.band is not None:
        low, observed, high = (float(v) for v in judge.band([curve[-1][1]])[:, 0])
        interval, coverage = (None if low != low or high != high else (low, high)), judge.band.coverage
    return replace(
        said, curve=curve, horizons_years=horizons, interval=interval, coverage=coverage, observed=observed,
        competing=FRACTURE.competing if head.survival.causes == 2 else "",
    )  # fmt: skip


def _pictures(cut: CtRegions, row: Variants, judge: Judge) -> tuple[SeenCrop, ...]:
    """The nine pictures as the network saw them, the middle slice of each, and where it looked."""
    from spineclock.explain.pictures import picture_attention

    heat: Array = picture_attention(judge.network.net, row.input(), told=judge.shown)
    stacks = [(level, *one) for level in row.levels for one in zip(cut[level].stacks, STACKS, strict=True)]
    inside = np.any([stack.mask.any(axis=0) for _, stack, _ in stacks], axis=0)
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)  # what no picture holds is not drawn
    return tuple(
        SeenCrop(level, stack.array[:, *box], stack.mask[:, *box], where[box], name)
        for (level, stack, name), where in zip(stacks, heat, strict=True)
    )


def _joined(scan: Scan) -> Scan:
    """The scan with bodies and arches as their vertebra, as outlines are drawn."""
    from spineclock.core.anatomy import BODY, RIB

    assert scan.mask is not None, "an outlined scan has a label map"
    array = scan.mask.array
    return scan.with_mask(scan.mask.with_array(np.where((array > BODY) & (array < RIB), array % 100, array)))


RECIPE = Recipe(
    name="ct-fracture",
    title="Vertebral fracture from CT: now, and within five years",
    accepts=Accepts(
        modalities=frozenset({"CT"}), plane="unknown", sequences=(), max_slice_spacing_mm=5.0, min_slices=15,
        prefer_words=("lumbar", "lspine", "l spine", "lws", "spine", "abdomen"),
    ),
    outcome=FRACTURE,
    load=load,
    learning=Learning(
        outline=outlined,
        segmenter=segmenter,
        segmenter_weights=CT_SEGMENTER,
        quality=quality,
        preparation=preparation,
        variants=prepared,
        prepare={"levels": "T12,L1,L2,L3,L4", "spacing_mm": "3,2,2", "margin_mm": 2.0},
        train={
            "network": "ct_small",
            "train_on": "all",
            "batch_size": 32,
            "learning_rate": 1e-3,
            "weight_decay": 1e-4,
            # both heads have begun to learn after 150 steps at this rate, and know their people better once it falls
            "plateau_patience": 2,
            "plateau_factor": 0.3,
            "stop_patience": 8,
            "shift_voxels": 3,
            "rotate_deg": 5.0,
            "zoom": 0.05,
            "noise": 0.01,
        },
        program=PROGRAM,
    ),
    words=Words(
        "a CT that shows at least three of T12 to L4 whole",
        "Sagittal slice through the spine with level names and Genant's grades",
        "Sagittal slice; anterior is left, superior is up. Check that outlines and level names are right: grades and "
        "densities rest on them.",
        answer="risk",
        title="Vertebral fracture report",
    ),
)  # fmt: skip
