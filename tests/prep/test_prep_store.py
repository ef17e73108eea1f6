"""A store of prepared scans: what comes out is what ``prepare`` gives, and nothing damaged comes out."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from spineclock.core.errors import InputError, RefusedError, UsageError
from spineclock.core.volume import Mask, Volume
from spineclock.prep.grid import on_grid
from spineclock.prep.masking import PARTS
from spineclock.prep.prepared import Preparation, prepare, variants
from spineclock.prep.store import PreparedStore
from spineclock.prep.store_format import ARRAYS, About, chunk_path, read_entries
from spineclock.prep.store_write import remove_store, write_scan, writing

HOW = Preparation(shape=(16, 144, 64))
DTYPES = ("float16", "uint8")
NAMES = ("a", "b", "sub-3_ses-1 Ä")
LEVELS = {"C5": 205, "T6": 213, "L3": 222, "L3/L4": 122, "rib": 408, "muscle": 71}


def scan(seed: int) -> tuple[Volume, Mask]:
    """Bodies of three regions, a disc, a rib and a muscle; grey values with long tails, the lumbar ones brightest."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((9, 60, 160), np.int16)
    for label, (low, high) in zip(LEVELS.values(), ((130, 150), (85, 105), (40, 60), (30, 38), (90, 94), (10, 60)),
                                  strict=True):  # fmt: skip
        labels[2:7, (5 if label in (71, 408) else 25) : (10 if label in (71, 408) else 45), low:high] = label
    affine = np.diag([5.0, 0.8, 0.8, 1.0])
    affine[:3, 3] = (-20, 30, -400)
    grey = rng.gamma(2, 40, labels.shape) * np.where(labels == LEVELS["L3"], 3.0, 1.0)
    return Volume(grey.astype(np.int16), affine), Mask(labels, affine)


@pytest.fixture(scope="module")
def scans() -> dict[str, tuple[Volume, Mask]]:
    return {name: scan(seed) for seed, name in enumerate(NAMES)}


def written(path: Path, scans, dtype="float16", how=HOW) -> Path:
    with writing(path, About(how, dtype, "1.2.3")) as store:
        for row, (name, (volume, mask)) in zip(store.free_rows(len(scans)), scans.items(), strict=True):
            made = variants(volume, mask, how)
            store.add(write_scan(path, row, made, store.about, scan_id=name, source={"file": f"{name}.nii.gz"}))
    return path


@pytest.fixture(scope="module", params=DTYPES)
def stored(request, scans, tmp_path_factory) -> PreparedStore:
    return PreparedStore.open(written(tmp_path_factory.mktemp("store") / request.param, scans, request.param))


@pytest.fixture
def path(scans, tmp_path) -> Path:
    """A store of its own, to be damaged."""
    return written(tmp_path / "store", scans)


def test_a_store_says_what_is_in_it(stored, scans):
    assert stored.scan_ids == NAMES
    assert len(stored) == 3
    assert stored.positions == {"a": 0, "b": 1, "sub-3_ses-1 Ä": 2}
    assert stored.how == HOW
    assert stored.parts(0) == PARTS
    for i, (volume, mask) in enumerate(scans.values()):
        wanted = prepare(volume, mask, HOW)
        assert np.array_equal(stored.affine(i), wanted.affine)
        assert stored.kept_share(i) == wanted.kept_share
        stored.verify(i)


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_what_prepare_gives_to_the_rounding_of_what_is_stored(stored, scans, part):
    for i, (volume, mask) in enumerate(scans.values()):
        wanted = prepare(volume, mask, replace(HOW, part=part))
        got, entry = stored.input(i, part), stored.entries[i]
        low, high = entry.limits
        # half of the last binary digit of 11, of the largest stored value; half of one of 254 steps
        rounding = max(-low, high) * 2.0**-11 if stored.dtype == "float16" else (high - low) / 254 / 2
        assert got.dtype == np.float32
        assert got.shape == HOW.shape
        assert np.abs(got - wanted.array).max() <= rounding / entry.scales[part].sd + 1e-5
        assert (got[wanted.inside.array == 0] == 0).all()
        assert np.array_equal(stored.margin(i, part), wanted.inside.array != 0)


