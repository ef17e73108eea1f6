"""Archives that mean harm, are broken, or are merely nested."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from spineclock.core.errors import InputError
from spineclock.ingest.archive import Limits, unpack
from spineclock.ingest.series import list_series, load


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "name", ["../out.txt", "a/../../out.txt", "/tmp/out.txt", "..\\out.txt", "C:\\out.txt", "C:out.txt", "a\\..\\..\\o"]
)
def test_paths_that_climb_out(tmp_path, name):
    archive = packed(tmp_path / "x.zip", {"good.txt": b"1", name: b"evil"})
    into = tmp_path / "into"
    with pytest.raises(InputError, match="would be written outside its folder"):
        unpack(archive, into)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p != archive]


def test_links_are_refused(tmp_path):
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w") as z:
        link = zipfile.ZipInfo("link.nii")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        z.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match=r"member 'link\.nii' is a link; wanted: plain files"):
        unpack(archive, tmp_path / "into")


def test_bomb_by_declared_size_and_by_ratio(tmp_path):
    archive = packed(tmp_path / "x.zip", {f"{n}.bin": bytes(10**6) for n in range(5)})
    with pytest.raises(InputError, match=r"declares 5 files, 0\.0 GB; wanted: at most"):
        unpack(archive, tmp_path / "into", limits=Limits(max_bytes=4 * 10**6))
    with pytest.raises(InputError, match="declares 5 files"):
        unpack(archive, tmp_path / "into", limits=Limits(max_files=4))
    with pytest.raises(InputError, match="that declares 5000000: a zip bomb"):
        unpack(archive, tmp_path / "into", limits=Limits(ratio_from_bytes=10**6))
    assert not (tmp_path / "into").exists() or not list((tmp_path / "into").rglob("*.bin"))
    assert len(list(unpack(archive, tmp_path / "into").folder.iterdir())) == 5


def test_bomb_that_declares_less_than_it_gives(tmp_path):
    archive = packed(tmp_path / "x.zip", {"a.bin": bytes(10**6)})
    raw = archive.read_bytes()
    archive.write_bytes(raw.replace(struct.pack("<I", 10**6), struct.pack("<I", 1000)))
    with pytest.raises(InputError, match="cannot be unpacked"):
        unpack(archive, tmp_path / "into")
    assert sum(p.stat().st_size for p in (tmp_path / "into").rglob("*") if p.is_file()) <= 1000


def test_broken_archives(tmp_path):
    good = packed(tmp_path / "x.zip", {"a.bin": np.random.default_rng(0).bytes(5000)})
    raw = good.read_bytes()
    for name, content in {
        "cut": raw[:-40],
        "text": b"hello",
        "empty": b"",
        "flip": raw[:2000] + b"!!" + raw[2002:],
    }.items():
        (tmp_path / f"{name}.zip").write_bytes(content)
        with pytest.raises(InputError, match="an archive that cannot be unpacked"):
            unpack(tmp_path / f"{name}.zip", tmp_path / name)


def test_passwords_and_doubles(tmp_path):
    archive = packed(tmp_path / "x.zip", {"a.bin": b"123"})
    raw = bytearray(archive.read_bytes())
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(bytes(raw))
    with pytest.raises(InputError, match="needs a password"):
        unpack(archive, tmp_path / "into")
    with zipfile.ZipFile(tmp_path / "y.zip", "w") as z:
        z.writestr("a", "1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            z.writestr("a", "2")
    with pytest.raises(InputError, match="holds 'a' twice"):
        unpack(tmp_path / "y.zip", tmp_path / "into")


def test_nested_archives_are_reported_and_the_rest_is_read(tmp_path, write_nifti, slab):
    scan = write_nifti(slab, "scan.nii.gz").read_bytes()
    inner = packed(tmp_path / "inner.zip", {"scan.nii.gz": scan}).read_bytes()
    outer = packed(tmp_path / "outer.zip", {"in/scan.nii.gz": scan, "in/more.zip": inner, "__MACOSX/._x.nii": b"0"})
    listing = list_series(outer, scratch=tmp_path / "scratch")
    assert [f.input for f in listing.failures] == [str(outer / "in" / "more.zip")]
    assert "an archive inside an archive" in listing.failures[0].reason
    assert listing.refs[0].source == outer / "in" / "scan.nii.gz"
    np.testing.assert_array_equal(load(listing.refs[0]).volume.array, slab.array)
    only_nested = packed(tmp_path / "only.zip", {"in.zip": inner})
    assert len(list_series(only_nested, scratch=tmp_path / "scratch").failures) == 1


def test_archives_in_a_folder_are_studies_and_a_bad_one_is_a_failure(tmp_path, write_nifti, slab):
    scan = write_nifti(slab, "elsewhere/scan.nii.gz").read_bytes()
    (tmp_path / "all").mkdir()
    for n in range(2):
        packed(tmp_path / "all" / f"{n}.zip", {"scan.nii.gz": scan})
    packed(tmp_path / "all" / "evil.zip", {"../scan.nii.gz": scan})
    listing = list_series(tmp_path / "all", scratch=tmp_path / "scratch")
    assert len({ref.scan_id for ref in listing.refs}) == 2
    assert [Path(f.input).name for f in listing.failures] == ["evil.zip"]


def test_without_scratch_an_archive_is_a_failure(tmp_path):
    archive = packed(tmp_path / "x.zip", {"a.nii": b""})
    assert "no folder to unpack it in" in list_series(archive).failures[0].reason
