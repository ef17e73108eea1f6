"""The CT network's answer as a label map: a stand-in reads the classes off the samples, all else is put to the test."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from spineclock.core.errors import RefusedError, UsageError
from spineclock.core.records import Scan
from spineclock.core.volume import Mask, Volume
from spineclock.phantom.anatomy.traits import traits_of
from spineclock.phantom.ct.scanner import acquire
from spineclock.phantom.ct.style import Request
from spineclock.phantom.people import people
from spineclock.segment import ct_network
from spineclock.segment.ct_grid import BONE_HU, MULTIPLE, NUMBER, classes_of
from spineclock.segment.ct_instances import found_in
from spineclock.segment.ct_network import label_map
from spineclock.segment.ct_outline import SIMULATED, outline_ct

STEP_HU = 140


@pytest.fixture(scope="module")
def series():
    """A simulated trunk of 2 mm with its true label map."""
    return acquire(traits_of(people(1, seed=5))[0], Request(pixel_mm=2.0, slice_mm=2.0, below_mm=60), seed=5)[0]


def drawn(labels: Mask) -> Volume:
    """A scan whose samples tell the class of each voxel."""
    classes = classes_of(labels).array.astype(np.int16)
    return Volume(np.where(classes > 0, BONE_HU[0] + STEP_HU * classes, BONE_HU[0]).astype(np.int16), labels.affine)


def scan_of(volume: Volume) -> Scan:
    """A CT as it comes from the door."""
    return Scan("ct", volume, Path("ct.nii.gz"), modality="CT")


def stand_in(blocks: np.ndarray) -> np.ndarray:
    """Class probabilities of what :func:`drawn` draws."""
    assert all(n % MULTIPLE == 0 for n in blocks.shape[2:])
    hu = blocks[:, 1] * (BONE_HU[1] - BONE_HU[0]) / 2 + (BONE_HU[0] + BONE_HU[1]) / 2
    classes = np.rint((hu - BONE_HU[0]) / STEP_HU).astype(int)
    return np.stack([(classes == c) * 0.9 + 0.0125 for c in range(8)], axis=1).astype(np.float32)


def test_levels_parts_and_sides_are_those_of_the_truth(series):
    classes, certainty = label_map(drawn(series.labels), stand_in)
    found = found_in(classes, certainty=certainty)
    truth, labels = series.labels.array, found.labels.array
    assert found.sacrum
    numbers = [n for n in np.unique(truth) if 200 < n < 400 or n in (71, 72, 73, 74, 61, 26) or 116 < n < 130]
    for n in numbers:
        if n in (216, 316, 315):  # what the upper border cuts off
            continue
        a, b = labels == n, truth == n
        assert 2 * (a & b).sum() / (a.sum() + b.sum()) > (0.95 if n < 300 else 0.7), n  # joints touch at 2 mm


def test_a_tall_scan_in_parts_is_the_same_scan(series, monkeypatch):
    whole, _ = label_map(drawn(series.labels), stand_in)
    monkeypatch.setattr(ct_network, "TALL", 64)
    monkeypatch.setattr(ct_network, "OVERLAP", 16)
    parts, _ = label_map(drawn(series.labels), stand_in)
    assert (whole.array == parts.array).all()


def test_finer_voxels_get_the_class_that_lies_there(series):
    scan = drawn(series.labels)
    box = np.argwhere(series.labels.array == 222)
    low, high = box.min(0) - 8, box.max(0) + 9
    part = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    affine = np.array(scan.affine)
    affine[:3, 3] += affine[:3, :3] @ low
    fine = np.array(affine)
    fine[:3, :3] /= 2
    fine[:3, 3] -= fine[:3, :3] @ (0.5, 0.5, 0.5)  # two fine voxels lie within a coarse one
    samples = scan.array[part].repeat(2, 0).repeat(2, 1).repeat(2, 2)
    classes, certainty = label_map(Volume(samples, fine), stand_in)
    truth = classes_of(series.labels).array[part].repeat(2, 0).repeat(2, 1).repeat(2, 2)
    a, b = classes.array == NUMBER["body"], truth == NUMBER["body"]
    assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.9  # between two classes the stand-in reads a third
    assert certainty.max() <= 1.0


def test_what_lies_apart_from_the_spine_is_left_out(series):
    array = np.array(series.labels.array)
    array[4:12, 60:68, 20:40] = 222  # something bony far from the spine
    classes, _ = label_map(drawn(series.labels.with_array(array)), stand_in)
    assert not classes.array[4:12, 60:68, 20:40].any()


def test_nothing_to_see_is_no_spine():
    empty = Volume(np.full((20, 20, 20), -1000, np.int16), np.diag([2.0, 2.0, 2.0, 1.0]))
    assert not label_map(empty, stand_in)[0].array.any()
    with pytest.raises(RefusedError, match="0 vertebrae were found"):
        outline_ct(scan_of(empty), scorer=stand_in)


def test_a_given_map_goes_before_the_program_and_the_program_before_the_network(series):
    scan = scan_of(drawn(series.labels))
    given = outline_ct(scan.with_mask(series.labels), program=lambda v: pytest.fail("not asked"), scorer=stand_in)
    assert (given.source, given.notes, given.confidence) == ("given", (), 1.0)
    assert given.labels is series.labels or (given.labels.array == series.labels.array).all()
    made = SimpleNamespace(labels=series.labels, notes=("by a program",))
    assert outline_ct(scan, program=lambda v: made, scorer=stand_in).notes == ("by a program",)
    network = outline_ct(scan, scorer=stand_in)
    assert network.source == "network"
    assert network.notes[0] == SIMULATED
    assert 0.7 < network.confidence < 0.913  # of the stand-in's certainty
    with pytest.raises(RefusedError, match="nothing to outline it with"):
        outline_ct(scan)


def test_the_lowest_vertebra_is_named_to_the_network_alone(series):
    scan = scan_of(drawn(series.labels))
    lowest = outline_ct(scan, scorer=stand_in, lowest_vertebra="L6").instances
    assert lowest is not None
    assert lowest.vertebrae[0].level == "L6"
    with pytest.raises(UsageError, match="a label map that names its levels"):
        outline_ct(scan.with_mask(series.labels), lowest_vertebra="L5")


def test_a_scan_without_sacrum_is_to_be_checked(series):
    above = int(np.argwhere(series.labels.array == 26)[:, 2].max()) + 1
    kept = series.labels.array[:, :, above:]
    affine = np.array(series.labels.affine)
    affine[:3, 3] += affine[:3, 2] * above
    made = outline_ct(scan_of(drawn(Mask(kept, affine))), scorer=stand_in)
    assert any("no sacrum was found" in note for note in made.notes)


def test_outlines_that_are_not_certain_are_refused(series):
    def doubtful(blocks):
        return 0.3 * stand_in(blocks) + 0.7 / 8

    with pytest.raises(RefusedError, match=r"not to be trusted \(confidence 0\.3"):
        outline_ct(scan_of(drawn(series.labels)), scorer=doubtful)
