"""The results page of training speed: ``python -m spineclock.run.training_speed --help``.

What each means of going faster gains over plain PyTorch, one step after another in processes of their own; whether the
loss falls the same; and whether reading keeps up.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from spineclock.run.outputs import versions, write_text
from spineclock.run.phantom_settings import PhantomMriSettings
from spineclock.run.settings import PrepareSettings
from spineclock.run.tables import markdown

SHAPES = ((16, 128, 64), (20, 256, 128))
GOAL_SHAPE, GOAL = (20, 256, 128), 4.0
BATCH = 2


@dataclass(frozen=True)
class Way:
    """A way of computing the same step."""

    name: str
    early_pool: bool = False
    """Whether the pool stands before the ReLU, which is the same function."""
    channels_last: bool = False
    big_buffers: bool = False
    products: bool = False
    """Whether block 1 is computed as matrix products (:mod:`spineclock.nets.first_block`), in float32."""
    bfloat16: bool = False


PLAIN = Way("plain PyTorch, float32")
REORDERED = Way("+ pool before ReLU, channels last", early_pool=True, channels_last=True)
KEEPING = replace(REORDERED, name="+ malloc keeps large blocks", big_buffers=True)
PRODUCTS = replace(KEEPING, name="+ block 1 as matrix products", products=True)
BFLOAT16 = replace(KEEPING, name="bfloat16 arithmetic instead of these products", bfloat16=True)


def ways() -> tuple[Way, ...]:
    """The ways, the last one that in which training computes here."""
    from spineclock.run.training.device import computes_in_bfloat16

    return (PLAIN, REORDERED, KEEPING, PRODUCTS, *((BFLOAT16,) if computes_in_bfloat16("cpu") else ()))


def step_seconds(way: Way, shape: tuple[int, int, int], *, steps: int) -> list[float]:
    """Seconds of each training step of the paper's network at batch 2, after two that are not counted."""
    import torch

    from spineclock.run.training.device import keep_big_buffers

    if way.big_buffers:
        keep_big_buffers()
    torch.manual_seed(0)
    net, optimiser = _net(way)
    x = _placed(way, torch.randn(BATCH, 1, *shape))
    y, seconds = torch.randn(BATCH), []
    for _ in range(steps + 2):
        begun = time.perf_counter()
        _step(way, net, optimiser, x, y)
        seconds.append(time.perf_counter() - begun)
    return seconds[2:]


def _step(way: Way, net: Any, optimiser: Any, x: Any, y: Any) -> Any:
    """One training step; its loss."""
    import torch

    with torch.autocast("cpu", torch.bfloat16, enabled=way.bfloat16):
        answer = net(x)
    loss = torch.nn.functional.mse_loss(answer.float()[:, 0], y)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss


def _placed(way: Way, x: Any) -> Any:
    """The volumes in the order of memory that the way wants."""
    import torch

    return x.contiguous(memory_format=torch.channels_last_3d) if way.channels_last else x


def _net(way: Way) -> tuple[Any, Any]:
    import torch

    from spineclock.nets.convolution import trusted
    from spineclock.nets.dcnn import AgeNet, Block

    class LatePool(Block):
        """As the paper's table has it: ReLU, then pool."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = torch.relu(self.norm(self.conv(x)))
            return torch.nn.functional.max_pool3d(x, [2 if n > 1 else 1 for n in x.shape[2:]])

    class Layers(Block):
        """Ours without the matrix products."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.by_layers(x)

    net = trusted(AgeNet()).train()
    if not way.products:
        for block in net.blocks:
            block.__class__ = Layers if way.early_pool else LatePool
    if way.channels_last:
        net = net.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return net, torch.optim.Adam(net.parameters(), 1e-4)


def loss_curve(way: Way, store: Path, *, seed: int, epochs: int) -> list[float]:
    """Mean training loss of each epoch on the store's scans, whose ages lie beside it; the order is the seed's."""
    import torch

    from spineclock.learn.feed import Examples, Feed
    from spineclock.prep.store import PreparedStore

    scans = PreparedStore.open(store)
    ages = json.loads((store.parent / "ages.json").read_text(encoding="utf-8"))
    told = np.array([ages[s] for s in scans.scan_ids])
    feed = Feed(Examples(scans.in_memory(range(len(scans))), range(len(scans)), told), BATCH, seed)
    torch.manual_seed(seed)
    net, optimiser = _net(way)
    curve = []
    for number in range(epochs):
        total = 0.0
        for batch in feed.epoch(number):
            y = (batch.targets - told.mean()) / told.std()
            total += _step(way, net, optimiser, _placed(way, batch.volumes), y).item()
        curve.append(total / feed.batches)
    return curve


