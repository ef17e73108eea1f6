"""Pictures of the phantom's CT: ``python -m spineclock.run.phantom_ct_pictures``.

Writes ``phantom_ct.png``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from spineclock.core.anatomy import BODY, LEVEL_NUMBERS
from spineclock.core.volume import Array
from spineclock.phantom.anatomy.traits import Traits, traits_of
from spineclock.phantom.ct.scanner import Request, acquire
from spineclock.phantom.people import people
from spineclock.report.ink import blank, png
from spineclock.run.phantom_films import MADE, SEED, shown_people, small_png
from spineclock.run.phantom_pictures import SIMULATED, Picture, plane, show

WINDOWS = {"bone": (-200.0, 1000.0), "soft": (-160.0, 240.0)}
"""Lowest and highest HU that are told apart."""
SLICE_MM, PIXEL_MM = 1.5, 0.9
LIMIT_BYTES = 400_000


def row(person: Traits, level: str, request: Request, *, seed: int) -> list[tuple[str, Picture]]:
    """The axial slice through the middle of L3 in both windows, and the sagittal one in that of bone."""
    (series,) = acquire(person, request, seed=seed)
    hu, labels = series.volume.array, series.labels.array
    across, deep, up = series.volume.spacing_mm
    k = round(float(np.argwhere(labels == BODY + LEVEL_NUMBERS["L3"])[:, 2].mean()))
    i = round(float(np.argwhere((labels > BODY) & (labels < BODY + 30))[:, 0].mean()))
    axial, sagittal = hu[::-1, ::-1, k].T, plane(hu, i)
    facts = series.facts
    who = f"{person.sex}, {person.age_years:.0f} y, T {person.lumbar_t_score:+.1f}"
    told = f"{facts['SimulatedKernel']} kernel, {facts['ContrastPhase'].replace('_', ' ')}"
    return [
        (who, Picture(_shown(axial, "soft"), (deep, across), note=told)),
        (f"L1 {facts['SimulatedTrabecularHU']['L1']:.0f} HU", Picture(_shown(axial, "bone"), (deep, across))),
        (f"{level} wedged" if level else "", Picture(_shown(sagittal, "bone"), (up, deep))),
    ]


def _shown(samples: Array, window: str) -> Array:
    low, high = WINDOWS[window]
    return np.clip((samples.astype(np.float32) - low) / (high - low), 0, 1)


def ct_figure(rows: Sequence[Sequence[tuple[str, Picture]]], *, tall: float = 2.9) -> Figure:
    """A row a person; ``tall`` is a panel's height in inches."""
    width = max(sum(picture.aspect for _, picture in one) for one in rows) * tall + 0.2
    height = len(rows) * (tall + 0.25) + 0.2
    figure = blank(width, height)
    figure.set_layout_engine("none")
    for r, one in enumerate(rows):
        x, y = 0.05, height - (r + 1) * (tall + 0.25)
        for title, picture in one:
            axes = figure.add_axes((x / width, y / height, tall * picture.aspect / width, tall / height))
            show(axes, picture)
            axes.set_title(title, fontsize=8, pad=3)
            x += tall * picture.aspect + 0.05
    figure.text(0.01, 0.05 / height, SIMULATED, fontsize=7.5)
    return figure


def main() -> None:
    """Makes the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m spineclock.run.phantom_ct_pictures",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="the folder of the picture")
    told = parser.parse_args()
    told.out.mkdir(parents=True, exist_ok=True)
    chosen = shown_people(traits_of(people(MADE, seed=SEED)))
    requests = [
        Request(slice_mm=SLICE_MM, pixel_mm=PIXEL_MM, kernel="soft", phase="portal_venous"),
        Request(slice_mm=SLICE_MM, pixel_mm=PIXEL_MM, kernel="soft", phase="native"),
        Request(slice_mm=SLICE_MM, pixel_mm=PIXEL_MM, kernel="bone", phase="native"),
    ]
    rows = [row(person, level, request, seed=SEED) for (person, level), request in zip(chosen, requests, strict=True)]
    (told.out / "phantom_ct.png").write_bytes(small_png(png(ct_figure(rows)), limit_bytes=LIMIT_BYTES))


if __name__ == "__main__":
    main()
