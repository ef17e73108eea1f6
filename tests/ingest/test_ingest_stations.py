"""Stations stitched: the whole they were cut from comes back, and what does not go together is refused in words."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, permutations
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from spineclock.core.errors import GeometryError, InputError
from spineclock.core.records import Scan
from spineclock.core.volume import Mask, Volume
from spineclock.ingest.choose import choose
from spineclock.ingest.series import list_series, load, read_scans
from spineclock.ingest.station_fit import angle_deg, overlap_mm
from spineclock.ingest.stitch import stitch

Picture = Callable[[np.ndarray], np.ndarray]
GAINS = {"c": 0.7, "t": 1.0, "l": 1.4}
"""What the made-up scanner multiplies each station by; the stitched scan has to have the middle one's values."""


def tissue(points: np.ndarray) -> np.ndarray:
    """Signal at points of a made-up patient (mm, last axis x y z): a column of discs in a body, and air round it."""
    x, y, z = np.moveaxis(points, -1, 0)
    column = 400 + 180 * np.sin(2 * np.pi * z / 31) + 90 * np.cos(2 * np.pi * (y + 0.3 * z) / 43)
    column = column + 60 * np.sin(2 * np.pi * x / 90) * np.cos(2 * np.pi * z / 57)
    return column / (1 + np.exp((np.hypot(y / 1.6, x) - 45) / 3))


def grid(low_mm: float, high_mm: float, *, pixel_mm=1.0, slices=11, slice_mm=4.0, x_mm=0.0, y_mm=0.0, depth_mm=150.0,
         turn=(0.0, 0.0, 0.0)) -> tuple[tuple[int, int, int], np.ndarray]:  # fmt: skip
    """Shape and affine of a sagittal slab between two heights, turned by degrees about its own middle."""
    shape = (slices, round(depth_mm / pixel_mm), round((high_mm - low_mm) / pixel_mm))
    affine = np.eye(4)
    affine[:3, :3] = _turned(*turn) @ np.diag([slice_mm, pixel_mm, pixel_mm])
    affine[:3, 3] = np.array([x_mm, y_mm, (low_mm + high_mm) / 2]) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return shape, affine


def _turned(x: float, y: float, z: float) -> np.ndarray:
    a, b, c = np.radians([x, y, z])
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def points(shape, affine) -> np.ndarray:
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    return index @ affine[:3, :3].T + affine[:3, 3]


def taken(name: str, shape, affine, *, picture: Picture = tissue, noise: float = 0.0, labels: Picture | None = None,
          **changes) -> Scan:  # fmt: skip
    """A station as the scanner gives it: the picture at each sample × its gain, noise of a magnitude image, int16."""
    place = points(shape, affine)
    rng = np.random.default_rng(len(name) + shape[2])
    clean = picture(place) * GAINS[name[0]]
    samples = np.hypot(clean + rng.normal(0, noise, shape), rng.normal(0, noise, shape)) if noise else clean
    mask = None if labels is None else Mask(labels(place).astype(np.uint8), affine)
    scan = Scan(name, Volume(np.rint(samples).astype(np.int16), affine), Path("/d/study") / name, "MR", "T2w",
                f"t2 {name}", 98.0, 3500.0, "ACME", "p1", 57.0, "F", mask)  # fmt: skip
    return replace(scan, **changes)


PLAIN = {"l": grid(0, 120), "t": grid(80, 200), "c": grid(155, 260)}
UNEVEN = {
    "l": grid(0.3, 120, pixel_mm=1.1, x_mm=1.3, slices=12),
    "t": grid(80, 200.7, pixel_mm=1.0, slices=13, y_mm=2.2, turn=(3, 2, -1)),
    "c": grid(155, 260.4, pixel_mm=0.9, slices=11, slice_mm=3.6, depth_mm=120, y_mm=-6, x_mm=-1.1, turn=(-4, -2, 2)),
}


