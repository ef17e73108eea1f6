"""Compares every statistic with an independent implementation and prints the page: ``python tests/crosscheck/run.py``.

Each folder beside this file holds data.csv, make.R (where R has the counterpart), what it gave (r.json) and
compare.py. With ``--live`` R runs again first, into a scratch folder, so that nothing committed is trusted.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import shutil
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent
DIGITS = 6
Comparison = tuple[str, str, float, float]
"""Statistic, counterpart, ours, theirs."""


def folders() -> list[Path]:
    """The comparisons there are."""
    return sorted(p.parent for p in HERE.glob("*/compare.py"))


def comparisons(folder: Path, *, at: Path | None = None) -> list[Comparison]:
    """What a folder compares, with the files that lie ``at`` another place where given."""
    return list(_module(folder).compare(at or folder))


def difference(ours: float, theirs: float) -> float:
    """Relative difference, absolute where theirs is below 1e-3: |ours − theirs| / max(|theirs|, 1e-3).

    >>> difference(2.0, 2.0), round(difference(1.1, 1.0), 6), difference(float("nan"), 1.0)
    (0.0, 0.1, inf)
    """
    if ours == theirs:
        return 0.0
    gap = abs(ours - theirs) / max(abs(theirs), 1e-3)
    return gap if math.isfinite(gap) else math.inf


def agree(ours: float, theirs: float, *, digits: int = DIGITS) -> bool:
    """Whether two numbers agree to so many significant digits."""
    return difference(ours, theirs) < 0.5 * 10 ** (1 - digits)


def live(folder: Path, scratch: Path) -> Path:
    """A copy of the folder in which R has just run; a RuntimeError with R's words if it could not."""
    copy = scratch / folder.name
    shutil.copytree(folder, copy)
    for script in sorted(copy.glob("*.R")):
        done = subprocess.run(["Rscript", script.name], cwd=copy, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{folder.name}/{script.name}: {done.stderr.strip()}")
    return copy


def page(found: dict[str, list[Comparison]], *, is_live: bool) -> str:
    """The results page: a row a statistic and counterpart, with the largest difference."""
    rows: dict[tuple[str, str, str], list[float]] = {}
    for name, compared in found.items():
        for statistic, counterpart, ours, theirs in compared:
            rows.setdefault((name, statistic, counterpart), []).append(difference(ours, theirs))
    worst = max((max(d) for d in rows.values()), default=math.nan)
    lines = [
        "# Each statistic beside an independent implementation",
        "",
        f"Command: `make crosscheck` (R run {'live' if is_live else 'before, its output committed'}), {date.today()}. "
        f"{sum(map(len, rows.values()))} numbers in {len(rows)} rows; largest relative difference {worst:.1g} "
        "(absolute where the number itself is below 0.001).",
        "",
        "| of | statistic | counterpart | numbers | largest difference |",
        "|---|---|---|---|---|",
        *(f"| {n} | {s} | {c} | {len(d)} | {max(d):.1g} |" for (n, s, c), d in rows.items()),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Prints or writes the page; 1 if some numbers do not agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--live", action="store_true", help="run R again (Debian: r-base-core and r-cran-*)")
    parser.add_argument("--out", type=Path, help="where the page goes; printed where not given")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        found = {f.name: comparisons(f, at=live(f, Path(scratch)) if told.live else None) for f in folders()}
    text = page(found, is_live=told.live)
    sys.stdout.write(text) if told.out is None else told.out.write_text(text, encoding="utf-8")
    apart = [(n, *c) for n, compared in found.items() for c in compared if not agree(c[2], c[3])]
    for name, statistic, counterpart, ours, theirs in apart:
        print(f"{name}: {statistic} is {ours!r}, {counterpart} gives {theirs!r}", file=sys.stderr)
    return 1 if apart else 0


def _module(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"crosscheck_{folder.name}", folder / "compare.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