def fed(store: Path, cohort: Path, *, from_nifti: bool) -> dict[str, float]:
    """Seconds a scan of one training epoch that reads from disk, and the share of them it waited for data."""

    from spineclock.learn.feed import Examples, Feed, ReadAhead
    from spineclock.prep.store import PreparedStore
    from spineclock.run.training.device import keep_big_buffers

    keep_big_buffers()
    way = ways()[-1]
    net, optimiser = _net(way)
    scans = PreparedStore.open(store)
    source: Any = _Nifti(cohort, scans) if from_nifti else scans
    feed = Feed(Examples(source, range(len(scans)), np.linspace(30, 80, len(scans))), BATCH, 0)
    begun, waited = 0.0, 0.0
    for epoch in range(2):  # the first one warms up
        begun, ahead = time.perf_counter(), ReadAhead(feed.epoch(epoch))
        for batch in ahead:
            _step(way, net, optimiser, _placed(way, batch.volumes), batch.targets)
        waited = ahead.waited_s
    took = time.perf_counter() - begun
    return {"seconds": took / (feed.batches * BATCH), "idle": waited / took}


class _Nifti:
    """Scans read and prepared anew each time, as training without a store would."""

    def __init__(self, cohort: Path, like: Any) -> None:
        self.cohort, self.like = cohort, like

    def inputs(self, indices: Any, part: Any = "whole") -> Any:
        from spineclock.core.volume import Mask, Volume
        from spineclock.prep.prepared import prepare

        made = []
        for i in indices:
            person, _, session = self.like.scan_ids[i].partition("_")
            stem = self.cohort / person / session / "anat" / f"{self.like.scan_ids[i]}_T2w"
            image, labels = (_read(Path(f"{stem}{end}.nii.gz")) for end in ("", "_dseg"))
            made.append(prepare(Volume(*image), Mask(*labels), self.like.how).array)
        return np.stack(made)[:, None].astype(np.float32)


def _read(path: Path) -> tuple[Any, Any]:
    import nibabel as nib

    image = nib.load(path)
    return np.asarray(image.dataobj), image.affine


