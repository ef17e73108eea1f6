"""A picture sampled on a turned grid, beside SciPy's interpolation at the same points one by one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from spineclock.measure.section import Picture, sample


@pytest.mark.parametrize("angle", [0.0, 0.3, -0.7, 2.0])
@pytest.mark.parametrize("step", [0.4, 0.25])
def test_samples_are_what_lies_at_their_points(angle: float, step: float) -> None:
    share = ndimage.uniform_filter((np.random.default_rng(0).random((46, 40)) > 0.5).astype(float), 3)
    picture = Picture(share, (10.0, 20.0), (0.9, 0.7))
    axis = np.arange(-120, 121) * step
    found = sample(picture, (31.0, 33.0), angle, axis, axis)
    front, up = found.points()
    at = [(front - 10.0) / 0.9, (up - 20.0) / 0.7]
    wanted = ndimage.map_coordinates(share, at, order=1, mode="grid-constant")
    assert 0.1 < (wanted > 0).mean() < 0.9
    np.testing.assert_allclose(found.share, wanted, atol=1e-9)


def test_a_frame_beside_the_picture_meets_nothing() -> None:
    axis = np.arange(-10, 11) * 0.4
    assert not sample(Picture(np.ones((5, 5)), (0.0, 0.0), (1.0, 1.0)), (100.0, 100.0), 0.2, axis, axis).share.any()
