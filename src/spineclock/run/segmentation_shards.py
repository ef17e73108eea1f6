"""Packs SPIDER's people for training elsewhere: ``python -m spineclock.run.segmentation_shards --help``.

A shard is an ``.npz`` of a few people: pictures as JPEG, cropped to the spine with a margin; labels; whose they are and
in which fold each is held out. Reading shards needs neither the data set nor its readers.
"""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from spineclock.learn.segmentation_examples import FULL_SCALE, LabelledSlices

if TYPE_CHECKING:
    from spineclock.core.volume import Array
    from spineclock.ingest.datasets.spider import SpiderPerson

MARGIN = 140
"""Pixels kept in front of and behind what is labelled: half a crop and what it may wander."""
QUALITY = 90
"""JPEG's; its errors are well under the noise that training adds."""
LARGEST_BYTES = 28 * 2**20


@dataclass(frozen=True)
class PackedPerson:
    """A person's examples from a shard, and the fold in which the person is held out."""

    person_id: str
    fold: int
    example: LabelledSlices


def pack(people: Sequence[SpiderPerson], folder: Path, *, quality: int = QUALITY) -> list[Path]:
    """The shards written, each below 28 MiB, with every person's slices on the network's grid."""
    from spineclock.learn.segmentation_examples import labelled_slices
    from spineclock.run.weights import fold_of

    fold = fold_of(people)
    folder.mkdir(parents=True, exist_ok=True)
    shards: list[dict[str, Array]] = [{}]
    size = 0
    for person in people:
        example = labelled_slices(person.volume, person.mask)
        parts = _packed(person.person_id, fold[person.person_id], example, quality)
        more = sum(a.nbytes for name, a in parts.items() if not name.endswith("labels"))
        more += parts[f"{person.person_id}/labels"].nbytes // 25  # about what compression leaves of it
        if size and size + more > LARGEST_BYTES:
            shards, size = [*shards, {}], 0
        shards[-1].update(parts)
        size += more
    written = []
    for number, shard in enumerate(shards):
        written.append(folder / f"spider-{number}.npz")
        np.savez_compressed(written[-1], allow_pickle=False, **shard)
    return written


def unpack(folder: Path) -> list[PackedPerson]:
    """The people of all shards of a folder, in the order they were packed in."""
    people = []
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as shard:
            ids = [name.split("/")[0] for name in shard.files if name.endswith("/about")]
            people += [_unpacked(i, {p: shard[f"{i}/{p}"] for p in ("about", "jpeg", "ends", "labels")}) for i in ids]
    return people


def _packed(person_id: str, fold: int, example: LabelledSlices, quality: int) -> dict[str, Array]:
    labels = example.labels.numpy()
    columns = np.flatnonzero(labels.any(axis=(0, 1)))
    kept = slice(max(0, int(columns[0]) - MARGIN), int(columns[-1]) + 1 + MARGIN)
    pictures = (example.pictures[:, :, kept].float().numpy() * FULL_SCALE).round().astype(np.uint8)
    files = [_jpeg(p, quality) for p in pictures]
    about = {"fold": fold, "pixel_mm": example.pixel_mm, "slice_mm": example.slice_mm, "sacrum": example.sacrum}
    return {
        f"{person_id}/about": np.frombuffer(json.dumps(about).encode(), np.uint8),
        f"{person_id}/jpeg": np.frombuffer(b"".join(files), np.uint8),
        f"{person_id}/ends": np.cumsum([len(f) for f in files]),
        f"{person_id}/labels": labels[:, :, kept],
    }


def _jpeg(picture: Array, quality: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality)
    return out.getvalue()


def _unpacked(person_id: str, parts: dict[str, Array]) -> PackedPerson:
    about = json.loads(parts["about"].tobytes())
    starts = [0, *parts["ends"][:-1].tolist()]
    files = [parts["jpeg"][a:b].tobytes() for a, b in zip(starts, parts["ends"].tolist(), strict=True)]
    pictures = np.stack([np.asarray(Image.open(io.BytesIO(f))) for f in files])
    row_mm, column_mm = about["pixel_mm"]
    example = LabelledSlices(
        torch.from_numpy(pictures),
        torch.from_numpy(parts["labels"]),
        (row_mm, column_mm),
        about["slice_mm"],
        sacrum=about["sacrum"],
    )
    return PackedPerson(person_id, about["fold"], example)


def main() -> None:
    """Packs a SPIDER folder."""
    from spineclock.ingest.datasets import spider

    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example: python -m spineclock.run.segmentation_shards --data spider --out build/shards",
    )
    parser.add_argument("--data", type=Path, required=True, help="the SPIDER folder (docs/data.md)")
    parser.add_argument("--out", type=Path, default=Path("build/shards"), help="where the shards go")
    parser.add_argument("--quality", type=int, default=QUALITY, help="JPEG quality of the pictures")
    told = parser.parse_args()
    written = pack(spider.read(told.data), told.out, quality=told.quality)
    for path in written:
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
