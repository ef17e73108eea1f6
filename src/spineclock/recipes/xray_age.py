"""Spine age from a lateral radiograph of the spine, or from a densitometer's lateral film (DXA VFA).

Source: VERTE-X-Aging (seed of recipe two), as docs/xray.md retells it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spineclock.core.errors import UsageError
from spineclock.core.outcomes import Age
from spineclock.core.recipe import LATERAL_FILM, Learning, Options, Reader, Recipe, Words
from spineclock.core.records import FILM_KINDS, ModelInfo, Quality, Reading, Scan, film_kind
from spineclock.nets.names import RADIOGRAPH_CLASSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spineclock.nets.run_folder import TrainedNetwork
    from spineclock.prep.film import FilmPreparation
    from spineclock.prep.kinds import AnyPreparation
    from spineclock.prep.prepared import Variants
    from spineclock.stats.calibration import Calibration

PACKAGED = "xray_age"
"""In ``spineclock/weights``: a training run's folder, as far as prediction needs it."""
VFA = "vfa"


def load(model: str, options: Options) -> Reader:
    """The recipe with its network in memory: the packaged one (``default``), or that of a run's folder.

    Raises
    ------
    InputError
        If the weights cannot be read, or are another recipe's.
    TableError
        If the network was validated on too few people for an interval of this coverage.
    """
    from spineclock.nets.run_folder import read_network
    from spineclock.nets.weights import packaged
    from spineclock.prep.film import FilmPreparation
    from spineclock.prep.kinds import preparation_of
    from spineclock.stats.calibration import Calibration

    folder = packaged(f"{PACKAGED}/network.json").parent if model == "default" else Path(model)
    network = read_network(folder, device=options.device)
    how = preparation_of(network.about["preparation"], FilmPreparation, recipe="xray-age")
    kinds = {*FILM_KINDS, *network.recalibrated}
    calibrations = {kind: Calibration.fit(network.pairs(kind), coverage=options.coverage) for kind in kinds}
    info = ModelInfo(network.about["name"], network.hashes, network.about["statement"])
    return XrayAge(info, network, how, calibrations)


@dataclass(frozen=True, eq=False)
class XrayAge:
    """The recipe's network in memory."""

    model: ModelInfo
    network: TrainedNetwork
    how: FilmPreparation
    calibrations: Mapping[str, Calibration]
    """By kind of film."""

    @property
    def ages_years(self) -> tuple[float, float]:
        """Youngest and oldest age it learned from."""
        low, high = self.network.about["ages_years"]
        return float(low), float(high)

    def read(self, scan: Scan, *, lowest_vertebra: str | None = None) -> Reading:
        """Prepares and ages one film, and says where the network looked."""
        from spineclock.explain.gradcam import attention
        from spineclock.nets.film import EfficientNetFilm, FilmNet
        from spineclock.prep.film import prepare_film

        if lowest_vertebra is not None:
            raise UsageError("a lowest vertebra for a film", wanted="films alone: their vertebrae are not outlined",
                             remedy="leave --lowest-vertebra out")  # fmt: skip
        verdict = self._known(scan)
        if verdict.verdict == "refused":
            return Reading(scan, verdict, self.model)
        film = prepare_film(scan.volume, self.how, vfa=scan.film == VFA)
        said = self.network.answer(film.array)
        prediction = self.calibrations[film_kind(scan.film)].prediction(
            said.age_years, age_years=scan.age_years, components={"network": said.age_years}, sd_years=said.sd_years
        )
        verdict = verdict.with_age("the corrected age", prediction.corrected_age_years, self.ages_years)
        net = self.network.net
        assert isinstance(net, FilmNet | EfficientNetFilm), "a network that reads films"
        heat = attention(net, film.volume, scan.volume, age=self.network.head.age_years).on_scan
        return Reading(scan, verdict, self.model, prediction, heat=heat)

    def _known(self, scan: Scan) -> Quality:
        """The film's quality with what is known of the person, the kind of film and the network."""
        found = quality(scan)
        found = found.with_age("the person's age", scan.age_years, self.ages_years)
        if caution := self.network.uncorrected(film_kind(scan.film)):
            found = found.with_reason("check", caution)
        if self.network.about["simulated"]:
            found = found.with_reason("check", "the network has seen simulated people only")
        return found


def quality(scan: Scan) -> Quality:
    """What the film's header and picture say against it; what is no lateral film was refused when it was read."""
    if scan.volume.shape[0] != 1:
        return Quality().with_reason(
            "refused", f"{scan.volume.shape[0]} sagittal slices; wanted one lateral film of the spine"
        )
    found = Quality()
    for note in scan.notes:
        found = found.with_reason("check", note)
    return found


def preparation(settings: Any) -> FilmPreparation:
    """How the settings of ``spineclock prepare`` have films prepared."""
    from spineclock.prep.film import FilmPreparation

    return FilmPreparation(settings.canvas_shape, settings.border_share, settings.equalise)


def prepared(scan: Scan, how: AnyPreparation) -> Variants:
    """A film as the network reads it; a film has no parts."""
    from spineclock.prep.film import FilmPreparation, film_variants

    assert isinstance(how, FilmPreparation), "a store of this recipe holds films"
    return film_variants(scan.volume, how, vfa=scan.film == VFA)


RECIPE = Recipe(
    name="xray-age",
    title="Spine age from a lateral radiograph or DXA VFA image",
    accepts=LATERAL_FILM,
    outcome=Age(),
    load=load,
    learning=Learning(
        outline=None,
        quality=quality,
        preparation=preparation,
        variants=prepared,
        prepare={"dtype": "uint8"},
        train={
            "network": "film_small",
            "loss": "mean_variance",
            "youngest": RADIOGRAPH_CLASSES[0],
            "oldest": RADIOGRAPH_CLASSES[1],
            "batch_size": 16,
            "learning_rate": 1e-3,
            "weight_decay": 1e-4,
            "mirror": False,
            "shift_voxels": 6,
            "rotate_deg": 5.0,
            "zoom": 0.08,
            "noise": 0.03,
        },
    ),
    words=Words(
        "a lateral radiograph of the spine, or a lateral DXA VFA image",
        "The lateral film as it was read",
        "The film as it was read: dense is bright, the patient's front at the left. If it is the other way round, the "
        "age is not to be used.",
    ),
)
