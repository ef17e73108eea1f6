"""Pictures of the phantom's radiographs and densitometer films: ``python -m spineclock.run.phantom_films``.

Writes ``phantom_radiographs.png``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from spineclock.core.anatomy import BODY, LEVEL_NUMBERS
from spineclock.core.findings import LEVELS
from spineclock.phantom.anatomy.traits import Traits, traits_of
from spineclock.phantom.people import people
from spineclock.phantom.radiograph.film import FULL_SCALE
from spineclock.phantom.radiograph.scanner import Request, acquire
from spineclock.phantom.radiograph.style import MODALITIES
from spineclock.report.ink import blank, png
from spineclock.run.phantom_pictures import SIMULATED, Picture, show
from spineclock.run.phantom_scans import as_displayed

MADE, SEED = 2000, 1
LIMIT_BYTES = 400_000
BROKEN = tuple(LEVELS.index(level) for level in ("L1", "L2", "L3"))
"""Levels among which the fracture shown is looked for."""


@dataclass(frozen=True, eq=False)
class Column:
    """One film: who is on it, and the picture."""

    title: str
    picture: Picture
    arrow: tuple[tuple[float, float], tuple[float, float]] | None = None
    """To where and from where it points, mm to the right and down."""


def column(person: Traits, request: Request, *, level: str, seed: int) -> Column:
    """A person's film as it is looked at, a mark behind the level of a fracture."""
    (series,) = acquire(person, request, seed=seed)
    spacing = series.facts["ImagerPixelSpacing"]
    front = series.facts["PatientOrientation"][0]
    shown = as_displayed(series.volume.array, front)
    arrow = None
    labels = as_displayed(series.labels.array, front)
    if level and (there := np.argwhere(labels == BODY + LEVEL_NUMBERS[level])).size:
        edge, way = (there[:, 1].max(), 1) if front == "A" else (there[:, 1].min(), -1)
        right, down = float(edge) * spacing[1], float(there[:, 0].mean()) * spacing[0]
        arrow = ((right + 4 * way, down), (right + 30 * way, down))
    kind = "VFA" if request.modality == "vfa" else "radiograph"
    title = f"{kind}: {person.sex}, {person.age_years:.0f} y, T {person.lumbar_t_score:+.1f}"
    title += f", {level} wedged" if level else ""
    return Column(title, Picture(shown, (spacing[0], spacing[1]), FULL_SCALE), arrow)


def shown_people(some: Sequence[Traits]) -> list[tuple[Traits, str]]:
    """A young person, one with a severe wedge fracture and its level, and an old one with thin bones."""
    young = min(some, key=lambda t: abs(t.age_years - 30) + abs(t.lumbar_t_score))
    broken = [(t, k) for t in some for k in BROKEN if t.fracture_shape[k] == 1 and t.fracture_grade[k] == 3]
    wedged, place = max(broken, key=lambda one: one[0].age_years)
    old = min(some, key=lambda t: abs(t.age_years - 80) + abs(t.lumbar_t_score + 2.5))
    return [(young, ""), (wedged, LEVELS[place]), (old, "")]


def films(*, seed: int) -> list[list[Column]]:
    """Radiographs above, densitometer films below."""
    chosen = shown_people(traits_of(people(MADE, seed=seed)))
    return [[column(person, Request(kind), level=level, seed=seed) for person, level in chosen] for kind in MODALITIES]


def films_figure(shown: Sequence[Sequence[Column]], *, tall: float = 4.4) -> Figure:
    """The films as one figure; ``tall`` is a panel's height in inches."""
    aspects = [[c.picture.aspect for c in row] for row in shown]
    width, height = tall * max(sum(row) for row in aspects) + 0.1, len(shown) * (tall + 0.25) + 0.2
    figure = blank(width, height)
    figure.set_layout_engine("none")
    for r, (row, wide) in enumerate(zip(shown, aspects, strict=True)):
        space = (width - tall * sum(wide)) / (len(row) + 1)
        x, y = space, height - (r + 1) * (tall + 0.25)
        for one, aspect in zip(row, wide, strict=True):
            axes = figure.add_axes((x / width, y / height, tall * aspect / width, tall / height))
            show(axes, one.picture)
            if one.arrow is not None:
                look = {
                    "arrowstyle": "simple,head_width=0.5,tail_width=0.18",
                    "facecolor": "white",
                    "edgecolor": "black",
                }
                axes.annotate("", *one.arrow, arrowprops=look)
            axes.set_title(one.title, fontsize=8.5, pad=3)
            x += tall * aspect + space
    figure.text(0.01, 0.05 / height, SIMULATED, fontsize=7.5)
    return figure


def small_png(data: bytes, *, limit_bytes: int = LIMIT_BYTES) -> bytes:
    """A picture as a grey PNG of at most so many bytes, in fewer shades and smaller if need be."""
    image = Image.open(BytesIO(data)).convert("L")
    while True:
        held = BytesIO()
        image.quantize(64).save(held, "PNG", optimize=True)
        if held.tell() <= limit_bytes:
            return held.getvalue()
        image = image.resize((round(0.9 * image.width), round(0.9 * image.height)), Image.Resampling.LANCZOS)


def main() -> None:
    """Makes the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m spineclock.run.phantom_films",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="the folder of the picture")
    told = parser.parse_args()
    told.out.mkdir(parents=True, exist_ok=True)
    figure = films_figure(films(seed=SEED))
    (told.out / "phantom_radiographs.png").write_bytes(small_png(png(figure)))


if __name__ == "__main__":
    main()
