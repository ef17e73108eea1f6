"""What a network's answers are corrected by in place of its validation people's ages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spineclock.core.errors import InputError
from spineclock.core.people import hashed
from spineclock.nets.recalibration import FILE, Recalibrated, read_recalibrated, write_recalibrated

VFA = Recalibrated(((61.5, 65.0), (70.25, 80.0)), hashed(["sub-1", "sub-2"]), {"cohort": "vfa", "people": 2})


def test_what_was_written_is_read_again_and_names_nobody(tmp_path: Path) -> None:
    assert read_recalibrated(tmp_path, "ab") == {}
    write_recalibrated(tmp_path, "ab", {"vfa": VFA})
    assert read_recalibrated(tmp_path, "ab") == {"vfa": VFA}
    assert "sub-" not in (tmp_path / FILE).read_text(encoding="utf-8")
    assert hashed(["sub-2"]) <= VFA.people
    assert not hashed(["sub-3"]) & VFA.people


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"weights_sha256": "cd"}, "made for other weights"),
        ({"schema": "other/1"}, "schema other/1"),
        ({"kinds": {"vfa": {}}}, "pairs"),
        ({"kinds": {"vfa": {"pairs": [[1]], "people": [], "about": {}}}}, "cannot be used"),
    ],
)
def test_a_file_of_other_weights_or_rubbish_is_refused(tmp_path: Path, change: dict[str, object], match: str) -> None:
    write_recalibrated(tmp_path, "ab", {"vfa": VFA})
    told = json.loads((tmp_path / FILE).read_text(encoding="utf-8")) | change
    (tmp_path / FILE).write_text(json.dumps(told), encoding="utf-8")
    with pytest.raises(InputError, match=match):
        read_recalibrated(tmp_path, "ab")
