"""The phantom's films: sizes against the anatomy, bone density against its T-score, and no age where there is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bodies import at, person
from scipy import ndimage

from spineclock.core.anatomy import BODY, LEVEL_NUMBERS
from spineclock.core.errors import UsageError
from spineclock.core.findings import LEVELS
from spineclock.phantom.anatomy.body import anatomy_of
from spineclock.phantom.anatomy.shapes import lower_plate, upper_plate
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.people import people
from spineclock.phantom.radiograph.beam import Beam
from spineclock.phantom.radiograph.beside import aortic_plaques
from spineclock.phantom.radiograph.film import FULL_SCALE
from spineclock.phantom.radiograph.scanner import Request, acquire, optical_depth
from spineclock.phantom.radiograph.style import detector_of, ranges

SMALL = Request(grid_shape=(256, 128))
LUMBAR = [BODY + LEVEL_NUMBERS[f"L{n}"] for n in range(1, 5)]


def film(traits=None, request=SMALL, seed=1):
    (series,) = acquire(traits or person(), request, seed=seed)
    return series


def heights_in_labels(series, body, shares=(-0.6, 0.0, 0.6)) -> list[float]:
    """From end plate to end plate behind, in the middle and in front, mm in the patient."""
    pixel, factor = series.volume.spacing_mm[1], series.facts["EstimatedRadiographicMagnificationFactor"]
    places = np.argwhere(series.labels.array[0] == body["label"]) * pixel
    places = places - places.mean(axis=0)
    front, up = places @ body["axes"][1, 1:], places @ body["axes"][2, 1:]
    deep = float(np.ptp(front)) / 2
    strips = [up[np.abs(front - share * deep) < 1.2] for share in shares]
    return [(np.ptp(strip) + 0.9 * pixel) / factor for strip in strips]


def heights_of(body, shares=(-0.6, 0.0, 0.6)) -> list[float]:
    """The same of the anatomy that the MRI phantom draws too."""
    places = [share * float(body["depth_upper"] + body["depth_lower"]) / 2 for share in shares]
    return [upper_plate(body, 0.0, v) - lower_plate(body, 0.0, v) for v in places]


@pytest.mark.slow
@pytest.mark.parametrize(("modality", "levels"), [("radiograph", "T12 L1 L2 L3 L4"), ("vfa", "T8 T10 T12 L1 L2 L3")])
def test_heights_on_the_film_are_the_anatomy_s_within_5_percent(modality, levels):
    found = []
    for number in (3,):
        spine = anatomy_of(person(number), seed=1)
        series = film(person(number), Request(modality, pixel_mm=0.4))
        assert (series.facts["EstimatedRadiographicMagnificationFactor"] == 1.0) == (modality == "vfa")
        for name in levels.split():
            body = spine.bodies[spine.names.index(name)]
            found.append(np.array(heights_in_labels(series, body)) / heights_of(body))
    assert np.abs(np.array(found) - 1).max() < 0.05
    assert np.mean(found) == pytest.approx(1, abs=0.02)


def test_the_film_lies_where_the_body_is():
    someone = person()
    spine = anatomy_of(someone, seed=1)
    series = film(someone, Request("vfa", pixel_mm=1.0))
    body = spine.bodies[spine.names.index("L2")]
    place = ndimage.center_of_mass(series.labels.array == body["label"])
    assert (series.labels.affine @ [*place, 1])[1:3] == pytest.approx(body["centre"][1:], abs=2.5)


def lumbar_density(someone, seed=1):
    """Mean optical depth of bone in the bodies L1 to L4, soft tissue taken away, on one and the same beam."""
    spine = anatomy_of(someone, seed=seed)
    low = float(spine.bodies[spine.names.index("L5")]["centre"][2])
    middle = float(spine.bodies[spine.names.index("L3")]["centre"][1])
    beam = Beam((90, 180), 1.4, (middle - 62, low - 20), (1000.0, middle, low + 90), -200.0, 0.0)
    depth, _, labels = optical_depth(someone, spine, beam, Request(), seed=seed)
    without, _, _ = optical_depth(someone, spine, beam, Request(), seed=seed, contrast=0.0)
    return float((depth - without)[np.isin(labels, LUMBAR)].mean())


def test_bone_is_denser_the_higher_its_t_score():
    scores = np.linspace(-4, 2, 7)
    found = [lumbar_density(person(lumbar_t_score=float(t))) for t in scores]
    assert found == sorted(found)
    assert found[-1] > 1.5 * found[0]


@pytest.mark.slow
def test_among_people_of_one_age_density_goes_with_the_t_score():
    some = [t for t in traits_of(people(260, seed=3)) if 58 <= t.age_years <= 62][:14]
    found = np.corrcoef([t.lumbar_t_score for t in some], [lumbar_density(t) for t in some])[0, 1]
    assert len(some) == 14
    assert found > 0.6


def test_a_film_is_a_pure_function():
    first = film()
    film(person(2), Request("vfa"), seed=9)
    again = film()
    assert (first.volume.array == again.volume.array).all()
    assert (first.labels.array == again.labels.array).all()
    assert first.facts == again.facts
    assert not (first.volume.array == film(seed=2).volume.array).all()


def test_age_itself_changes_nothing_only_the_spine_s_age_does():
    young, old_on_paper = film(), film(person(age_years=80.0, spine_age_years=40.0))
    assert (young.volume.array == old_on_paper.volume.array).all()
    assert not (young.volume.array == film(person(spine_age_years=80.0)).volume.array).all()


def test_samples_fill_the_scale_and_dense_is_bright():
    series = film(request=Request())
    array, labels = series.volume.array, series.labels.array
    assert array.dtype == np.int16
    assert array.min() >= 0
    assert FULL_SCALE * 0.8 < array.max() <= FULL_SCALE
    bodies = np.isin(labels, LUMBAR)
    ring = ndimage.binary_dilation(bodies, iterations=12) & (labels == 0)
    assert array[bodies].mean() > array[ring].mean() + 100


def test_what_is_before_the_spine_lies_at_higher_columns_and_the_head_at_higher_rows():
    labels = film().labels.array[0]
    low, high = (ndimage.center_of_mass(labels == BODY + LEVEL_NUMBERS[v]) for v in ("L4", "L1"))
    assert high[1] > low[1]
    crest = ndimage.center_of_mass(labels == LEVEL_NUMBERS["S1"])
    assert crest[0] < low[0]  # the sacrum lies behind


def test_a_grid_is_the_film_fitted_in_with_zeros_beside():
    series = film(request=SMALL)
    assert series.volume.shape == (1, 128, 256)
    array = series.volume.array[0]
    empty = (array == 0).all(axis=1)
    assert (series.labels.array[0][empty] == 0).all()
    assert series.volume.spacing_mm[1] == pytest.approx(series.facts["ImagerPixelSpacing"][0], abs=1e-3)


def test_fractures_show_in_the_heights():
    def heights(shape):
        someone = person(fracture_grade=at(L1=3 * (shape > 0)), fracture_shape=at(L1=shape))
        spine = anatomy_of(someone, seed=1)
        return heights_in_labels(film(someone, Request("vfa", pixel_mm=0.8)), spine.bodies[spine.names.index("L1")])

    well, wedge, hollow = (heights(shape) for shape in (0, 1, 2))
    assert wedge[2] / wedge[0] < 0.78 * well[2] / well[0]
    assert hollow[1] < 0.75 * well[1]


def test_discs_that_are_lost_are_thinner_on_the_film():
    def area(**changes):
        series = film(person(**changes), Request("vfa", pixel_mm=0.7))
        return sum(int((series.labels.array == 100 + LEVEL_NUMBERS[f"L{n}"]).sum()) for n in range(1, 4))

    assert area(height_loss=np.full(len(LEVELS), 3, np.int8)) < 0.75 * area()


def test_the_aorta_calcifies_with_the_spine_s_age():
    def count(years):
        return sum(
            len(aortic_plaques(person(n, spine_age_years=years), anatomy_of(person(n), seed=1), 1)) for n in range(8)
        )

    found = [count(years) for years in (35.0, 60.0, 85.0)]
    assert found[0] <= 2
    assert found[2] > 3 * found[1] > 0


def test_a_detector_is_the_same_for_everyone_and_differs_between_worlds():
    one = detector_of("site-01-siemens-2", "Siemens", "default", "radiograph")
    assert one == detector_of("site-01-siemens-2", "Siemens", "default", "radiograph")
    assert one != detector_of("site-01-siemens-2", "Siemens", "shifted", "radiograph")
    assert ranges("shifted", "radiograph").scatter[0] > ranges("default", "radiograph").scatter[0]
    assert {detector_of(f"s{k}", "GE", "default", "vfa").maker for k in range(20)} == {"Hologic", "GE Healthcare"}


def test_films_state_what_readers_ask_for():
    vfa, radiograph = film(request=Request("vfa")), film(request=Request())
    assert (vfa.facts["Modality"], vfa.facts["FilmKind"]) == ("OT", "vfa")
    assert vfa.facts["SeriesDescription"] == "DXA VFA lateral"
    assert (radiograph.facts["Modality"], radiograph.facts["FilmKind"]) == ("DX", "radiograph")
    assert radiograph.facts["ViewPosition"] in ("LL", "RL")
    assert radiograph.facts["EstimatedRadiographicMagnificationFactor"] > 1.08
    assert (vfa.facts["BurnedInAnnotation"], vfa.facts["SimulatedCollimation"]) == ("NO", False)
    films = [film(person(k), SMALL).facts for k in range(8)]
    assert {tuple(f["PatientOrientation"]) for f in films} == {("A", "F"), ("P", "F")}
    assert {f["BurnedInAnnotation"] for f in films} == {"YES", "NO"}


def test_the_noise_is_that_of_the_quanta_counted():
    def spread(factor):
        name = "site-01-siemens-2"
        machine = replace(detector_of(name, "Siemens", "default", "radiograph"), equalise=0.0, sharpen=0.0, blur_mm=0.0)
        from spineclock.phantom.radiograph.film import developed

        depth, thick = np.full((400, 400), 3.0, np.float32), np.full((400, 400), 300.0, np.float32)
        many = replace(machine, quanta_mm2=machine.quanta_mm2 * factor, slope=0.3)
        shown = developed(depth, thick, np.ones(depth.shape, bool), 0.5, many, np.random.default_rng(1))
        level = np.log(shown / (1 - shown))  # the look-up curve undone
        return float(level.std()) / many.slope * 0.3, 1 / np.sqrt(many.quanta_mm2 * 0.25)

    (one, law), (four, law_four) = spread(1), spread(4)
    assert law / law_four == pytest.approx(2)
    assert one == pytest.approx(law, rel=0.05)
    assert four == pytest.approx(law_four, rel=0.05)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"modality": "ct"}, "the modality 'ct'; wanted: one of radiograph, vfa"),
        ({"grid_shape": (8, 8)}, "a grid of (8, 8)"),
        ({"pixel_mm": 50.0}, "pixels of 50.0 mm"),
        ({"pixel_mm": 1.0, "grid_shape": (64, 64)}, "both a grid and a pixel size"),
        ({"world": "mars"}, "no phantom world is called 'mars'"),
    ],
)
def test_what_no_film_can_be_is_refused(told, message):
    with pytest.raises(UsageError) as error:
        Request(**told)
    assert message in str(error.value)


def features(series) -> list[float]:
    """Thin bright lines before the lumbar bodies, how bodies stand out, their rims, and room between them."""
    array, labels = series.volume.array[0].astype(float), series.labels.array[0]
    bodies, mm = np.isin(labels, [*LUMBAR, LUMBAR[0] - 1]), series.volume.spacing_mm[1]
    before = np.zeros_like(bodies)
    for k in range(int(4 / mm), int(36 / mm)):
        before[k:] |= bodies[:-k]
    before &= labels == 0
    thin = array - ndimage.gaussian_filter(array, 4 / mm)
    lines = thin[before] if before.sum() > 50 else np.zeros(9)
    skewness = ((lines - lines.mean()) ** 3).mean() / (lines.std() + 1) ** 3
    ring = ndimage.binary_dilation(bodies, iterations=3) & (labels == 0)
    core, rim = ndimage.binary_erosion(bodies, iterations=3), bodies & ~ndimage.binary_erosion(bodies)
    spread = thin[bodies].std() + 1
    discs = ((labels > 100) & (labels < 200)).sum() / bodies.sum()
    return [float(np.clip(skewness, -2, 4)), (array[core].mean() - array[ring].mean()) / spread,
            (array[rim].mean() - array[core].mean()) / spread, discs]  # fmt: skip


def ridge_r2(world: str) -> float:
    """How much of the age of 25 young and 25 old people a ridge regression on their films' features tells."""
    some = sorted(traits_of(people(500, seed=5), world=world), key=lambda t: t.age_years)
    some = [*some[:25], *some[-25:]]
    x = np.array([features(film(t, Request(grid_shape=(256, 128), world=world), seed=5)) for t in some])
    y = np.array([t.age_years for t in some])
    x = np.column_stack([np.ones(len(y)), (x - x.mean(axis=0)) / x.std(axis=0)])
    guess = np.zeros(len(y))
    for fold in range(5):
        held = np.arange(len(y)) % 5 == fold
        penalty = 5 * np.diag([0.0, *np.ones(x.shape[1] - 1)])
        a, b = x[~held].T @ x[~held] + penalty, x[~held].T @ y[~held]
        guess[held] = x[held] @ np.linalg.solve(a, b)
    return float(1 - ((y - guess) ** 2).sum() / ((y - y.mean()) ** 2).sum())


@pytest.mark.slow
def test_films_tell_age_and_where_ageing_is_off_they_do_not():
    assert ridge_r2("default") > 0.2
    assert ridge_r2("ageing_off") < 0.05