def _apart(task: str, **told: Any) -> Any:
    """What a task gives in a process of its own: the allocator's habits hold for a whole process."""
    call = [sys.executable, "-m", "spineclock.run.training_speed", "--task", task, "--told", json.dumps(told)]
    done = subprocess.run(call, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def _task(name: str, told: dict[str, Any]) -> Any:
    if "way" in told:
        told["way"] = Way(**told["way"])
    for key in ("store", "cohort"):
        if key in told:
            told[key] = Path(told[key])
    if name == "step_seconds":
        return step_seconds(told["way"], tuple(told["shape"]), steps=told["steps"])
    if name == "loss_curve":
        return loss_curve(**told)
    return fed(**told)


def _steps(rounds: int) -> pd.DataFrame:
    """Milliseconds a scan of each way, the ways taking turns; medians over the rounds."""
    found: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for shape in SHAPES:
            for way in ways():
                steps = _apart("step_seconds", way=asdict(way), shape=shape, steps=8)
                found.setdefault((way.name, " × ".join(map(str, shape))), []).append(float(np.median(steps)))
    rows = []
    for way in ways():
        row: dict[str, Any] = {"way": way.name}
        for shape in SHAPES:
            name = " × ".join(map(str, shape))
            now, plain = (float(np.median(found[w, name])) for w in (way.name, PLAIN.name))
            row |= {f"{name}, ms a scan": 1000 * now / BATCH, f"{name}, times faster": plain / now}
        rows.append(row)
    return pd.DataFrame(rows)


def _curves(folder: Path, *, people: int, seeds: int, epochs: int) -> tuple[list[list[float]], list[list[float]]]:
    """Losses of the plain and of the fast way under the same seeds, on phantoms of 16 × 128 × 64."""
    store = _phantoms(folder, people, "16x128x64", "8,5,4")
    return tuple(
        [_apart("loss_curve", way=asdict(way), store=str(store), seed=s, epochs=epochs) for s in range(seeds)]
        for way in (PLAIN, ways()[-1])
    )  # type: ignore[return-value]


def _phantoms(folder: Path, people: int, grid: str, spacing: str) -> Path:
    from spineclock.ingest.cohort import read_cohort
    from spineclock.run.phantom_mri import make_scans
    from spineclock.run.prepare import prepare_cohort

    cohort, store = folder / grid / "mri", folder / grid / "store"
    make_scans(people, PhantomMriSettings(seed=31, grid=grid), out=cohort)
    prepare_cohort(cohort, PrepareSettings(spacing_mm=spacing, shape=grid.replace("x", ",")), out=store)
    table = read_cohort(cohort).table
    ages = dict(zip(table["scan_id"], table["age_years"].astype(float), strict=True))
    (store.parent / "ages.json").write_text(json.dumps(ages), encoding="utf-8")
    return store


def page(steps: pd.DataFrame, curves: tuple[list[list[float]], list[list[float]]], feeding: dict[str, Any], *,
         command: str, load: tuple[float, float]) -> str:  # fmt: skip
    """The page as Markdown."""
    gained = float(steps.iloc[-1][f"{' × '.join(map(str, GOAL_SHAPE))}, times faster"])
    plain, fast = (np.array(c) for c in curves)
    epochs = plain.shape[1]
    rows = pd.DataFrame({
        "epoch": np.arange(1, epochs + 1), "plain": plain.mean(0), "fast": fast.mean(0),
        "mean difference": (fast - plain).mean(0), "SD between seeds, plain": plain.std(0, ddof=1),
    })  # fmt: skip
    within = bool((rows["mean difference"].abs() <= rows["SD between seeds, plain"]).all())
    faster = feeding["nifti"]["seconds"] / feeding["store"]["seconds"]
    used = ", ".join(f"{name} {number}" for name, number in versions().items())
    goal = "reached" if gained >= GOAL else "**missed**"
    return "\n".join(_lines(steps, rows, feeding, f"{gained:.1f} times ({goal})", within, faster,
                            f"{os.cpu_count()} cores ({platform.machine()}), load {load[0]:.1f} before and "
                            f"{load[1]:.1f} at the end; {used}", command, len(plain)))  # fmt: skip


def _lines(steps: pd.DataFrame, rows: pd.DataFrame, feeding: dict[str, Any], gained: str, within: bool, faster: float,
           machine: str, command: str, seeds: int) -> Iterator[str]:  # fmt: skip
    yield "# Speed of training\n"
    yield f"- Command: `{command}`\n- {machine}\n"
    yield (f"## A step\n\nThe paper's network, batch {BATCH}, forward, backward and Adam, each way in a process of its "
           f"own, the ways taking turns. Asked for: {GOAL:g} times plain PyTorch at {' × '.join(map(str, GOAL_SHAPE))}"
           f"; measured: {gained}.\n\n{markdown(steps, digits=1)}\n")  # fmt: skip
    yield ("## The same loss\n\nMean training loss on simulated scans of 16 × 128 × 64, both ways from the same "
           f"{seeds} seeds. The difference lies {'within' if within else '**outside**'} one standard deviation between "
           f"seeds in {'every' if within else 'some'} epoch.\n\n{markdown(rows, digits=4)}\n")  # fmt: skip
    yield ("## Reading\n\nOne epoch on 20 × 256 × 128, batches read from disk ahead of the training, by one thread:\n")
    table = pd.DataFrame([{"read from": name, "s a scan": told["seconds"], "share of time spent waiting": told["idle"]}
                          for name, told in feeding.items()])  # fmt: skip
    yield markdown(table, digits=3) + "\n"
    yield (f"The store is {faster:.1f} times as fast as NIfTI files prepared at each reading (asked for: 1.5, "
           f"{'reached' if faster >= 1.5 else '**missed**'}): these lie on the grid already, so that preparing them is "
           "cheap, and the network takes most of the time. Waiting asked for: under 5%.\n")  # fmt: skip


def main() -> None:
    """Measures and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/results/training_speed.md"))
    parser.add_argument("--rounds", type=int, default=3, help="turns of the ways")
    parser.add_argument("--seeds", type=int, default=4, help="of the loss curves")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("--told", help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.task:
        print(json.dumps(_task(told.task, json.loads(told.told))))
        return
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as scratch:
        steps = _steps(told.rounds)
        curves = _curves(Path(scratch), people=120, seeds=told.seeds, epochs=4)
        store = _phantoms(Path(scratch), 24, "20x256x128", "6.4,2.5,2")
        feeding = {
            name: _apart("fed", store=str(store), cohort=str(store.parent / "mri"), from_nifti=name == "nifti")
            for name in ("store", "nifti")
        }
    command = f"python -m spineclock.run.training_speed --rounds {told.rounds} --seeds {told.seeds}"
    text = page(steps, curves, feeding, command=command,
                load=(before, os.getloadavg()[0]))  # fmt: skip
    told.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(told.out, text)


if __name__ == "__main__":
    main()
