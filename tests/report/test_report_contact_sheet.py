"""Sheets of crops: what is on them, and how large they are."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from spineclock.core.errors import UsageError
from spineclock.report.contact_sheet import contact_sheet, sheet_png


@dataclass
class Tile:
    level: str
    array: np.ndarray
    mask: np.ndarray


def tiles(levels, size=64, seed=0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    mask = ((np.abs(x - 0.5) < 0.4) & (np.abs(y - 0.5) < 0.3))[None]
    return [Tile(level, (mask + rng.normal(0, 0.2, mask.shape)).astype(np.float32), mask) for level in levels]


def test_a_row_a_person_and_a_column_a_level_from_the_top_down():
    figure = contact_sheet(
        {"A": tiles(("L3", "L1")), "B": tiles(("L1",))},
        captions={("A", "L1"): "T −2.6"},
        missing={("B", "T12"): "cut"},
        title="Bodies",
        note="T1w",
    )
    words = [[t.get_text() for t in axes.texts] for axes in figure.axes]
    assert words == [["none"], ["L1"], ["L3"], ["cut"], ["L1"], ["none"]]
    assert [axes.get_ylabel() for axes in figure.axes] == ["A", "", "", "B", "", ""]
    assert figure.axes[1].get_xlabel() == "T −2.6"
    assert (figure.get_suptitle(), figure.get_supxlabel()) == ("Bodies", "T1w")


def test_a_persons_crops_share_a_window():
    dark, bright = tiles(("L1", "L2"))
    bright.array = bright.array * 4
    figure = contact_sheet({"A": [dark, bright]})
    one, two = (axes.images[0].get_clim() for axes in figure.axes)
    assert one == two
    assert one[1] == pytest.approx(np.percentile(np.stack([dark.array, bright.array]), 99.5), rel=1e-5)


def test_heat_lies_over_its_crop_alone_and_none_is_clear():
    heat = np.zeros((64, 64))
    heat[10, 20] = 3.0
    heat[11, 20] = -5.0
    figure = contact_sheet({"A": tiles(("L1", "L2"))}, heat={("A", "L2"): heat}, outlines=True)
    assert [len(axes.images) for axes in figure.axes] == [1, 2]
    alpha = figure.axes[1].images[1].get_alpha()
    assert alpha[10, 20] == pytest.approx(0.6)
    assert np.count_nonzero(alpha) == 1
    with pytest.raises(UsageError, match=r"a map of shape \(8, 8\) over a crop of \(64, 64\)"):
        contact_sheet({"A": tiles(("L1",))}, heat={("A", "L1"): np.zeros((8, 8))})


@pytest.mark.parametrize("limit_bytes", [500_000, 60_000])
def test_the_file_is_a_png_of_no_more_than_its_limit(limit_bytes):
    sheet = contact_sheet({f"person {n}": tiles(("L1", "L2", "L3", "L4"), size=96, seed=n) for n in range(5)})
    picture = sheet_png(sheet, limit_bytes=limit_bytes)
    assert len(picture) <= limit_bytes
    image = Image.open(io.BytesIO(picture))
    assert image.format == "PNG"
    assert image.width > 200


def test_nobody_or_a_crowd_is_refused():
    for people in ({}, {"A": []}, {str(n): tiles(("L1",), size=8) for n in range(41)}):
        with pytest.raises(UsageError, match="wanted: 1 to 40 people and a crop"):
            contact_sheet(people)
