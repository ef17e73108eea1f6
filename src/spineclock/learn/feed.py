"""What a network that reads whole scans is shown: batches in an order that a seed and the epoch alone decide."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from spineclock.core.errors import TableError
from spineclock.core.geometry import shifted
from spineclock.prep.masking import Part

Floats = npt.NDArray[np.float32]
Targets = npt.NDArray[np.float64]
T = TypeVar("T")


class Inputs(Protocol):
    """Prepared scans, wherever they are kept."""

    def inputs(self, indices: Sequence[int], part: Part = "whole") -> Floats:
        """The scans of these rows as a network reads them, shape (B, 1, D, H, W)."""
        ...


@dataclass(frozen=True, eq=False)
class Examples:
    """Scans with what is to be said of them.

    Parameters
    ----------
    scans : Inputs
        Where the prepared scans are.
    rows : sequence of int
        Which of them.
    targets : ndarray, one a row
        The person's age in years at the scan, or 1 where the person has the disease and 0 where not; or several a row,
        NaN where not known, of which each row knows one at least.
    """

    scans: Inputs
    rows: Sequence[int]
    targets: Targets

    def __post_init__(self) -> None:
        each = np.isfinite(self.targets)
        known = np.asarray(each.any(axis=1)) if each.ndim == 2 else each
        if len(self.rows) != len(self.targets) or not known.all():
            raise TableError(f"{len(self.rows)} scans with {int(known.sum())} known ages or labels",
                             wanted="one for each scan")  # fmt: skip

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Augmentation:
    """How pictures are changed before a network sees them, so that it does not learn them by heart."""

    shift_voxels: int = 2
    """The most they are moved along each axis, either way; what comes in is 0."""
    mirror: bool = True
    """Whether left and right change places in half of them."""
    mirror_axis: int = 0
    """Along which axis that is: slices of sagittal scans, columns of axial ones."""
    blur_voxels: float = 0.0
    """The most they are blurred: standard deviation of a Gaussian along rows and columns."""
    noise: float = 0.0
    """The most noise that is added: its standard deviation, where the spine's grey values have 1."""
    contrast: float = 0.0
    """The most by which grey values are stretched, pressed or lifted, as a share of their standard deviation."""
    rotate_deg: float = 0.0
    """The most they are turned in the plane of rows and columns, either way; what comes in is 0."""
    zoom: float = 0.0
    """The most they are enlarged or made smaller in that plane, as a share; what comes in is 0."""
    along_slices: bool = True
    """Whether they may be moved along the first axis, which of crops holds levels and not places."""

    def __call__(self, x: Floats, rng: np.random.Generator) -> Floats:
        """The batch, shape (B, 1, D, H, W), each scan changed in its own way.

        >>> x = np.arange(8, dtype=np.float32).reshape(1, 1, 2, 2, 2)
        >>> Augmentation(shift_voxels=0, mirror=False)(x, np.random.default_rng(0)) is x
        True
        """
        if not (self.shift_voxels or self.mirror or self._grey or self._turned):
            return x
        changed = np.zeros_like(x)
        for scan, into in zip(x[:, 0], changed[:, 0], strict=True):
            by = rng.integers(-self.shift_voxels, self.shift_voxels + 1, 3) * (np.array(scan.shape) > 1)
            by[0] *= self.along_slices
            if self._turned:
                scan = self._turn(scan, rng)
            if self.mirror and rng.random() < 0.5:
                scan = np.flip(scan, self.mirror_axis)
            to, source = shifted(scan.shape, by.tolist())
            into[to] = scan[source]
            if self._grey:
                into[:] = self._other_grey(into, rng)
        return changed

    @property
    def _turned(self) -> bool:
        return bool(self.rotate_deg or self.zoom)

    def _turn(self, scan: Floats, rng: np.random.Generator) -> Floats:
        """The scan turned and scaled about its middle, every slice alike, by linear interpolation."""
        angle = np.deg2rad(rng.uniform(-self.rotate_deg, self.rotate_deg))
        scale = 1 + rng.uniform(-self.zoom, self.zoom)
        row, column = np.ogrid[: scan.shape[1], : scan.shape[2]]
        middle = (np.array(scan.shape[1:]) - 1) / 2
        row, column = (row - middle[0]) / scale, (column - middle[1]) / scale
        from_row = (np.cos(angle) * row - np.sin(angle) * column) / middle[0]  # −1 in the first row, 1 in the last
        from_column = (np.sin(angle) * row + np.cos(angle) * column) / middle[1]
        where = torch.from_numpy(np.stack([from_column, from_row], -1).astype(np.float32))
        return F.grid_sample(torch.from_numpy(scan)[None], where[None], align_corners=True)[0].numpy()

    @property
    def _grey(self) -> bool:
        return bool(self.blur_voxels or self.noise or self.contrast)

    def _other_grey(self, scan: Floats, rng: np.random.Generator) -> Floats:
        """The scan as another machine might have seen it; what is outside the spine's margin stays 0."""
        blur, noise = rng.uniform(0, self.blur_voxels), rng.uniform(0, self.noise)
        stretch, lift = 1 + rng.uniform(-self.contrast, self.contrast), rng.uniform(-self.contrast, self.contrast)
        inside = scan != 0
        if blur:  # the mean over what is inside alone
            weight = ndimage.gaussian_filter(inside.astype(np.float32), (0, blur, blur))
            scan = np.asarray(ndimage.gaussian_filter(scan, (0, blur, blur)) / np.maximum(weight, 1e-3), np.float32)
        changed = np.zeros_like(scan)
        kept = scan[inside]
        if noise:  # drawn for what is inside alone: of regions of CT that is three voxels in ten
            drawn = torch.Generator().manual_seed(int(rng.integers(2**63)))  # three times as fast as NumPy's
            kept += np.float32(noise) * torch.randn(len(kept), generator=drawn).numpy()
        changed[inside] = kept * np.float32(stretch) + np.float32(lift)
        return changed