def test_a_region_is_clipped_by_its_own_percentiles_alone(scans):
    """The lumbar bodies reach higher than the whole spine's limit: what is stored must not have been cut there."""
    made = variants(*scans["a"], HOW)
    assert made.scales["lumbar"].high > made.scales["whole"].high
    assert made.scales["whole"].mean == 0
    assert made.scales["whole"].sd == 1
    for part in PARTS:
        wanted = prepare(*scans["a"], replace(HOW, part=part)).array
        assert made.input(part) == pytest.approx(wanted, abs=2e-6)


def test_the_whole_spine_in_float16_is_rounded_once(scans, tmp_path):
    store = PreparedStore.open(written(tmp_path / "s", scans))
    for i, (volume, mask) in enumerate(scans.values()):
        wanted = prepare(volume, mask, HOW).array
        half_a_digit = np.spacing(np.abs(wanted).astype(np.float16)).astype(np.float32) / 2
        assert (np.abs(store.input(i) - wanted) <= half_a_digit + 1e-6).all()


def test_label_maps_are_those_of_the_scans(stored, scans):
    for i, (_, mask) in enumerate(scans.values()):
        wanted = on_grid(mask, spacing_mm=HOW.spacing_mm, shape=HOW.shape).array
        assert stored.labels(i).dtype == np.uint16
        assert np.array_equal(stored.labels(i), wanted)
        assert set(np.unique(wanted)) == {0, *LEVELS.values()}


@pytest.mark.parametrize("part", PARTS)
def test_in_memory_is_as_on_disk(stored, part):
    held = stored.in_memory([2, 0], threads=2)
    assert (held.scan_ids, len(held), held.how) == ((NAMES[2], NAMES[0]), 2, HOW)
    assert held.images.nbytes + held.margins.nbytes == stored.bytes_needed([2, 0])
    for k, i in enumerate((2, 0)):
        assert np.array_equal(held.input(k, part), stored.input(i, part))
        assert np.array_equal(held.margin(k, part), stored.margin(i, part))
    batch = held.inputs([1, 0, 1], part)
    assert batch.shape == (3, 1, *HOW.shape)
    assert batch.dtype == np.float32
    assert np.array_equal(batch, stored.inputs([0, 2, 0], part))
    assert np.array_equal(batch[1, 0], stored.input(2, part))


def test_a_part_that_is_not_in_view_is_refused_by_name(tmp_path):
    volume, mask = scan(0)
    lumbar = mask.with_array(np.where(mask.array == 222, mask.array, 0))
    store = PreparedStore.open(written(tmp_path / "s", {"knee": (volume, lumbar)}))
    assert store.parts(0) == ("whole", "lumbar")
    held = store.in_memory([0])
    for scans in (store, held):
        assert scans.input(0, "lumbar") == pytest.approx(scans.input(0), abs=0.003)  # the same margin, rounded twice
        with pytest.raises(
            RefusedError, match=r"knee: the label map holds no cervical vertebra, its labels are \[0, 2"
        ):
            scans.input(0, "cervical")
        with pytest.raises(UsageError, match="no part of the spine is called 'neck'"):
            scans.input(0, "neck")


def test_zarr_reads_it_and_would_have_written_the_same_bytes(stored, tmp_path):
    shutil.copytree(stored.path, tmp_path / "copy")
    group = zarr.open_group(tmp_path / "copy", mode="r+")
    assert {name: (group[name].shape, str(group[name].dtype)) for name in ARRAYS} == {
        "image": ((3, *HOW.shape), stored.dtype),
        "labels": ((3, *HOW.shape), "uint16"),
        "margins": ((3, *HOW.shape), "uint8"),
    }
    assert np.array_equal(group["labels"][1], stored.labels(1))
    assert np.array_equal(group["margins"][1] & 8 != 0, stored.margin(1, "lumbar"))
    assert np.array_equal(group["image"][2], stored.in_memory([2]).images[0])
    for name in ARRAYS:
        before = chunk_path(tmp_path / "copy", name, 0).read_bytes()
        group[name][0] = group[name][0]
        assert chunk_path(tmp_path / "copy", name, 0).read_bytes() == before


