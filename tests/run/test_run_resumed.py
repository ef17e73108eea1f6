"""Work on many scans that goes on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from spineclock.run.resumed import Task, by_weights, resumed, table_of


@pytest.fixture
def done(in_this_process: None) -> list[str]:
    """Which scans were worked on, in this process."""
    return []


def test_what_was_done_before_a_stop_is_not_done_again(done: list[str], tmp_path: Path) -> None:
    tasks, partial = [Task(name, tmp_path / name, tmp_path) for name in "abcd"], tmp_path / "rows.partial"

    def work(task: Task) -> dict[str, Any]:
        if task.scan_id == "c" and not partial.with_name("again").exists():
            raise KeyboardInterrupt
        done.append(task.scan_id)
        return {"scan_id": task.scan_id, "value": float("nan") if task.scan_id == "a" else ord(task.scan_id)}

    with pytest.raises(KeyboardInterrupt):
        resumed(work, tasks, partial, workers=1)
    assert [json.loads(line)["scan_id"] for line in partial.read_text().splitlines()] == ["a", "b"]
    partial.write_text(partial.read_text() + '{"scan_id": "c", "val')  # killed as it wrote
    partial.with_name("again").touch()
    rows = resumed(work, tasks, partial, workers=1)
    assert done == ["a", "b", "c", "d"]
    assert [rows[name]["value"] for name in "bcd"] == [98, 99, 100]
    assert rows["a"]["value"] != rows["a"]["value"]


def test_a_table_has_the_rows_asked_for_in_their_order_and_is_made_once(done: list[str], tmp_path: Path) -> None:
    def work(task: Task) -> dict[str, Any]:
        done.append(task.scan_id)
        return {"scan_id": task.scan_id, "value": 1 / 3} | ({"why": "none"} if task.scan_id == "b" else {})

    def tasks(names: str) -> Iterator[Task]:
        yield from (Task(name, tmp_path / name, tmp_path) for name in names)

    path = tmp_path / "table.csv"
    path.with_suffix(".partial").write_text('{"scan_id": "z"}\n{"scan_id": "a", "value": 5}\n')  # z is asked no more
    columns = ["scan_id", "why", "value"]
    table_of(path, work, tasks("bac"), workers=1, columns=columns, float_format="%.2f")
    assert path.read_text() == "scan_id,why,value\nb,none,0.33\na,,5.00\nc,,0.33\n"
    assert sorted(done) == ["b", "c"]
    assert not path.with_suffix(".partial").exists()
    table_of(path, work, (1 / 0 for _ in "x"), workers=1)  # type: ignore[misc]  # it is there: no task is even drawn
    assert sorted(done) == ["b", "c"]


def test_another_network_s_answers_have_another_name(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"a network")
    other.write_bytes(b"another")
    names = {by_weights("people", one), by_weights("people", other), by_weights("people", one, other)}
    assert len(names) == 3
    assert by_weights("people", one) == f"people-{sha256(b'a network').hexdigest()[:8]}.csv"
