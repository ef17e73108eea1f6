"""Single pictures whose spacing is wrong, and whose names would be counted from the wrong end."""

from __future__ import annotations

import numpy as np
import pytest

from spineclock.core.errors import UsageError
from spineclock.core.volume import Volume
from spineclock.segment.pictures import outline_picture, turned


def drawn(pixels_a_mm, *, levels=6, tall_mm=260.0):
    """Bodies (grey 2) and discs (1) of 26 and 8 mm from below up, a canal (3) behind, drawn in one slice."""
    j, k = np.arange(round(160 * pixels_a_mm))[:, None], np.arange(round(tall_mm * pixels_a_mm))[None]
    y, z = j / pixels_a_mm, k / pixels_a_mm
    grey = np.zeros((len(j), k.shape[1]))
    grey[np.broadcast_to((y > 45) & (y < 60), grey.shape)] = 3
    for n in range(levels):
        low = 20 + 34 * n
        grey[(y > 63) & (y < 97) & (z > low) & (z < low + 8)] = 1
        grey[(y > 62) & (y < 98) & (z >= low + 8) & (z <= low + 34)] = 2
    return grey


def volume(grey, spacing_mm):
    return Volume(grey[None], np.diag([4.0, spacing_mm, spacing_mm, 1.0]))


def by_grey(pictures, *, largest_pixels=10_000):
    """A network that tells classes by grey value, and nothing in pictures that are too large for it."""
    middle = pictures[:, 1]
    classes = np.clip(np.rint((middle - middle.min()) / max(np.ptp(middle), 1e-6) * 3), 0, 3).astype(int)
    if max(middle.shape[1:]) > largest_pixels:
        classes[:] = 0
    return np.eye(4, dtype=np.float32)[classes].transpose(0, 3, 1, 2)


def test_a_picture_at_its_true_spacing_is_outlined_at_once():
    seen = outline_picture(volume(drawn(2.0), 0.5), by_grey)
    assert seen.scale == 1.0
    assert seen.found.vertebrae[0].level == "L5"
    assert len(seen.found.vertebrae) >= 5


def test_a_picture_taller_than_any_is_taken_to_have_been_resized():
    seen = outline_picture(volume(drawn(2.0), 1.2), by_grey)  # says 624 mm
    assert seen.scale == pytest.approx(290 / 624)
    assert seen.volume.spacing_mm[1:] == pytest.approx((1.2 * 290 / 624,) * 2)
    assert len(seen.found.vertebrae) >= 5
    assert seen.found.labels.affine == pytest.approx(seen.volume.affine)


def test_where_too_little_is_found_other_sizes_are_tried():
    """The network sees nothing in pictures above 600 pixels: at 0.7 of the nominal spacing there are fewer."""
    seen = outline_picture(volume(drawn(2.0), 0.62), lambda p: by_grey(p, largest_pixels=600))
    assert seen.scale == 0.7
    assert len(seen.found.vertebrae) >= 5


def test_the_reader_may_name_the_lowest_vertebra():
    seen = outline_picture(volume(drawn(2.0), 0.5), by_grey, lowest_vertebra="L4")
    assert seen.found.vertebrae[0].level == "L4"
    with pytest.raises(UsageError, match="M4"):
        outline_picture(volume(drawn(2.0), 0.5), by_grey, lowest_vertebra="M4")


def canal_at(pictures):
    """Where the canal lies, as a share of the picture along that axis from whose middle it is farther."""
    middle = pictures[0, 1]
    places = np.nonzero(middle >= 0.9 * middle.max())
    shares = [place.mean() / n for place, n in zip(places, middle.shape, strict=True)]
    return max(shares, key=lambda share: abs(share - 0.5))


def used_to(picture):
    """A network that tells classes in pictures whose canal lies as in this one, and nothing in others."""
    seen = []
    outline_picture(picture, lambda p: seen.append(canal_at(p)) or by_grey(p))

    def network(pictures):
        known = canal_at(pictures) == pytest.approx(seen[0], abs=0.05)
        return by_grey(pictures if known else np.zeros_like(pictures))

    return network


@pytest.mark.parametrize("axes", [(1,), (1, 2)])
def test_a_picture_with_its_front_at_the_right_is_told(axes):
    upright = volume(drawn(2.0), 0.5)
    other = upright.with_array(np.flip(upright.array, axes))
    network = used_to(upright)
    assert turned(outline_picture(upright, network), network) == ""
    assert turned(outline_picture(other, network), network) in ("mirrored", "turned by half a circle")


def test_real_pictures_are_told_from_their_mirrored_and_turned_copies(real_data):
    from PIL import Image

    from spineclock.core.geometry import picture_volume
    from spineclock.nets.weights import packaged
    from spineclock.recipes.mri_age import SEGMENTER
    from spineclock.segment.engine import scorer

    network = scorer(packaged(SEGMENTER), threads=1)
    upright = np.asarray(Image.open(real_data / "spider" / "midsagittal" / "115_t2.png").convert("L"))
    said = []
    for picture in (upright, upright[:, ::-1], upright[::-1, ::-1]):
        seen = outline_picture(picture_volume(np.ascontiguousarray(picture), (290 / len(picture),) * 2), network)
        said.append(turned(seen, network))
    assert said == ["", "mirrored", "turned by half a circle"]
