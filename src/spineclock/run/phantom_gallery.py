"""Pictures of the phantom, beside real people and finding by finding: ``python -m spineclock.run.phantom_gallery``.

Writes ``phantom_gallery.jpg`` and, from :mod:`spineclock.run.phantom_findings`, ``phantom_findings.jpg``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from spineclock.core.anatomy import ARCH, BODY, DISC, LEVEL_NUMBERS, RIB, Structure
from spineclock.core.volume import Array, Mask, Volume
from spineclock.ingest.datasets import spider
from spineclock.ingest.datasets.spider import SpiderPerson
from spineclock.phantom.anatomy.traits import Traits, traits_of
from spineclock.phantom.mri.scanner import Request, acquire
from spineclock.phantom.people import people
from spineclock.report.ink import blank
from spineclock.run.phantom_findings import findings_figure
from spineclock.run.phantom_pictures import (
    SIMULATED,
    Picture,
    canal_slice,
    plane,
    show,
    top_of_window,
    write_picture,
)
from spineclock.run.phantom_realism import matched, tuning_people
from spineclock.segment.instances import find

ROWS = ((30, "F"), (50, "F"), (70, "M"), (85, "M"))
"""Ages of the rows; the sexes where no real person says otherwise."""
ADULT_YEARS = 18
MADE, SEED = 2000, 11
COLOURS = {
    "vertebral bodies": ("#56b4e9", "#2f86bd"), "arches": ("#0a9e8a", "#0a7c6d"), "discs": ("#f0a30a", "#f0a30a"),
    "spinal cord": ("#f0e442", "#f0e442"), "CSF": ("#ee7fd0", "#ee7fd0"), "sacrum": ("#8a6fd1", "#8a6fd1"),
    "ribs": ("#d9d9d9", "#d9d9d9"), "muscles": ("#a8483f", "#87342d"), "subcutaneous fat": ("#5a5030", "#5a5030"),
}  # fmt: skip
"""Even and odd levels of a structure, or left and right."""
ATTRIBUTION = (
    "Real scans: SPIDER, van der Graaf et al., Sci Data 11:264 (2024), doi:10.1038/s41597-024-03090-w, CC BY 4.0; "
    "one slice each, windowed."
)


def sagittal(volume: Volume, labels: Mask, *, index: int | None = None, simulated: bool = True) -> Picture:
    """The slice with most of the canal, or the one asked for, windowed on the spine."""
    at = canal_slice(labels) if index is None else index
    samples, spacing = plane(volume.array, at), (volume.spacing_mm[2], volume.spacing_mm[1])
    return Picture(samples, spacing, top_of_window(samples, plane(labels.array, at), spacing), simulated)


def coloured(labels: Array) -> Array:
    """Each number of a label map as a colour, (…, 3) bytes; bodies and arches take turns in shade."""
    table = np.zeros((512, 3), np.uint8)
    for number in LEVEL_NUMBERS.values():
        for offset, name in ((BODY, "vertebral bodies"), (ARCH, "arches"), (DISC, "discs"), (RIB, "ribs")):
            table[offset + number] = _rgb(COLOURS[name][number % 2])
    table[LEVEL_NUMBERS["S1"] + np.array([0, DISC, BODY, ARCH])] = _rgb(COLOURS["sacrum"][0])
    table[Structure.CORD] = _rgb(COLOURS["spinal cord"][0])
    table[[Structure.CSF, Structure.CANAL]] = _rgb(COLOURS["CSF"][0])
    for left, right in (
        (Structure.PSOAS_LEFT, Structure.PSOAS_RIGHT),
        (Structure.ERECTOR_LEFT, Structure.ERECTOR_RIGHT),
    ):
        table[left], table[right] = (_rgb(c) for c in COLOURS["muscles"])
    table[Structure.SUBCUTANEOUS_FAT] = _rgb(COLOURS["subcutaneous fat"][0])
    return table[labels]


def from_the_front(labels: Mask) -> Array:
    """The first label met from the front, rows from superior to inferior, the person's right at the left."""
    array = labels.array[:, ::-1, :]
    first = (array > 0).argmax(axis=1)
    return np.take_along_axis(array, first[:, None, :], axis=1)[::-1, 0, ::-1].T


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


@dataclass(frozen=True, eq=False)
class Row:
    """One age: the real person's age and sex where there is one, and the pictures by column."""

    title: str
    pictures: dict[str, Picture]


