"""One finding at a time: people made to order, scanned, and cropped round the level; for the phantom's gallery."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from spineclock.core.anatomy import BODY, DISC, LEVEL_NAMES, LEVEL_NUMBERS
from spineclock.core.errors import UsageError
from spineclock.core.findings import LEVELS
from spineclock.core.volume import Array
from spineclock.phantom.anatomy.body import anatomy_of
from spineclock.phantom.anatomy.forms import Anatomy
from spineclock.phantom.anatomy.traits import Codes, Traits
from spineclock.phantom.fractures import SHAPES
from spineclock.phantom.mri.scanner import Request, acquire
from spineclock.phantom.series import Series
from spineclock.report.ink import blank
from spineclock.run.phantom_pictures import SIMULATED, Picture, canal_slice, plane, show, top_of_window

USUAL = np.array([level not in ("T13", "L6", "L7") for level in LEVELS])
SPACE = Request("lumbar", ("T2w",), "space")
THICK = Request("lumbar", ("T2w", "T1w"))
WHOLE = Request(grid_shape=(32, 640, 256))
FINE = Request(grid_shape=(128, 320, 256))
TINY = Request(grid_shape=(2, 8, 4))
"""Of the whole spine, drawn from the same chance as :data:`WHOLE`, to see which artefacts a scan will have."""
Look = Literal["middle", "change", "axial", "front", "dark"]
MOST = 600
"""How many people are tried where chance decides what a finding looks like."""
COLUMNS = 8
CAPTION = (
    "Single findings at L4 or the disc below it, fractures at L1, haemangioma in L2; otherwise healthy, 40 years "
    "(fractures: 72). T2 SPACE where nothing else is said."
)


def healthy(number: int = 1, *, age_years: float = 40.0, sex: str = "M", **changes: Any) -> Traits:
    """A made-up person of whom nothing is told but good health, except for what is changed."""
    exists: npt.NDArray[np.bool_] = changes.get("exists", USUAL)
    nothing = np.zeros(len(LEVELS), np.int8)
    usual = Traits(
        scan_id=f"sub-{number}_ses-1", person_id=f"sub-{number}", session=1, age_years=age_years,
        spine_age_years=age_years, sex=sex, site="site-01", maker="Siemens", scanner="site-01-siemens-2", bmi=26.0,
        lumbar_t_score=0.0, psoas_index_cm2_m2=6.0, erector_fat_percent=15.0, exists=exists,
        pfirrmann=exists.astype(np.int8), height_loss=nothing, facet=nothing, findings={}, whole=frozenset(),
        fracture_grade=nothing, fracture_shape=nothing,
    )  # fmt: skip
    return replace(usual, **changes)


def at(base: int = 0, **levels: int) -> Codes:
    """Codes by level, ``base`` where none is told.

    >>> int(at(L4=3)[LEVELS.index("L4")]), int(at(L4=3).sum())
    (3, 3)
    """
    codes = np.where(USUAL, base, 0).astype(np.int8)
    for level, code in levels.items():
        codes[LEVELS.index(level)] = code
    return codes


@dataclass(frozen=True, eq=False)
class Order:
    """One panel: who is scanned how, and what is shown of it.

    ``where`` is the disc ("L4/") or body ("L1") in the middle; ``anatomy`` and ``artefact`` are what chance must give.
    """

    title: str
    changes: dict[str, Any] = field(default_factory=dict)
    where: str = "L4/"
    look: Look = "middle"
    half_mm: float = 34.0
    request: Request = SPACE
    weighting: str = "T2w"
    anatomy: Callable[[Anatomy], bool] | None = None
    artefact: str = ""
    names: bool = False


def orders() -> tuple[Order, ...]:
    """All panels, in the order shown."""

    def told(title: str, name: str, code: int, **more: Any) -> Order:
        return Order(title, {"findings": {name: at(L4=code)}}, **more)

    def record(name: str, level: str, code: int) -> Callable[[Anatomy], bool]:
        return lambda spine: int(spine.bodies[spine.names.index(level)][name]) == code

    def more_levels(level: str) -> dict[str, Any]:
        exists = USUAL | (np.array(LEVELS) == level)
        return {"exists": exists, "pfirrmann": exists.astype(np.int8)}

    grades = tuple(
        Order(f"Pfirrmann {g}, T2 TSE", {"pfirrmann": at(1, L4=g), "height_loss": at(L4=max(0, g - 2))}, request=THICK)
        for g in range(1, 6)
    )
    bulges = tuple(told(f"bulge, {w}", "disc_bulge", c) for c, w in enumerate(("mild", "moderate", "severe"), start=1))
    modic = tuple(
        told(f"Modic {n}, {w[:2]}", "endplate_change", 2, request=THICK, weighting=w,
             anatomy=record("modic_type", "L4", n)) for n in (1, 2) for w in ("T2w", "T1w")
    )  # fmt: skip
    broken = tuple(
        Order(
            f"{shape} fracture, grade 3",
            {
                "fracture_grade": at(L1=3),
                "fracture_shape": at(L1=1 + k),
                "lumbar_t_score": -3.0,
                "sex": "F",
                "age_years": 72.0,
            },
            where="L1",
            half_mm=42,
        )
        for k, shape in enumerate(SHAPES)
    )
    lesion = tuple(
        Order(f"haemangioma, {w[:2]}", {"findings": {"bone_lesion": at(L2=1)}}, where="L2", look="change",
              request=THICK, weighting=w, anatomy=record("lesion_type", "L2", 1)) for w in ("T2w", "T1w")
    )  # fmt: skip
    return (
        Order("healthy", where="L3", half_mm=90, names=True), *grades, *bulges,
        told("protrusion", "protrusion", 2, look="change"), told("extrusion", "extrusion", 2, look="change"),
        told("annular fissure", "annular_fissure", 1, look="change"),
        told("disc osteophytes, severe", "disc_osteophyte_complex", 3), *modic,
        told("stenosis", "spinal_stenosis", 1),
        told("stenosis, axial", "spinal_stenosis", 1, look="axial", request=FINE),
        Order("healthy, axial", look="axial", request=FINE),
        Order("facet 3, axial", {"facet": at(L4=3)}, look="axial", request=FINE),
        told("spondylolisthesis", "spondylolisthesis", 1), *broken, *lesion,
        Order("T13", more_levels("T13"), where="L1", half_mm=90, names=True),
        Order("L6", more_levels("L6"), where="L4", half_mm=90, names=True),
        Order("scoliosis, from the front", {"whole": frozenset({"scoliosis"})}, where="T11", half_mm=200,
              look="front", request=FINE),
        Order("metal", where="L3", half_mm=90, look="dark", request=WHOLE, artefact="metal"),
        Order("motion", where="L3", half_mm=90, request=WHOLE, artefact="motion"),
    )  # fmt: skip


def person_of(order: Order, *, seed: int, most: int = MOST) -> Traits:
    """The first made-up person in whom chance gives what the order asks for.

    Raises
    ------
    UsageError
        If nobody has it.
    """
    for number in range(1, most + 1):
        person = healthy(number, **order.changes)
        if order.anatomy is not None and not order.anatomy(anatomy_of(person, seed=seed)):
            continue
        if order.artefact:
            (series,) = acquire(person, TINY, seed=seed)
            if series.facts["SimulatedArtefacts"] != [order.artefact]:
                continue
        return person
    raise UsageError(f"nobody with {order.title} among {most}", wanted="another seed")


def panel(order: Order, *, seed: int) -> Picture:
    """The order's picture."""
    person = person_of(order, seed=seed)
    series = _scan(person, order, seed)
    wanted = (DISC if order.where.endswith("/") else BODY) + LEVEL_NUMBERS[order.where.rstrip("/")]
    centre = np.argwhere(series.labels.array == wanted).mean(axis=0)
    if order.look == "axial":
        return _axial(series, centre, order)
    if order.look == "front":
        return _front(series, centre, order)
    index = canal_slice(series.labels)
    if order.look == "change":
        plain = _scan(healthy(int(person.person_id.removeprefix("sub-"))), order, seed)
        own = (series.labels.array == wanted) | (plain.labels.array == wanted)
        change = np.abs(series.volume.array.astype(np.int32) - plain.volume.array) * own
        index = int(change.sum(axis=(1, 2)).argmax())
    elif order.look == "dark":
        dark = (series.labels.array > BODY) & (series.volume.array < 0.05 * series.volume.array.max())
        index = int(dark.sum(axis=(1, 2)).argmax())
    samples, labels = plane(series.volume.array, index), plane(series.labels.array, index)
    spacing = (series.volume.spacing_mm[2], series.volume.spacing_mm[1])
    high = top_of_window(samples, labels, spacing)
    behind = centre[1] - 8 / spacing[1] * (order.half_mm < 50)
    middle = (samples.shape[0] - 1 - centre[2], samples.shape[1] - 1 - behind)
    marks = tuple(_names(labels, middle, spacing, order.half_mm)) if order.names else ()
    return Picture(_cropped(samples, middle, spacing, order.half_mm), spacing, high, marks=marks)