@pytest.mark.parametrize("array", ARRAYS)
def test_a_flipped_bit_is_noticed_and_the_scan_is_named(path, array):
    chunk = chunk_path(path, array, 1)
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    store = PreparedStore.open(path)
    store.verify(0)
    with pytest.raises(InputError, match=rf"^b: its {array} in .*store \(row 1\) is not what was written; .*--resume"):
        store.verify(1)
    if array != "labels":
        with pytest.raises(InputError, match=f"b: its {array}"):
            store.in_memory([0, 1, 2])
        with pytest.raises(InputError, match=f"b: its {array}"):
            store.input(1, "lumbar")
    with writing(path, store.about) as again:
        assert again.is_whole("b")  # as long as it was
        assert not again.is_whole("b", thoroughly=True)
        assert again.is_whole("a", thoroughly=True)


def test_lost_and_exchanged_chunks_are_noticed(path):
    one, other, third = (chunk_path(path, "image", row) for row in range(3))
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    third.unlink()
    store = PreparedStore.open(path)
    for i, what in enumerate(("is not what was written", "is not what was written", "is not there")):
        with pytest.raises(InputError, match=what):
            store.input(i)
    with writing(path, store.about) as again:
        assert not again.is_whole("sub-3_ses-1 Ä")


def test_a_line_that_was_not_written_to_its_end_is_no_scan(path, scans):
    index = path / "scans.jsonl"
    lines = index.read_bytes()
    index.write_bytes(lines[:-1])
    assert PreparedStore.open(path).scan_ids == ("a", "b")
    index.write_bytes(lines[: lines.rindex(b'"kept_share"')])
    assert PreparedStore.open(path).scan_ids == ("a", "b")
    with writing(path, About(HOW, "float16")) as store:
        assert list(store.entries) == ["a", "b"]
        (row,) = store.free_rows(1)
        made = variants(*scans[NAMES[2]], HOW)
        store.add(write_scan(path, row, made, store.about, scan_id=NAMES[2], source={"file": f"{NAMES[2]}.nii.gz"}))
    assert index.read_bytes() == lines


def test_a_line_that_cannot_be_read_is_told(path):
    index = path / "scans.jsonl"
    lines = index.read_bytes().split(b"\n")
    index.write_bytes(b"\n".join([lines[0], lines[1][:40], *lines[2:]]))
    with pytest.raises(InputError, match=r"line 2 of .*scans.jsonl cannot be read .*take that line out"):
        PreparedStore.open(path)


def test_a_scan_that_is_taken_out_leaves_its_row_to_the_next(path, scans):
    with writing(path, About(HOW, "float16")) as store:
        store.take_out("a")
        assert store.free_rows(3) == [0, 3, 4]
        made = variants(*scans["b"], HOW)
        store.add(write_scan(path, 0, made, store.about, scan_id="new", source={}))
    again = PreparedStore.open(path)
    assert again.scan_ids == ("new", "b", "sub-3_ses-1 Ä")
    assert np.array_equal(again.input(0), again.input(1))
    assert zarr.open_group(path, mode="r")["image"].shape[0] == 5


@pytest.mark.parametrize(
    ("how", "dtype", "message"),
    [
        ({"margin_mm": 5.0}, "float16", "were prepared with margin_mm 10.0, and now it is margin_mm 5.0"),
        ({"shape": (16, 16, 16)}, "float16", "with shape 16,144,64, and now it is shape 16,16,16"),
        ({"spacing_mm": (4.0, 1.0, 1.5)}, "float16", "spacing_mm 4,1,1, and now it is spacing_mm 4,1,1.5"),
        (
            {"percentiles": (0.0, 100.0)},
            "uint8",
            "percentiles 0.5,99.5, dtype float16, and now it is percentiles 0,100",
        ),
    ],
)
def test_another_preparation_is_refused_with_what_differs(path, how, dtype, message):
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()}
    with pytest.raises(UsageError, match=message), writing(path, About(replace(HOW, **how), dtype)):
        pass
    assert {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} == before