def stations(places=PLAIN, **changes) -> list[Scan]:
    return [taken(name, *place, **changes) for name, place in places.items()]


def gains_of(scan: Scan) -> list[float]:
    """Gains from the note, from the top down."""
    return [float(g) for g in scan.notes[0].rpartition("gains ")[2].split("/")]


def covered(scan: Scan, places, *, margin: float = 0.0) -> np.ndarray:
    """Samples of the stitched grid that lie between the outermost samples of some station, by a margin in voxels."""
    at = points(scan.volume.shape, scan.volume.affine)
    inside = np.zeros(scan.volume.shape, bool)
    for shape, affine in places.values():
        index = (at - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
        inside |= ((index >= margin) & (index <= np.array(shape) - 1 - margin)).all(axis=-1)
    return inside


def test_plain_stations_give_the_whole_to_half_a_grey_value():
    scan = stitch(stations())
    assert scan.volume.shape == (11, 150, 260)
    np.testing.assert_allclose(scan.volume.affine, grid(0, 260)[1], atol=1e-9)
    truth = tissue(points(scan.volume.shape, scan.volume.affine))
    assert scan.volume.array.dtype == np.int16
    assert np.abs(scan.volume.array - truth).max() < 0.004 * truth.max() + 1  # gains and rounding of each station
    assert scan.notes[0] == (
        "stitched from 3 stations: c (t2 c), t (t2 t), l (t2 l), overlaps 45 and 40 mm, gains 1.43/1.00/0.71"
    )
    assert (scan.scan_id, scan.source, scan.description) == ("c-t-l", Path("/d/study"), "t2 c + t2 t + t2 l")
    assert (scan.modality, scan.sequence, scan.person_id, scan.age_years, scan.sex) == ("MR", "T2w", "p1", 57, "F")


@pytest.mark.parametrize("noise", [0.0, 20.0])
def test_turned_shifted_and_differing_stations_give_the_whole(noise):
    scan = stitch(stations(UNEVEN, noise=noise))
    assert gains_of(scan) == pytest.approx([1 / 0.7, 1, 1 / 1.4], rel=0.02)
    assert scan.volume.spacing_mm == pytest.approx((4.0, 0.9, 0.9))  # slices of the one with most, the finest pixels
    assert angle_deg(scan.volume, Volume(np.zeros(UNEVEN["t"][0]), UNEVEN["t"][1])) < 1e-4
    inside = covered(scan, UNEVEN)
    truth = tissue(points(scan.volume.shape, scan.volume.affine))
    error = (scan.volume.array - truth)[inside]
    # Straight lines between samples 4 mm apart miss this picture by 2% of its brightest at most, 0.3% on average.
    assert np.abs(error).mean() < 0.005 * truth.max() + 0.9 * noise
    if not noise:
        assert np.percentile(np.abs(error), 99.9) < 0.03 * truth.max()


def test_every_voxel_lies_where_it_says():
    """The picture is the position itself, which straight lines between samples give without error."""
    for axis, offset in ((0, 100), (1, 200), (2, 50)):
        scans = [
            replace(s, volume=Volume((points(s.volume.shape, s.volume.affine)[..., axis] + offset).astype(np.float32),
                                     s.volume.affine)) for s in stations(UNEVEN)
        ]  # fmt: skip
        scan = stitch(scans)
        assert scan.volume.array.dtype == np.float32
        truth = points(scan.volume.shape, scan.volume.affine)[..., axis] + offset
        assert gains_of(scan) == [1, 1, 1]
        assert np.abs(scan.volume.array - truth)[covered(scan, UNEVEN, margin=0.5)].max() < 0.02  # mm


@pytest.mark.parametrize("places", [PLAIN, UNEVEN], ids=["plain", "uneven"])
def test_the_seam_is_no_edge(places):
    scan = stitch(stations(places, noise=6.0))
    truth = tissue(points(scan.volume.shape, scan.volume.affine))
    near = (truth > 150) & covered(scan, places)
    steps = np.abs(np.diff(np.where(near, scan.volume.array - truth, np.nan), axis=2))
    with np.errstate(invalid="ignore"):
        profile = np.array([np.nanmean(steps[:, :, k]) for k in range(5, steps.shape[2] - 5)])
    height = scan.volume.affine[2, 3] + (np.arange(5, steps.shape[2] - 5) + 0.5) * scan.volume.spacing_mm[2]
    seams = np.zeros(len(height), bool)
    for low, high in ((80, 120), (155, 200)):
        seams |= (np.abs(height - low) < 4) | (np.abs(height - high) < 4)
    assert profile[seams].max() <= 1.05 * profile[~seams].max()


def test_the_order_of_the_stations_changes_nothing():
    scans = stations(UNEVEN, noise=5.0)
    first = stitch(scans)
    for order in permutations(scans):
        other = stitch(order)
        np.testing.assert_array_equal(other.volume.array, first.volume.array)
        np.testing.assert_array_equal(other.volume.affine, first.volume.affine)
        assert (other.scan_id, other.source, other.notes) == (first.scan_id, first.source, first.notes)


def test_of_two_stations_the_lower_one_keeps_its_samples():
    lower, upper, _ = stations(noise=5.0)
    scan = stitch([upper, lower])
    assert gains_of(scan) == pytest.approx([1.4, 1], rel=0.01)
    np.testing.assert_array_equal(scan.volume.array[:, :, :78], lower.volume.array[:, :, :78])
    assert scan.scan_id == "t-l"


def test_label_maps_are_one_where_stations_agree():
    def levels(place: np.ndarray) -> np.ndarray:
        body = np.hypot(place[..., 1] / 1.6, place[..., 0]) < 40
        return np.where(body, 1 + np.floor(place[..., 2] / 25), 0)

    plain = stitch(stations(labels=levels))
    assert plain.mask is not None
    np.testing.assert_array_equal(plain.mask.array, levels(points(plain.mask.shape, plain.mask.affine)))
    uneven = stitch(stations(UNEVEN, labels=levels))
    assert uneven.mask is not None
    inside = covered(uneven, UNEVEN)
    truth = levels(points(uneven.mask.shape, uneven.mask.affine))
    assert np.mean((uneven.mask.array == truth)[inside]) > 0.97  # the rest: borders, to the nearest voxel
    for level in range(2, 9):
        pieces, count = ndimage.label((uneven.mask.array == level) & inside)
        largest = np.bincount(pieces.ravel(), minlength=count + 1)[1:].max()
        assert largest > 0.995 * np.count_nonzero(pieces)  # single voxels lie apart at the oblique ends of the stations
    scans = stations(labels=levels)
    partly = stitch([scans[0], scans[1], replace(scans[2], mask=None)])
    assert partly.mask is None
    assert "1 of 3 stations came without a label map: those of the others were left out" in partly.notes


def test_stations_that_only_touch_are_bridged():
    places = {"l": grid(0, 120), "t": grid(121, 230)}
    scan = stitch(stations(places))
    assert "overlap -1 mm" in scan.notes[0]
    assert gains_of(scan) == pytest.approx([1.4, 1], rel=0.1)  # neighbouring tissue, not the same
    assert (
        "t (t2 t) and l (t2 l) hardly overlap: their grey values were matched by what lies on either side" in scan.notes
    )
    truth = tissue(points(scan.volume.shape, scan.volume.affine)) * 1.4
    assert scan.volume.shape[2] == 230
    assert np.median(np.abs(scan.volume.array - truth)[:, :, 118:123]) < 0.05 * truth.max()


def test_sample_types():
    def cast(scan: Scan, factor: float, dtype: type) -> Scan:
        return replace(scan, volume=scan.volume.with_array((scan.volume.array * factor).astype(dtype)))

    lower, middle, upper = stations()
    assert stitch([cast(lower, 0.25, np.uint8), middle, upper]).volume.array.dtype == np.int16
    assert stitch([cast(lower, 0.25, np.float32), middle, upper]).volume.array.dtype == np.float32
    assert stitch([cast(lower, 0.05, np.int16), cast(middle, 40, np.int16), upper]).volume.array.dtype == np.int16
    over = stitch([cast(middle, 48, np.int16), cast(upper, 0.2, np.int16)]).volume.array
    assert over.dtype == np.float32
    assert over.max() >= 2**15 - 1


REFUSED = [
    ({"l": grid(0, 120), "t": grid(143, 260)}, {}, GeometryError, r"a gap of 23 mm along the spine between t \(t2 t\) "
     r"and l \(t2 l\); wanted: stations that overlap, or lie at most 2 mm apart; remedy: give the station between"),
    ({"l": grid(0, 120), "t": grid(80, 200, turn=(0, 0, 14))}, {}, GeometryError,
     "are turned by 14° against each other; wanted: at most 10°; remedy: "),
    ({"l": grid(0, 120), "t": grid(20, 140)}, {}, GeometryError, "share 100 mm: they show the same part of the spine"),
    ({"l": grid(0, 120), "t": grid(80, 200, x_mm=30)}, {}, GeometryError,
     "where they meet they share 32% of the narrower one from left to right; wanted: at least 60%"),
    ({"l": grid(0, 120), "t": grid(80, 200, slice_mm=8)}, {}, GeometryError,
     "have voxels of 8 × 1 × 1 and 4 × 1 × 1 mm; wanted: pixels within a factor of 2, slice distances within 1.5"),
    (PLAIN, {"sequence": "T1w"}, InputError, r"different contrast \(weighted T1w and T2w\); wanted: one weighting"),
    (PLAIN, {"echo_time_ms": 20.0}, InputError, r"different contrast \(echo times of 20 and 98 ms\)"),
    (PLAIN, {"person_id": "p2"}, InputError, "are of different people"),
    (PLAIN, {"age_years": 30.0}, InputError, "of different people, or of one at different ages"),
    (PLAIN, {"modality": "CT"}, InputError, "CT; wanted: stations of MRI"),
]  # fmt: skip


@pytest.mark.parametrize(("places", "changes", "error", "message"), REFUSED, ids=[m[-1][:40] for m in REFUSED])
def test_what_does_not_go_together_is_refused_in_words(places, changes, error, message):
    scans = stations(places)
    scans[1] = replace(scans[1], **changes)
    with pytest.raises(error, match=message):
        stitch(scans)


def test_images_that_do_not_agree_are_refused():
    lower, upper, _ = stations()
    flipped = replace(upper, volume=upper.volume.with_array(upper.volume.array[:, :, ::-1].copy()))
    noise = np.random.default_rng(1).integers(0, 500, upper.volume.shape).astype(np.int16)
    with pytest.raises(GeometryError, match=r"do not show the same where they overlap \(correlation .*remedy: read"):
        stitch([lower, replace(upper, volume=upper.volume.with_array(noise))])
    with pytest.raises(InputError, match="1 station; wanted: two or more"):
        stitch([flipped])


def test_two_black_images_cannot_be_compared():
    scans = [replace(s, volume=s.volume.with_array(np.zeros_like(s.volume.array))) for s in stations()]
    with pytest.raises(GeometryError, match="do not show the same|too little is seen"):
        stitch(scans)


def cut_real(real_data: Path) -> tuple[Volume, list[Scan]]:
    """A real scan, and three overlapping pieces of it: with other gains, noise, shifted and turned by cubic splines."""
    image = nib.load(real_data / "mr" / "sct_t2_lumbar.nii.gz")
    whole = Volume(np.asarray(image.dataobj, np.float32), image.affine)
    rng = np.random.default_rng(5)
    scans = []
    for name, (low, high), shift, turn in (
        ("l", (0, 85), (0, 0, 0), (0, 0, 0)),
        ("t", (50, 150), (0.4, 0.3, 0.45), (2, 0, 0)),
        ("c", (115, 201), (-0.5, 0.5, 0.2), (-1.5, 1, 1)),
    ):
        affine = np.array(whole.affine)
        shape = (whole.shape[0], whole.shape[1], high - low)
        middle = (np.array([*shape[:2], low + high]) - 1) / 2
        affine[:3, :3] = _turned(*turn) @ affine[:3, :3]
        at = whole.affine[:3, :3] @ middle + whole.affine[:3, 3] + np.array(shift)
        affine[:3, 3] = at - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
        index = (points(shape, affine) - whole.affine[:3, 3]) @ np.linalg.inv(whole.affine[:3, :3]).T
        samples = ndimage.map_coordinates(whole.array, np.moveaxis(index, -1, 0), order=3, mode="nearest").clip(0)
        noisy = np.hypot(samples * GAINS[name] + rng.normal(0, 2, shape), rng.normal(0, 2, shape))
        scans.append(Scan(name, Volume(np.rint(noisy).astype(np.int16), affine), Path(f"/d/{name}"), "MR", "T2w"))
    return whole, scans


def test_a_real_scan_cut_in_three_comes_back(real_data):
    whole, scans = cut_real(real_data)
    scan = stitch(scans)
    assert gains_of(scan) == pytest.approx([1 / 0.7, 1, 1 / 1.4], rel=0.02)
    at = points(scan.volume.shape, scan.volume.affine)
    index = (at - whole.affine[:3, 3]) @ np.linalg.inv(whole.affine[:3, :3]).T
    truth = ndimage.map_coordinates(whole.array, np.moveaxis(index, -1, 0), order=3, mode="constant").clip(0)
    inside = (truth > 20) & (index >= 2).all(axis=-1) & (index <= np.array(whole.shape) - 3).all(axis=-1)
    inside &= scan.volume.array > 0
    # This scan has detail of the size of its voxels, which straight lines between them blur: 10% of the signal.
    assert np.abs(scan.volume.array - truth)[inside].mean() < 0.1 * truth[inside].mean()
    assert np.corrcoef(scan.volume.array[inside], truth[inside])[0, 1] > 0.97
    assert (scan.volume.array - truth)[inside].mean() == pytest.approx(0, abs=0.03 * float(truth[inside].mean()))
    for station, (low, high) in zip(scans, ((0, 48), (90, 110), (156, 201)), strict=True):  # what one alone shows
        alone = inside & (index[..., 2] > low) & (index[..., 2] < high)
        own = (at[alone] - station.volume.affine[:3, 3]) @ np.linalg.inv(station.volume.affine[:3, :3]).T
        shown = ndimage.map_coordinates(station.volume.array.astype(float), own.T, order=1, mode="nearest")
        expected = shown / GAINS[station.scan_id]
        assert np.abs(scan.volume.array[alone] - expected).mean() < 0.01 * expected.mean()
    steps = np.abs(np.diff(np.where(inside, scan.volume.array - truth, np.nan), axis=2))
    profile = np.nanmedian(steps[:, :, 10:-10], axis=(0, 1))
    z = (np.arange(10, steps.shape[2] - 10) + 0.5) + scan.volume.affine[2, 3] - whole.affine[2, 3]
    seams = np.min([np.abs(z - edge) for edge in (50, 85, 115, 150)], axis=0) < 3
    assert profile[seams].max() <= 1.1 * profile[~seams].max()


def test_a_real_scan_cut_on_its_own_grid_is_itself(real_data):
    image = nib.load(real_data / "mr" / "sct_t2_lumbar.nii.gz")
    array = np.asarray(image.dataobj)
    scans = []
    for name, low, high in (("l", 0, 85), ("t", 50, 150), ("c", 115, 201)):
        affine = np.array(image.affine)
        affine[:3, 3] += affine[:3, 2] * low
        scans.append(Scan(name, Volume(array[:, :, low:high], affine), Path(f"/d/{name}"), "MR", "T2w"))
    scan = stitch(scans)
    np.testing.assert_array_equal(scan.volume.array, array)
    np.testing.assert_allclose(scan.volume.affine, image.affine, atol=1e-9)
    assert gains_of(scan) == [1, 1, 1]


@pytest.mark.slow
def test_three_large_turned_stations_take_no_more_than_three_seconds():
    rng = np.random.default_rng(0)
    plane = ndimage.gaussian_filter(rng.normal(size=(512, 1300)), 40)
    whole = np.broadcast_to(400 + 30000 * plane, (16, 512, 1300)).astype(np.int16)
    scans = []
    for name, low in (("l", 0), ("t", 394), ("c", 788)):
        _, affine = grid(low * 0.7, (low + 512) * 0.7, pixel_mm=0.7, slices=16, depth_mm=512 * 0.7)
        affine[:3, :3] = _turned(*((0, 0, 0) if name == "l" else (2, 1, 1))) @ affine[:3, :3]
        scans.append(Scan(name, Volume(whole[:, :, low : low + 512], affine), Path(name), "MR", "T2w"))
    taken_s = []
    for _ in range(3):
        begun = time.process_time()
        assert stitch(scans).volume.shape[2] >= 1300
        taken_s.append(time.process_time() - begun)
    assert min(taken_s) < 3  # of all cores together; 1.0 s on an idle machine, 1.7 on a slow and busy one


# In files and folders


def dicom_study(write_series, scans: list[Scan], *, frame: str = "1.2.3.9", **tags) -> Path:
    folder = Path()
    for n, scan in enumerate(scans):
        folder = write_series(
            scan.volume, f"study/s{n}", SeriesInstanceUID=f"1.2.3.{n}", SeriesNumber=3 + n,
            SeriesDescription=f"t2_sag_{scan.scan_id}", FrameOfReferenceUID=frame, **tags,
        )  # fmt: skip
    return folder.parent


def test_a_dicom_study_of_stations_is_one_scan(write_series, t2):
    scans = stations(UNEVEN)
    result = read_scans(dicom_study(write_series, scans), accepts=t2)
    assert (result.failures, result.refused) == ((), ())
    (scan,) = result.scans
    plain = stitch(scans)
    np.testing.assert_array_equal(scan.volume.array, plain.volume.array)
    np.testing.assert_allclose(scan.volume.affine, plain.volume.affine, atol=1e-5)
    assert scan.scan_id.endswith("-s5-s4-s3")
    assert scan.source.name == "study"
    assert (scan.age_years, scan.sex, scan.echo_time_ms) == (57, "F", 98)
    assert "stitched from 3 stations:" in scan.notes[0]
    assert "(t2_sag_c)" in scan.notes[0]


def test_a_listing_says_what_was_stitched_and_what_was_not(write_series, t2, caplog):
    from spineclock.run.listing import listed, the_one

    folder = dicom_study(write_series, stations())
    extra = taken("l", *grid(2, 118))
    write_series(extra.volume, "study/s8", SeriesInstanceUID="1.2.3.8", SeriesNumber=8, FrameOfReferenceUID="1.2.3.9",
                 SeriesDescription="t2_sag_again")  # fmt: skip
    with caplog.at_level("INFO"):
        found = listed([folder], t2, scratch=folder)
    (ref,) = found.refs
    assert ref.label == "3 stations (series 3 (t2_sag_l), series 4 (t2_sag_t), series 5 (t2_sag_c))"
    assert (
        "stitched from 3 stations: series 5 (t2_sag_c), series 4 (t2_sag_t), series 3 (t2_sag_l), overlaps"
        in caplog.text
    )
    assert [(r.ref.facts.series_number, r.reason) for r in found.not_taken] == [
        (8, "fits too, but series 3 (t2_sag_l) was preferred: a lower series number")
    ]
    assert ref.slices == 11
    assert ref.slice_spacing_mm == pytest.approx(4)
    assert load(the_one(folder, t2, scratch=folder)).volume.shape == ref.shape == (11, 150, 260)


def test_a_study_that_cannot_be_stitched_gives_its_best_series_as_before(write_series, t2):
    places = {"l": grid(0, 120), "t": grid(143, 260)}
    folder = dicom_study(write_series, stations(places))
    result = read_scans(folder, accepts=replace(t2, prefer_words=("sag_l",)))
    assert [s.description for s in result.scans] == ["t2_sag_l"]
    assert result.scans[0].notes == ()
    (refused,) = result.refused
    assert refused.reason.startswith("fits too, but series 3 (t2_sag_l) was preferred: preferred words")
    assert "; not stitched: a gap of 23 mm along the spine between series 4 (t2_sag_t) and series 3" in refused.reason


@pytest.mark.parametrize(
    ("tags", "why"),
    [
        ({"FrameOfReferenceUID": "1.7"}, "have another frame of reference each; wanted: one FrameOfReferenceUID"),
        ({"EchoTime": 200.0}, "different contrast (echo times of 200 and 98 ms)"),
        ({"PatientID": "another"}, "are of different people"),
    ],
)
def test_what_headers_hold_against_stitching(write_series, t2, tags, why):
    lower, upper, _ = stations()
    told = {"SeriesNumber": 3, "SeriesInstanceUID": "1.2.3.1", "SeriesDescription": "t2", "FrameOfReferenceUID": "1.2"}
    write_series(lower.volume, "study/a", **told)
    folder = write_series(
        upper.volume, "study/b", **(told | {"SeriesNumber": 4, "SeriesInstanceUID": "1.2.3.2"} | tags)
    )
    choice = choose(list_series(folder.parent).refs, t2)
    assert [ref.facts.series_number for ref in choice.chosen] == [3]
    assert why in choice.refused[0].reason


def test_without_a_frame_of_reference_nothing_is_stitched(write_series, t2):
    result = read_scans(dicom_study(write_series, stations(), frame=""), accepts=t2)
    assert len(result.scans) == 1
    assert all("state no frame of reference" in r.reason for r in result.refused)


def test_a_damaged_station_leaves_the_preferred_one(write_series, t2):
    folder = dicom_study(write_series, stations())

    def deface(path: Path) -> None:
        data = bytearray(path.read_bytes())
        data[-200:] = bytes(200)
        path.write_bytes(data)

    accepts = replace(t2, prefer_words=("sag_l",))
    whole = read_scans(folder, accepts=accepts).scans[0]
    for path in (folder / "s1").iterdir():
        deface(path)
    assert "stitched from 3" in whole.notes[0]
    ref = choose(list_series(folder).refs, accepts).chosen[0]
    for path in (folder / "s1").iterdir():
        path.write_bytes(path.read_bytes()[:-5000])
    scan = load(ref)
    assert scan.scan_id == ref.scan_id
    assert scan.notes[0].startswith("series 3 (t2_sag_l) was read alone, not stitched with 2 more: ")
    assert scan.volume.shape == PLAIN["l"][0]


@pytest.mark.parametrize("name", ["sub-01_acq-{}_T2w.nii.gz", "{}_T2w.nii", "sub-01_T2w_{}.mha"])
def test_files_that_differ_in_the_station_alone_are_one_scan(write_nifti, tmp_path, t2, name):
    import SimpleITK as sitk

    words = {"c": "cervical", "t": "thoracic", "l": "lumbar"}
    for scan in stations():
        path = write_nifti(scan.volume, "bids/" + name.format(words[scan.scan_id]).replace(".mha", ".nii"))
        if name.endswith(".mha"):
            sitk.WriteImage(sitk.ReadImage(str(path)), str(path.with_suffix(".mha")))
            path.unlink()
    write_nifti(stations()[0].volume, "bids/sub-02_T2w.nii.gz")
    result = read_scans(tmp_path / "bids", accepts=t2)
    assert result.failures == ()
    scans = {scan.scan_id: scan for scan in result.scans}
    assert set(scans) == {"sub-02_T2w", name.format("cervical-thoracic-lumbar").split(".")[0]}
    stitched = next(s for i, s in scans.items() if "cervical" in i)
    assert stitched.source == tmp_path / "bids"
    assert stitched.volume.shape == (11, 150, 260)
    np.testing.assert_array_equal(stitched.volume.array, stitch(stations()).volume.array)


def test_files_that_cannot_be_stitched_are_read_each_by_itself(write_nifti, tmp_path, t2, caplog):
    from spineclock.run.listing import listed

    places = {"l": grid(0, 120), "t": grid(143, 260)}
    for scan in stations(places):
        write_nifti(scan.volume, f"bids/sub-01_chunk-{'lt'.index(scan.scan_id) + 1}_T2w.nii.gz")
    found = listed([tmp_path / "bids"], t2, scratch=tmp_path)
    assert [ref.scan_id for ref in found.refs] == ["sub-01_chunk-1_T2w", "sub-01_chunk-2_T2w"]
    assert "sub-01_chunk-1_T2w.nii.gz is read by itself, not stitched: a gap of 23 mm" in caplog.text
    named = sorted((tmp_path / "bids").iterdir())
    write_nifti(stations()[1].volume, "bids/sub-01_chunk-2_T2w.nii.gz")
    (ref,) = listed([tmp_path / "bids"], t2, scratch=tmp_path).refs
    assert ref.kind == "dicom"  # no file has its axes: label maps go on the stitched grid
    assert len(listed(named, t2, scratch=tmp_path).refs) == 2  # files named one by one are taken one by one


def test_a_lumbar_study_reads_as_before(write_series, t2):
    scan = stations()[0]
    (read,) = read_scans(dicom_study(write_series, [scan]), accepts=t2).scans
    np.testing.assert_array_equal(read.volume.array, scan.volume.array)
    assert read.notes == ()
    assert read.scan_id.endswith("-s3")
    assert read.source.name == "s0"


def test_a_stitched_scan_refused_as_a_whole_is_read_in_its_lumbar_part(monkeypatch):
    from spineclock.core.records import ModelInfo, Quality, Reading
    from spineclock.recipes.mri_age import MriAge

    def read(self, scan: Scan, lowest_vertebra: str | None) -> Reading:
        tall = scan.volume.shape[2] * scan.volume.spacing_mm[2] > 301
        return Reading(scan, Quality("refused", ("too tall",)) if tall else Quality(), ModelInfo("m"))

    monkeypatch.setattr(MriAge, "_read", read)
    recipe = MriAge(None, None, None)
    places = {"l": grid(0, 200), "t": grid(160, 400, pixel_mm=1.25, depth_mm=150)}
    scan = stitch(stations(places, labels=lambda at: at[..., 2] > 100))
    lumbar = recipe.read(scan)
    assert lumbar.quality.verdict == "check"
    assert lumbar.quality.reasons == ("only the lowest 300 mm were read, since of the whole: too tall",)
    np.testing.assert_array_equal(lumbar.scan.volume.array, scan.volume.array[:, :, :300])
    np.testing.assert_array_equal(lumbar.scan.mask.array, scan.mask.array[:, :, :300])
    np.testing.assert_array_equal(lumbar.scan.volume.affine, scan.volume.affine)
    whole = recipe.read(replace(scan, notes=()))  # one series of its own: as before
    assert (whole.quality.verdict, whole.scan.volume.shape[2]) == ("refused", 400)


def test_overlaps_are_measured_along_the_spine():
    volumes = [Volume(np.zeros(shape), affine) for shape, affine in PLAIN.values()]
    assert [overlap_mm(a, b) for a, b in pairwise(volumes)] == pytest.approx([40, 45])
