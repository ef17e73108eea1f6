"""The phantom's beam: line integrals of known shapes, Beer–Lambert's law, and the law of magnification."""

from __future__ import annotations

import numpy as np
import pytest

from spineclock.phantom.anatomy.forms import BLOCK, BODY
from spineclock.phantom.radiograph.beam import Beam
from spineclock.phantom.radiograph.bones import project_blocks, project_bodies
from spineclock.phantom.radiograph.film import transmitted
from spineclock.phantom.radiograph.tissue import CORTEX_EXCESS, DENSITY

MU = 0.02


def beam(*, focus_mm: float = 1e6, detector_mm: float = -200.0, pixel_mm: float = 0.5, size: int = 240, **told) -> Beam:
    origin = -pixel_mm * (size - 1) / 2
    return Beam((size, size), pixel_mm, (origin, origin), (focus_mm, 0.0, 0.0), detector_mm, 0.0, **told)


def block(half, *, at=(0.0, 0.0, 0.0), edge=0.3, corner=0.0, cortex=0.0):
    one = np.zeros(1, BLOCK)
    one["centre"], one["axes"], one["half"], one["round"], one["corner"] = at, np.eye(3), half, edge, corner
    one["joins"], one["label"], one["cortex"] = -1, 320, cortex
    return one


def depth_of(blocks, through: Beam):
    depth, labels = np.zeros(through.shape, np.float32), np.zeros(through.shape, np.uint16)
    project_blocks(through.rays(), blocks, np.zeros(1, BODY), np.full(len(blocks), MU), 1.0, depth, labels, 26)
    return depth


def places(through: Beam):
    rays = through.rays()
    return np.meshgrid(rays.forward, rays.up, indexing="ij")


def test_a_slab_weakens_the_beam_as_beer_and_lambert_say():
    through = beam()
    depth = depth_of(block((15.0, 40.0, 40.0)), through)
    light = transmitted(depth, np.zeros_like(depth), 0.0, through.pixel_mm)
    y, z = places(through)
    inside = (abs(y) < 35) & (abs(z) < 35)
    assert light[inside] == pytest.approx(np.exp(-MU * 30.0), rel=1e-3)
    assert (light[(abs(y) > 42) | (abs(z) > 42)] == 1).all()


def test_a_slab_s_cortex_is_counted_at_both_faces():
    depth = depth_of(block((15.0, 40.0, 40.0), cortex=2.0), beam())
    assert depth[120, 120] == pytest.approx(MU * 26.0 + CORTEX_EXCESS * 4.0, rel=0.01)


def test_a_sphere_s_chords_are_those_of_geometry():
    through, radius = beam(), 20.0
    depth = depth_of(block((radius,) * 3, edge=radius, corner=1.0), through)
    y, z = places(through)
    far = np.hypot(y, z)
    chord = 2 * np.sqrt(np.clip(radius**2 - far**2, 0, None))
    assert np.abs(depth / MU - chord)[far < 18].max() < 0.5
    assert depth.sum() * through.pixel_mm**2 / MU == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.01)


@pytest.mark.parametrize("x", [-60.0, 0.0, 60.0])
def test_magnification_is_focus_detector_over_focus_object(x):
    through = beam(focus_mm=900.0, detector_mm=-200.0)
    radius, at = 10.0, 12.0
    depth = depth_of(block((radius,) * 3, at=(x, at, at), edge=radius, corner=1.0), through)
    y, z = places(through)
    law = 1100.0 / (900.0 - x)
    assert through.magnification(x) == pytest.approx(law)
    assert [(depth * axis).sum() / depth.sum() for axis in (y, z)] == pytest.approx([at * law] * 2, rel=0.01)
    area = (depth > 0.02 * depth.max()).sum() * through.pixel_mm**2
    assert np.sqrt(area / np.pi) == pytest.approx(radius * law, rel=0.02)


def test_a_fan_that_moves_along_the_body_does_not_magnify_upwards():
    through = beam(focus_mm=800.0, detector_mm=0.0, fan=True)
    depth = depth_of(block((10.0,) * 3, at=(60.0, 12.0, 12.0), edge=10.0, corner=1.0), through)
    y, z = places(through)
    assert (depth * z).sum() / depth.sum() == pytest.approx(12.0, abs=0.05)
    assert (depth * y).sum() / depth.sum() == pytest.approx(12.0 * 800 / 740, abs=0.1)


def test_a_body_s_marrow_adds_up_to_its_volume_times_its_density():
    body = np.zeros(1, BODY)
    body["axes"], body["height"], body["label"] = np.eye(3), 30.0, 222
    body["depth_upper"] = body["depth_lower"] = 17.0
    body["width_upper"] = body["width_lower"] = 24.0
    made = np.zeros(1, DENSITY)
    made["marrow"], made["hard_deep"] = 0.01, 3.5
    through = beam()
    depth = np.zeros(through.shape, np.float32)
    near, labels = np.full(through.shape, 99, np.float32), np.zeros(through.shape, np.uint16)
    grain = np.zeros((64, 64, 64), np.float32)
    project_bodies(through.rays(), body, made, grain, depth, near, labels)
    y, z = places(through)
    plain = (abs(y) < 8) & (abs(z) < 8)
    assert depth[120, 120] == pytest.approx(0.01 * 48.0, rel=0.02)
    assert depth[plain].min() > 0.01 * 40.0
    assert (labels == 222).any(axis=0).sum() * through.pixel_mm == pytest.approx(30.0, abs=0.6)
    assert (labels == 222).any(axis=1).sum() * through.pixel_mm == pytest.approx(34.0, abs=1.5)


def test_scatter_adds_its_share_behind_a_trunk_and_none_beside():
    depth, thickness = np.zeros((300, 300), np.float32), np.zeros((300, 300), np.float32)
    depth[:, 100:], thickness[:, 100:] = 4.0, 300.0
    light = transmitted(depth, thickness, 0.4, 1.0)
    assert light[150, 260] == pytest.approx(np.exp(-4.0) / 0.6, rel=0.03)
    assert light[150, 5] == pytest.approx(1.0, abs=0.01)