def test_two_do_not_write_at_once(path):
    with (
        writing(path, About(HOW, "float16")),
        pytest.raises(UsageError, match="another process writes to .*store; wanted: one at a time"),
        writing(path, About(HOW, "float16")),
    ):
        pass


def test_what_another_process_writes_to_is_not_removed(path):
    with (
        writing(path, About(HOW, "float16")),
        pytest.raises(UsageError, match="another process writes to .*store; wanted: one at a time"),
    ):
        remove_store(path)
    assert len(PreparedStore.open(path)) == 3


def test_a_folder_of_another_kind_is_left_alone(tmp_path):
    zarr.open_group(tmp_path / "other", mode="w").create_array("image", shape=(2,), dtype="u1")
    with pytest.raises(UsageError, match="holds zarr.json, and no store.json"), writing(
        tmp_path / "other", About(HOW, "uint8")
    ):  # fmt: skip
        pass
    (tmp_path / "other" / "store.json").write_text('{"schema": "shop/1"}', encoding="utf-8")
    for act in (PreparedStore.open, remove_store, read_by_writer):
        with pytest.raises((InputError, UsageError), match="shop/1|no store of prepared scans"):
            act(tmp_path / "other")
    assert (tmp_path / "other" / "image").exists()


def read_by_writer(path: Path) -> None:
    with writing(path, About(HOW, "uint8")):
        pass


def test_removing_takes_away_ours_alone(path):
    (path / "notes.txt").write_text("mine", encoding="utf-8")
    remove_store(path)
    assert [p.name for p in path.iterdir()] == ["notes.txt"]
    remove_store(path)  # where nothing is, nothing is done


def test_a_store_of_no_scans_can_be_opened(tmp_path):
    store = PreparedStore.open(written(tmp_path / "none", {}))
    assert len(store) == 0
    assert read_entries(tmp_path / "none") == {}


def test_negative_labels_are_refused_before_the_scan_is_there(tmp_path, scans):
    volume, mask = scans["a"]
    odd = mask.with_array(np.where(mask.array == 71, -3, mask.array))
    with pytest.raises(InputError, match="a label map with numbers from -3 to 408"):
        written(tmp_path / "s", {"a": (volume, odd)})
    assert len(PreparedStore.open(tmp_path / "s")) == 0


def test_equal_scans_give_equal_files(path, scans, tmp_path):
    again = written(tmp_path / "again", scans)
    for one in path.rglob("*"):
        if one.is_file():
            assert (again / one.relative_to(path)).read_bytes() == one.read_bytes(), one.name


def test_a_store_from_before_there_was_a_choice_of_centre_is_read(path, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(path, old)
    told = json.loads((old / "store.json").read_text(encoding="utf-8"))
    del told["preparation"]["centre"]
    (old / "store.json").write_text(json.dumps(told), encoding="utf-8")
    assert PreparedStore.open(old).how == PreparedStore.open(path).how


def test_an_entry_is_plain_json(path):
    told = json.loads((path / "scans.jsonl").read_text(encoding="utf-8").splitlines()[2])
    assert (told["scan_id"], told["row"], told["source"]) == ("sub-3_ses-1 Ä", 2, {"file": "sub-3_ses-1 Ä.nii.gz"})
    assert set(told["scales"]) == set(PARTS)
    assert json.loads((path / "store.json").read_text(encoding="utf-8")) == {
        "schema": "spineclock.store/1",
        "preparation": {
            "margin_mm": 10.0,
            "spacing_mm": [4.0, 1.0, 1.0],
            "shape": [16, 144, 64],
            "percentiles": [0.5, 99.5],
            "centre": "scan",
        },
        "dtype": "float16",
        "version": "1.2.3",
    }