def row(made: Traits, real: SpiderPerson | None, *, seed: int) -> Row:
    """A made-up person's pictures, beside those of a real one."""
    pictures = {}
    title = f"simulated: {made.sex}, {made.age_years:.0f} years"
    if real is not None:
        found = find(real.mask).labels
        pictures["real, T2 SPACE"] = sagittal(real.volume, found, simulated=False)
        title = f"real: {real.sex}, {real.age_years:.0f} years\n{title}"
    for request, names in (
        (Request("lumbar", ("T2w",), "space"), ("T2 SPACE, 1 mm",)),
        (Request("lumbar", ("T2w", "T1w")), ("T2 turbo spin echo", "T1 turbo spin echo")),
    ):
        for series, name in zip(acquire(made, request, seed=seed), names, strict=True):
            thick = float(series.facts["SliceThickness"])
            picture = sagittal(series.volume, series.labels)
            note = "" if request.slices == "space" else f"{thick:g} mm, {series.facts['MagneticFieldStrength']:g} T"
            pictures[name] = Picture(picture.samples, picture.spacing_mm, picture.high, note=note)
    (whole,) = acquire(made, Request("whole", ("T2w",)), seed=seed)
    pictures["whole, T2"] = sagittal(whole.volume, whole.labels)
    at, (across, deep, up) = canal_slice(whole.labels), whole.volume.spacing_mm
    pictures["label map"] = Picture(coloured(plane(whole.labels.array, at)), (up, deep))
    pictures["front"] = Picture(coloured(from_the_front(whole.labels)), (up, across))
    return Row(title, pictures)


def rows(real: Sequence[SpiderPerson], *, seed: int) -> Iterator[Row]:
    """A row for each of the ages; ``real`` are all of SPIDER's people, of whom the tuning half is shown, or nobody."""
    tuning = set(tuning_people([p.person_id for p in real]))
    shown = [p for p in real if p.person_id in tuning and p.age_years >= ADULT_YEARS]
    chosen: list[SpiderPerson | None] = [
        min(shown, key=lambda p: abs(p.age_years - age)) if shown else None for age, _ in ROWS
    ]
    wanted = [
        (float(age), sex) if p is None else (p.age_years, p.sex) for p, (age, sex) in zip(chosen, ROWS, strict=True)
    ]
    for made, person in zip(matched(wanted, traits_of(people(MADE, seed=seed))), chosen, strict=True):
        yield row(made, person, seed=seed)


def gallery(shown: Sequence[Row], *, tall: float = 2.5) -> Figure:
    """The rows as one figure; ``tall`` is a panel's height in inches."""
    names = list(shown[0].pictures)
    widths = [max(r.pictures[n].aspect for r in shown) for n in names]
    left, top, bottom = 0.55, 0.3, 0.5
    width, height = tall * sum(widths) + left, tall * len(shown) + top + bottom
    figure = blank(width, height)
    figure.set_layout_engine("none")
    for k, told in enumerate(shown):
        x = left
        y = bottom + tall * (len(shown) - 1 - k)
        for name, wide in zip(names, widths, strict=True):
            axes = figure.add_axes((x / width, y / height, tall * wide * 0.985 / width, tall * 0.985 / height))
            show(axes, told.pictures[name])
            if k == 0:
                axes.set_title(name, fontsize=8.5, pad=3)
            x += tall * wide
        figure.text(
            0.27 / width, (y + tall / 2) / height, told.title, rotation=90, ha="center", va="center", fontsize=9
        )
    keys = [Patch(color=pair[0], label=name) for name, pair in COLOURS.items()]
    figure.legend(handles=keys, loc="lower right", ncols=len(keys), fontsize=7, frameon=False, handlelength=1.0,
                  bbox_to_anchor=(1.0, 0.24 / height), columnspacing=1.0)  # fmt: skip
    caption = f"{ATTRIBUTION} {SIMULATED}" if any("real" in n for n in names) else SIMULATED
    figure.text(left / width, 0.1 / height, caption, fontsize=7.5)
    return figure


def main() -> None:
    """Makes the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m spineclock.run.phantom_gallery --spider SPIDER",
    )  # fmt: skip
    parser.add_argument(
        "--spider", type=Path, help="the SPIDER folder (docs/data.md); without it no real person is shown"
    )
    parser.add_argument("--out", type=Path, default=Path("docs/images"), help="the folder of the pictures")
    parser.add_argument("--only", choices=("gallery", "findings"), help="one of the two pictures")
    told = parser.parse_args()
    if told.only != "findings":
        real = spider.read(told.spider) if told.spider else []
        write_picture(gallery(list(rows(real, seed=SEED))), told.out / "phantom_gallery.jpg")
    if told.only != "gallery":
        write_picture(findings_figure(seed=1), told.out / "phantom_findings.jpg")


if __name__ == "__main__":
    main()
