"""The results page of speed: one scan from file to prediction.json, process start included, and the two engines.

``python -m spineclock.run.speed SCAN.nii.gz --out docs/results/speed.md``
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from spineclock.core.recipe import Engine
from spineclock.ingest.series import list_series, load
from spineclock.nets.weights import packaged
from spineclock.recipes.mri_age import SEGMENTER
from spineclock.run.outputs import versions, write_text
from spineclock.run.tables import markdown
from spineclock.segment.engine import scorer
from spineclock.segment.network import class_probabilities, label_map

ENGINES: tuple[Engine, ...] = ("openvino", "torch")
"""The first is what `auto` takes."""
LIMIT_S, LIMIT_GB, GOAL_S = 12.0, 3.0, 6.0


def whole_run(scan: Path, engine: Engine) -> float:
    """Seconds of ``spineclock predict`` on one scan in a process of its own."""
    with tempfile.TemporaryDirectory() as out:
        call = [sys.executable, "-m", "spineclock", "predict", str(scan), "--out", f"{out}/results", "--engine", engine]
        begun = time.monotonic()
        subprocess.run(call, check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - begun


def peak_gb() -> float:
    """Most memory any process started from here has held, in GB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e9


def engines(scan: Path, repeats: int) -> pd.DataFrame:
    """Seconds of outlining the scan by each engine, and how many voxels they label differently."""
    volume = load(list_series(scan).refs[0]).volume
    rows, masks = [], []
    for engine in reversed(ENGINES):
        score = scorer(packaged(SEGMENTER), engine=engine)
        seconds = []
        for _ in range(repeats):
            begun = time.monotonic()
            probabilities, grid = class_probabilities(volume, score)
            seconds.append(time.monotonic() - begun)
        masks.append(label_map(probabilities, grid, volume).array)
        rows.append({"engine": engine, "outlining, seconds (median)": median(seconds)})
    table = pd.DataFrame(rows)
    table["voxels labelled unlike PyTorch"] = [str(int(np.sum(m != masks[0]))) for m in masks]
    return table


def page(scan: Path, repeats: int) -> str:
    """The page as Markdown."""
    rows, typical = [], {}
    for engine in ENGINES:
        seconds = [whole_run(scan, engine) for _ in range(repeats)]
        typical[engine] = median(seconds)
        rows.append((engine, typical[engine], max(seconds), peak_gb()))
    table = pd.DataFrame(rows, columns=["engine", "seconds (median)", "slowest", "peak GB so far"])
    kept = typical["openvino"] <= LIMIT_S and rows[0][-1] <= LIMIT_GB
    shape = " × ".join(map(str, list_series(scan).refs[0].shape))
    used = ", ".join(f"{name} {number}" for name, number in versions().items())
    return (
        f"# Speed\n\nOne scan of {shape} voxels (`{scan.name}`), `spineclock predict` from process start to the report,"
        f" {repeats} runs each; {os.cpu_count()} cores ({platform.machine()}); {used}.\n\n"
        f"- Command: `python -m spineclock.run.speed {scan.name} --out docs/results/speed.md`\n"
        f"- Limit {LIMIT_S:.0f} s and {LIMIT_GB:.0f} GB: {'kept' if kept else 'NOT kept'}; goal {GOAL_S:.0f} s: "
        f"{'reached' if typical['openvino'] <= GOAL_S else 'not reached'}.\n\n"
        f"{markdown(table)}\n\n"
        f"The network alone, on the same scan:\n\n{markdown(engines(scan, repeats))}\n"
    )


def main() -> None:
    """Measures and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scan", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/results/speed.md"))
    parser.add_argument("--repeats", type=int, default=3)
    told = parser.parse_args()
    write_text(told.out, page(told.scan, told.repeats))


if __name__ == "__main__":
    main()
