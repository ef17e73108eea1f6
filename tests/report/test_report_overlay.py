"""The overlay: hand-made scans whose every part must appear where it belongs."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from spineclock.core.errors import GeometryError
from spineclock.core.volume import Mask, Volume
from spineclock.report.ink import png
from spineclock.report.overlay import COLOURS, MARGIN_MM, body_centres, mid_sagittal, overlay, slice_picture

SPACING = np.diag([3.0, 2.0, 1.0, 1.0])


def made(*, flip_front: bool = False) -> tuple[Volume, Mask]:
    """Seven slices, 160 × 120 mm: a body (L3) in front and above, a disc under it, the canal behind, an arch.

    A bright block lies at the front of the lower edge. ``flip_front`` stores axis 1 the other way.
    """
    scan, labels = np.full((7, 80, 120), 20, np.int16), np.zeros((7, 80, 120), np.uint8)
    labels[:, 40:55, 70:100] = 22
    labels[:, 40:55, 60:70] = 122
    labels[2:6, 30:36, 10:110] = 61
    labels[3:5, 18:26, 70:88] = 22
    scan[labels == 22], scan[labels == 122], scan[labels == 61] = 120, 60, 250
    scan[:, 60:70, 5:15] = 200
    affine = SPACING.copy()
    if flip_front:
        scan, labels = scan[:, ::-1], labels[:, ::-1]
        affine[1] *= -1
        affine[1, 3] = 79 * 2.0
    return Volume(scan, affine), Mask(labels, affine)


def colour(name: str) -> np.ndarray:
    return np.array([int(COLOURS[name][i : i + 2], 16) for i in (1, 3, 5)])


@pytest.mark.parametrize("flip_front", [False, True])
def test_picture_has_anterior_left_and_superior_up(flip_front: bool) -> None:
    picture = slice_picture(*made(flip_front=flip_front))
    rows, columns = np.nonzero(picture.labels == 22)
    canal = np.nonzero(picture.labels == 61)[1]
    disc_rows = np.nonzero(picture.labels == 122)[0]
    assert rows.max() < disc_rows.min()  # the body above its disc
    body = columns[rows == rows.min()]
    assert body.min() < canal.min()  # and in front of the canal, which is to the left of it
    bright = np.argwhere((picture.samples == 200) & (picture.labels == 0))
    assert bright[:, 0].min() == 120 - 15
    assert bright[:, 1].max() < body.min()


def test_columns_far_from_the_labels_are_cut_off() -> None:
    scan, labels = made()
    picture = slice_picture(scan, labels)
    inside = np.flatnonzero((picture.labels > 0).any(axis=0))
    assert inside[0] == round(MARGIN_MM / 2)
    assert picture.samples.shape[0] == 120  # the whole height is shown
    assert picture.extent_mm == (0, 2.0 * picture.samples.shape[1], 120, 0)


def test_slice_with_most_canal_and_disc_is_chosen() -> None:
    _, labels = made()
    assert mid_sagittal(labels) in (3, 4)  # the canal lies in slices 2–5, not about the middle of 0–6 alone
    array = np.zeros((20, 30, 30), np.uint8)
    array[12:17, 10:15] = 61
    array[14, 10:16] = 61
    array[2:18, 18:25, 5:8] = 122
    assert mid_sagittal(Mask(array, np.eye(4))) == 14
    assert mid_sagittal(Mask(np.zeros((9, 4, 4), np.uint8), np.eye(4))) == 4


def test_pixels_show_outlines_where_the_labels_end() -> None:
    scan, labels = made()
    figure = overlay(scan, labels)
    pixels = np.asarray(Image.open(io.BytesIO(png(figure))).convert("RGB")).astype(int)
    assert pixels.shape[1] == 1000
    axes = figure.axes[1]
    height = pixels.shape[0]

    def pixel_at(x_mm: float, y_mm: float) -> tuple[int, int]:
        x, y = axes.transData.transform((x_mm, y_mm)) * 125 / figure.dpi
        return round(height - y), round(x)

    def near(kind: str, x_mm: float, y_mm: float) -> bool:
        row, column = pixel_at(x_mm, y_mm)
        patch = pixels[row - 3 : row + 4, column - 3 : column + 4].reshape(-1, 3)
        return bool((np.abs(patch - colour(kind)).max(axis=1) < 40).any())

    # In mm from the left (anterior) and top: cut at MARGIN + the body's front edge (index 54 → left edge 42 mm).
    assert near("vertebra", 42.0, 35.0)
    assert near("vertebra", 57.0, 20.0)  # upper edge: 120 − 100
    assert near("disc", 57.0, 60.0)  # lower edge: 120 − 60
    assert near("canal", 42 + 2 * (55 - 30), 60.0)  # back edge
    assert not near("vertebra", 30.0, 35.0)
    assert not near("canal", 57.0, 35.0)
    plain = pixels[:, :500]
    assert not (np.abs(plain - colour("vertebra")).max(axis=-1) < 30).any()  # the left one is bare


def test_pixels_have_their_physical_shape_and_names_their_place() -> None:
    figure = overlay(*made(), names={22: "L3"})
    axes = figure.axes[1]
    (x0, y0), (x1, y1) = axes.transData.transform([(0, 0), (10, 10)])
    assert abs(x1 - x0) == pytest.approx(abs(y1 - y0), rel=0.01)
    assert x1 > x0
    assert y1 < y0
    name = next(t for t in axes.texts if t.get_text() == "L3")
    x, y = name.get_position()
    assert (x, y) == pytest.approx((42 + 15, 120 - 85), abs=1.5)  # the body's middle, not the arch's
    places = {t.get_text(): t.get_position() for t in axes.texts}
    assert places["A"][0] < 0.1 < 0.9 < places["P"][0]
    assert places["I"][1] < 0.1 < 0.9 < places["S"][1]


def test_names_follow_the_mapping_and_default_to_levels() -> None:
    def texts(**options: object) -> set[str]:
        return {t.get_text() for t in overlay(*made(), **options).axes[1].texts} - set("APSI")  # type: ignore[arg-type]

    assert texts() == {"L3"}
    assert texts(names={22: "L2?"}) == {"L2?"}
    assert texts(names={}) == set()


def test_body_centres_prefer_the_foremost_part_and_skip_crumbs() -> None:
    labels = np.zeros((40, 40), np.uint8)
    labels[10:14, 5:15] = 21  # a body cut off by the edge, smaller than
    labels[8:20, 25:35] = 21  # its arch
    labels[30, 1] = 21  # a crumb in front of both
    assert body_centres(labels) == {21: (11.5, 9.5)}


def test_scan_without_labels_is_shown_whole() -> None:
    scan, labels = made()
    figure = overlay(scan, labels.with_array(np.zeros(labels.shape, np.uint8)))
    assert figure.axes[1].images[0].get_array().shape == (120, 80)


def test_other_grids_and_slices_are_refused() -> None:
    scan, labels = made()
    with pytest.raises(GeometryError, match="scan and labels: shapes"):
        overlay(scan, Mask(labels.array[:6], labels.affine))
    with pytest.raises(GeometryError, match="slice 7 asked for; wanted: 0–6"):
        slice_picture(scan, labels, index=7)