@dataclass(frozen=True, eq=False)
class Batch:
    """What one step learns from: volumes (B, 1, D, H, W) and targets (B,), ages in years or 0 and 1, or (B, k)."""

    volumes: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Feed:
    """Epochs of batches.

    Each epoch shows every scan once; the order depends on the seed and the epoch alone, the augmentation of a batch on
    these and its place, so that a training that goes on from any step sees what an unbroken one would have seen.
    A last batch that is not full is left out. Of several processes each reads its share of every batch.
    """

    examples: Examples
    batch: int
    seed: int
    part: Part = "whole"
    augmentation: Augmentation = Augmentation()
    rank: int = 0
    world: int = 1

    @property
    def batches(self) -> int:
        """How many an epoch has.

        Raises
        ------
        TableError
            If there are fewer scans than one batch takes.
        """
        if len(self.examples) < self.batch * self.world:
            raise TableError(f"{len(self.examples)} scans to train on", wanted=f"at least {self.batch * self.world}",
                             remedy="more scans, or a smaller batch_size")  # fmt: skip
        return len(self.examples) // (self.batch * self.world)

    def epoch(self, number: int, *, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch from the one of index ``first`` on."""
        size = self.batch * self.world
        order = np.random.default_rng([self.seed, 0, number]).permutation(len(self.examples))
        for k in range(first, self.batches):
            mine = order[k * size : (k + 1) * size][self.rank :: self.world]
            rng = np.random.default_rng([self.seed, 1, number, k, self.rank])
            yield batch_of(self.examples, mine, self.part, lambda x, rng=rng: self.augmentation(x, rng))  # type: ignore[misc]


def in_order(examples: Examples, batch: int, part: Part = "whole") -> Iterator[Batch]:
    """All scans once, unchanged, in their own order."""
    for first in range(0, len(examples), batch):
        yield batch_of(examples, np.arange(first, min(first + batch, len(examples))), part)


def batch_of(
    examples: Examples, which: npt.NDArray[np.int64], part: Part, changed: Callable[[Floats], Floats] = lambda x: x
) -> Batch:
    """The scans of these places as tensors."""
    x = changed(examples.scans.inputs([examples.rows[i] for i in which], part))
    return Batch(torch.from_numpy(x), torch.from_numpy(examples.targets[which].astype(np.float32)))


class ReadAhead(Generic[T]):
    """What an iterator gives, read by a thread of its own while the reader works; ``waited_s`` counts idle seconds.

    >>> list(ReadAhead(iter("abc"), ahead=2))
    ['a', 'b', 'c']
    """

    def __init__(self, source: Iterator[T], *, ahead: int = 4) -> None:
        self.waited_s = 0.0
        self._queue: queue.Queue[tuple[T | None, BaseException | None, bool]] = queue.Queue(ahead)
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(source,), daemon=True)
        self._thread.start()

    def _read(self, source: Iterator[T]) -> None:
        try:
            for item in source:
                if not self._put((item, None, False)):
                    return
        except BaseException as error:  # handed to the reader, in whose thread it is raised again
            self._put((None, error, True))
            return
        self._put((None, None, True))

    def _put(self, item: tuple[T | None, BaseException | None, bool]) -> bool:
        while not self._left.is_set():
            try:
                self._queue.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def __iter__(self) -> Iterator[T]:
        try:
            while True:
                begun = time.perf_counter()
                item, error, ended = self._queue.get()
                self.waited_s += time.perf_counter() - begun
                if error is not None:
                    raise error
                if ended:
                    return
                yield item  # type: ignore[misc]
        finally:
            self._left.set()