def _names(
    labels: Array, middle: tuple[float, float], spacing: tuple[float, float], half_mm: float
) -> Iterator[tuple[float, float, str]]:
    """Right, down (mm in the cropped picture) and name of each body."""
    for number, name in LEVEL_NAMES.items():
        here = np.argwhere(labels == BODY + number)
        if len(here):
            down, right = (here.mean(axis=0) - middle) * spacing + half_mm
            if max(abs(down - half_mm), abs(right - half_mm)) < 0.95 * half_mm:
                yield float(right), float(down), name


def findings_figure(*, seed: int) -> Figure:
    """All panels as one figure."""
    told = orders()
    lines, each = -(-len(told) // COLUMNS), 1.55
    width, height = COLUMNS * each, lines * (each + 0.2) + 0.25
    figure = blank(width, height)
    figure.set_layout_engine("none")
    for k, (order, picture) in enumerate(zip(told, _panels(told, seed), strict=True)):
        x, y = k % COLUMNS * each, height - (k // COLUMNS + 1) * (each + 0.2)
        axes = figure.add_axes((x / width, y / height, 0.98 * each / width, 0.98 * each / height))
        show(axes, picture)
        axes.set_title(order.title, fontsize=8, pad=2)
    figure.text(0.05 / width, 0.08 / height, f"{SIMULATED} {CAPTION}", fontsize=7.5)
    return figure


def _panels(told: tuple[Order, ...], seed: int) -> Iterator[Picture]:
    for order in told:
        yield panel(order, seed=seed)


def _scan(person: Traits, order: Order, seed: int) -> Series:
    made = acquire(person, order.request, seed=seed)
    return next(s for s in made if s.weighting == order.weighting)


def _axial(series: Series, centre: npt.NDArray[np.float64], order: Order) -> Picture:
    """Seen from the feet: the front at the top, the person's right at the left."""
    k = round(centre[2])
    samples, labels = (v.array[::-1, ::-1, k].T for v in (series.volume, series.labels))
    spacing = (series.volume.spacing_mm[1], series.volume.spacing_mm[0])
    middle = (samples.shape[0] - 1 - centre[1] + 12 / spacing[0], samples.shape[1] - 1 - centre[0])
    high = top_of_window(samples, labels, spacing)
    return Picture(_cropped(samples, middle, spacing, 1.3 * order.half_mm), spacing, high)


def _front(series: Series, centre: npt.NDArray[np.float64], order: Order) -> Picture:
    """A coronal picture bent along the middles of the bodies and discs, the person's right at the left."""
    labels, array = series.labels.array, series.volume.array
    spine = (labels > DISC) & (labels < BODY + 100)
    heights = np.flatnonzero(spine.any(axis=(0, 1)))
    middles = [float(np.argwhere(spine[:, :, k])[:, 1].mean()) for k in heights]
    y = np.rint(np.interp(np.arange(array.shape[2]), heights, middles)).astype(int)
    samples, shown = (a[:, y, np.arange(array.shape[2])][::-1, ::-1].T for a in (array, labels))
    spacing = (series.volume.spacing_mm[2], series.volume.spacing_mm[0])
    high = top_of_window(samples, shown, spacing)
    middle = (samples.shape[0] - 1 - centre[2], samples.shape[1] / 2)
    return Picture(_cropped(samples, middle, spacing, order.half_mm), spacing, high)


def _cropped(samples: Array, middle: tuple[float, float], spacing: tuple[float, float], half_mm: float) -> Array:
    """A square round a point, black beyond the edge."""
    half = [round(half_mm / mm) for mm in spacing]
    padded = np.pad(samples, [(h, h) for h in half])
    low = [round(m) for m in middle]  # the padding has moved the point by half a side
    return padded[low[0] : low[0] + 2 * half[0], low[1] : low[1] + 2 * half[1]]
