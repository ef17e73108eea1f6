"""The lumbar phantom: its labels against the dimensions it was made from, its signals against age."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from scipy import ndimage

from spineclock.core.errors import UsageError
from spineclock.core.geometry import canonical
from spineclock.phantom.lumbar import Grid, PhantomScan, lumbar_scan
from spineclock.phantom.lumbar_shape import LEVELS, lumbar_spine

SMALL = Grid(slices=5, slice_mm=3.0, pixel_mm=0.9)


@pytest.fixture(scope="module")
def young() -> PhantomScan:
    return lumbar_scan(age_years=25, sex="F", seed=7, grid=SMALL)


@pytest.fixture(scope="module")
def old() -> PhantomScan:
    return lumbar_scan(age_years=80, sex="F", seed=7, grid=SMALL)


def height_in_labels(scan: PhantomScan, number: int, y_mm: float, z_mm: float, tilt: float) -> float:
    """Mean length (mm) of a label along lines across the disc near its middle, in the middle slice."""
    u, w = np.meshgrid(np.arange(-3, 3.1, 0.25), np.arange(-20, 20, 0.05))
    points = np.stack(
        [
            np.zeros_like(u),
            y_mm + np.cos(tilt) * u - np.sin(tilt) * w,
            z_mm + np.sin(tilt) * u + np.cos(tilt) * w,
            np.ones_like(u),
        ]
    ).reshape(4, -1)
    index = np.rint(np.linalg.inv(scan.labels.affine) @ points).astype(int)[:3]
    return float((scan.labels.array[tuple(index)] == number).sum() * 0.05 / u.shape[1])


@pytest.mark.parametrize("which", ["young", "old"])
def test_disc_heights_in_the_labels_are_those_it_was_made_with(which: str, request: pytest.FixtureRequest) -> None:
    scan: PhantomScan = request.getfixturevalue(which)
    lumbar = scan.discs[:5]
    assert [d.name for d in lumbar] == ["L5", "L4", "L3", "L2", "L1"]
    errors = []
    for disc in lumbar:
        found = height_in_labels(scan, disc.number, disc.y_mm, disc.z_mm, disc.tilt)
        errors.append(found - disc.height_mm)
        assert found == pytest.approx(disc.height_mm, abs=0.5), disc.name  # a pixel is 0.9 mm


def test_mean_young_disc_heights_are_the_published_ones() -> None:
    people = [lumbar_spine(age_years=20, sex="F", rng=np.random.default_rng(s)) for s in range(200)]
    found = np.mean([[d.height_mm for d in p.discs[:5]] for p in people], axis=0)
    np.testing.assert_allclose(found, [11.10, 11.96, 10.7, 9.3, 7.89], rtol=0.09)  # women 4% over the mean, ± grade


def test_labels_are_numbered_from_l5_upwards(young: PhantomScan) -> None:
    present = set(np.unique(young.labels.array).tolist())
    assert {24, 23, 22, 21, 20, 19, 18} <= present  # L5 … T11
    assert {124, 123, 122, 121, 120, 119} <= present
    assert 61 in present
    assert 26 not in present  # the sacrum is not labelled
    middles = [ndimage.center_of_mass(young.labels.array == n)[2] for n in (24, 23, 22, 21, 20, 19)]
    assert middles == sorted(middles)
    for number in (24, 23, 22, 21, 20):  # each disc lies under its vertebra, the canal behind all of them
        disc = ndimage.center_of_mass(young.labels.array == 100 + number)
        assert disc[2] < ndimage.center_of_mass(young.labels.array == number)[2]
        rows = np.flatnonzero((young.labels.array[2, :, round(disc[2])]) == 61)
        assert rows.max() < disc[1]


def test_bodies_come_with_arches_behind_the_canal(young: PhantomScan) -> None:
    middle = young.labels.array[2]
    for number in (20, 21, 22, 23, 24):
        parts, count = ndimage.label(middle == number)
        assert count == 2
        body, process = sorted(ndimage.center_of_mass(parts > 0, parts, [1, 2]), key=lambda c: -c[0])
        canal = np.flatnonzero(middle[:, round(process[1])] == 61)
        assert process[0] < canal.min() < body[0]


def test_signal_and_height_of_discs_fall_with_age_and_marrow_brightens() -> None:
    scans = [
        lumbar_scan(age_years=a, sex="M", seed=3, grid=Grid(slices=3, slice_mm=3.0, pixel_mm=0.9)) for a in (20, 45, 70)
    ]
    assert all(np.diff([[d.height_mm for d in s.discs[:5]] for s in scans], axis=0).max(axis=1) < 0)
    csf = [np.percentile(s.volume.array[s.labels.array == 61], 90) for s in scans]
    disc = [
        s.volume.array[(s.labels.array > 119) & (s.labels.array < 125)].mean() / c
        for s, c in zip(scans, csf, strict=True)
    ]
    bone = [s.volume.array[(s.labels.array > 19) & (s.labels.array < 25)] / c for s, c in zip(scans, csf, strict=True)]
    assert disc[0] > 1.15 * disc[1] > 1.3 * disc[2]
    assert bone[0].mean() < bone[1].mean() < bone[2].mean()
    inner = [ndimage.binary_erosion(s.labels.array[1] == 22, iterations=3) for s in scans]
    spread = [s.volume.array[1][m].std() / s.volume.array[1][m].mean() for s, m in zip(scans, inner, strict=True)]
    assert spread[0] < spread[2]


def test_tissues_have_t2_contrast(young: PhantomScan) -> None:
    v, m = young.volume.array, young.labels.array
    csf, marrow, disc = (np.median(v[x]) for x in (m == 61, (m > 19) & (m < 25), (m > 119) & (m < 125)))
    assert csf > 1.5 * marrow
    assert marrow > disc
    air = v[:, :4, 200:]  # behind the skin
    sigma = np.sqrt(np.mean(air.astype(float) ** 2) / 2)
    assert air.mean() == pytest.approx(sigma * np.sqrt(np.pi / 2), rel=0.03)  # Rayleigh: magnitude of noise alone


def test_same_arguments_same_samples_and_another_seed_another_person(young: PhantomScan) -> None:
    def hashes(scan: PhantomScan) -> tuple[str, str]:
        return tuple(
            hashlib.sha256(np.ascontiguousarray(x.array).tobytes()).hexdigest() for x in (scan.volume, scan.labels)
        )  # type: ignore[return-value]

    again = lumbar_scan(age_years=25, sex="F", seed=7, grid=SMALL)
    assert hashes(again) == hashes(young)
    other = lumbar_scan(age_years=25, sex="F", seed=8, grid=SMALL)
    assert (other.labels.array != young.labels.array).mean() > 0.02


def test_age_changes_the_spine_and_not_the_person(young: PhantomScan, old: PhantomScan) -> None:
    depth = [int((s.labels.array[2] == 22).any(axis=1).sum()) for s in (young, old)]
    assert abs(depth[0] - depth[1]) <= 2


def test_default_grid_is_a_canonical_space_slab() -> None:
    assert Grid().shape == (20, 400, 500)
    scan = lumbar_scan(age_years=50, sex="M", seed=1, grid=Grid(slices=2, pixel_mm=1.2))
    assert scan.volume.array.dtype == np.int16
    assert canonical(scan.volume).affine.tolist() == scan.volume.affine.tolist()
    assert scan.volume.spacing_mm == pytest.approx((1.0, 1.2, 1.2))


def test_lordosis_is_that_of_people_lying_down() -> None:
    angles = []
    for seed in range(50):
        bodies = {b.name: b for b in lumbar_spine(age_years=40, sex="F", rng=np.random.default_rng(seed)).bodies}
        spine = lumbar_spine(age_years=40, sex="F", rng=np.random.default_rng(seed))
        sacral = spine.discs[0].tilt - (bodies["L5"].tilt - bodies["L5"].wedge / 2 - spine.discs[0].tilt)
        angles.append(np.degrees(bodies["L1"].tilt + bodies["L1"].wedge / 2 - sacral))
    assert 35 < np.mean(angles) < 55
    assert len(LEVELS) == 9


@pytest.mark.parametrize("age", [5, 120])
def test_ages_without_a_model_are_refused(age: float) -> None:
    with pytest.raises(UsageError, match=f"an age of {age} years; wanted: 10–100 years"):
        lumbar_scan(age_years=age, sex="F", seed=1)
