"""What a CT scanner does to HU: kernels, noise and its power, coarse pixels, a tilted gantry."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from bodies import person
from scipy import ndimage

from spineclock.core.anatomy import BODY, LEVEL_NUMBERS
from spineclock.phantom.anatomy.body import anatomy_of
from spineclock.phantom.ct.acquire import Exposure, reconstructed, tilted, upright
from spineclock.phantom.ct.scanner import Request, acquire
from spineclock.phantom.ct.style import Machine, response
from spineclock.phantom.mri.paint import Grid

MACHINE = Machine("GE", 120.0, 12.0, 1.0, 0.0, 3.0, 20.0)


def water(kernel="soft", *, pixel=0.4, slice_mm=3.0, girth=300.0, n=256):
    """Slices of water, as stored."""
    grid = Grid((n, n, 4), (pixel, pixel, slice_mm), (-pixel * n / 2, -pixel * n / 2, 0.0))
    told = Exposure(MACHINE, response(kernel, MACHINE), slice_mm, girth, (0.0, 0.0))
    return reconstructed(np.zeros(grid.shape, np.float32), grid, told, np.random.default_rng(1)), told


def middle(samples):
    n = samples.shape[0]
    return samples[n // 2 - n // 8 : n // 2 + n // 8, n // 2 - n // 8 : n // 2 + n // 8].astype(float)


@pytest.mark.parametrize(("kernel", "wanted"), [("soft", 12.0), ("bone", 38.4)])
def test_noise_is_what_dose_and_kernel_say(kernel, wanted):
    samples, told = water(kernel, pixel=0.25)
    assert told.noise_hu == pytest.approx(wanted)
    assert middle(samples).std() == pytest.approx(wanted, rel=0.08)
    assert middle(samples).mean() == pytest.approx(0, abs=1.5)


def test_thin_slices_and_large_people_are_noisier():
    assert water(slice_mm=0.75)[1].noise_hu == pytest.approx(24.0)  # a quarter of the quanta
    assert water(girth=400.0)[1].noise_hu == pytest.approx(12.0 * math.exp(0.4))


def peak(samples, pixel):
    """Where the noise's radial power spectrum is highest, cycles a mm."""
    power = np.mean([np.abs(np.fft.fft2(samples[:, :, k])) ** 2 for k in range(samples.shape[2])], axis=0)
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(samples.shape[0], pixel), np.fft.fftfreq(samples.shape[1], pixel)))
    edges = np.arange(0.02, 1.2, 0.04)
    mean = [power[(f >= a) & (f < b)].mean() for a, b in pairwise(edges)]
    return float(edges[int(np.argmax(mean))]) + 0.02


def test_noise_has_the_texture_of_its_kernel():
    f = np.linspace(0.01, 1.2, 2000)
    for kernel in ("soft", "bone"):
        told = response(kernel, MACHINE)
        wanted = f[np.argmax(told.power(f))]
        assert peak(water(kernel)[0].astype(float), 0.4) == pytest.approx(wanted, abs=0.06)
    assert peak(water("bone")[0].astype(float), 0.4) > 1.7 * peak(water("soft")[0].astype(float), 0.4)


def test_the_power_of_noise_adds_up_to_one():
    for kernel in ("soft", "bone"):
        told = response(kernel, MACHINE)
        f = np.linspace(0, 4, 20001)
        assert np.trapezoid(2 * np.pi * f * told.power(f), f) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("kernel", ["soft", "bone"])
def test_a_kernel_passes_a_wave_as_its_mtf_says(kernel):
    pixel, n, waves = 0.5, 256, 32
    grid = Grid((n, n, 8), (pixel, pixel, 3.0), (0.0, 0.0, 0.0))
    x = np.arange(n)
    wave = np.broadcast_to(500 * np.sin(2 * np.pi * waves * x / n)[:, None, None], grid.shape).astype(np.float32)
    silent = replace(MACHINE, noise_hu=0.0)
    told = Exposure(silent, response(kernel, silent), 3.0, 300.0, (0.0, 0.0))
    seen = reconstructed(np.ascontiguousarray(wave), grid, told, np.random.default_rng(1))
    wanted = float(told.response.mtf(np.array(waves / (n * pixel))))
    assert seen.std() / wave.std() == pytest.approx(wanted, abs=0.005)


def test_coarse_pixels_lose_what_is_beyond_their_frequencies():
    fine, coarse = water("soft", pixel=0.4)[0], water("soft", pixel=2.0, n=64)[0]
    assert middle(coarse).std() < 0.75 * middle(fine).std()


def test_bone_hardens_the_beam_between_bones():
    grid = Grid((120, 120, 8), (1.0, 1.0, 3.0), (-60.0, -60.0, 0.0))
    hu = np.zeros(grid.shape, np.float32)
    hu[30:40, 50:70], hu[80:90, 50:70] = 1000.0, 1000.0
    silent = replace(MACHINE, noise_hu=0.0)
    dark = [
        reconstructed(hu, grid, Exposure(silent, response("soft", silent), 3.0, 300.0, (0.0, 0.0), hardening),
                      np.random.default_rng(1))[55:65, 55:65].mean()
        for hardening in (False, True)
    ]  # fmt: skip
    assert dark[0] == pytest.approx(0, abs=1)
    assert -40 < dark[1] < -3


def test_leaning_slices_hold_what_lies_in_them():
    grid = Grid((3, 21, 10), (1.0, 2.0, 3.0), (0.0, -20.0, 5.0))
    source = upright(grid, 20.0)
    z = source.origin_mm[2] + source.step_mm[2] * np.arange(source.shape[2])
    hu = np.broadcast_to(10 * z, source.shape).astype(np.float32)  # HU tells the height
    labels = np.broadcast_to(np.rint(z + 100), source.shape).astype(np.uint16)
    leaning, map_ = tilted(hu, labels, source, grid, 20.0)
    j, k = np.arange(21)[:, None], np.arange(10)[None, :]
    wanted = 5.0 + 3.0 * k + j * 2.0 * math.sin(math.radians(20.0))
    assert np.abs(leaning[1] / 10 - wanted).max() < 0.01
    assert np.abs(map_[1] - 100.0 - wanted).max() <= 1.0
    assert source.step_mm[1] == pytest.approx(2.0 * math.cos(math.radians(20.0)))


@pytest.mark.parametrize("tilt", [0.0, 15.0, -15.0])
def test_bodies_lie_where_the_anatomy_has_them_however_the_gantry_leans(tilt):
    request = Request(grid_shape=(110, 64, 112), kernel="soft", phase="native", tilt_deg=tilt)
    (series,) = acquire(person(), request, seed=1)
    spine = anatomy_of(person(), seed=1)
    assert series.facts["GantryDetectorTilt"] == tilt
    lean = math.degrees(math.asin(series.volume.affine[2, 1] / series.volume.spacing_mm[1]))
    assert lean == pytest.approx(tilt)
    for level in ("L1", "L3"):
        there = ndimage.center_of_mass(series.labels.array == BODY + LEVEL_NUMBERS[level])
        place = (series.labels.affine @ [*there, 1])[:3]
        assert place == pytest.approx(spine.bodies[spine.names.index(level)]["centre"], abs=2.0)
        core = ndimage.binary_erosion(series.labels.array == BODY + LEVEL_NUMBERS[level], iterations=2)
        told = series.facts["SimulatedTrabecularHU"][level]
        assert series.volume.array[core].mean() == pytest.approx(told, abs=20)
