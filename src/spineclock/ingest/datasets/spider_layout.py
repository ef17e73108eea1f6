"""Lays SPIDER out as :mod:`spineclock.ingest.datasets.spider` reads it, from the files as they are published.

``python -m spineclock.ingest.datasets.spider_layout DOWNLOAD OUT``; see docs/data.md.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from spineclock.core.errors import InputError, SpineclockError
from spineclock.core.volume import Array

SUFFIX = "_t2_SPACE"
"""How the published names of the T2 SPACE series end."""


def structures(labels: Array) -> Array:
    """SPIDER's numbering reduced to 1 disc, 2 vertebra, 3 canal; any shape, same shape back.

    Vertebrae are 1–25 and, where the view cuts them, 101–125; the canal is 100; discs are 201–225.

    Raises
    ------
    InputError
        If another number occurs.

    Examples
    --------
    >>> structures(np.array([0, 1, 7, 100, 107, 201])).tolist()
    [0, 2, 2, 3, 2, 1]
    """
    disc, canal = (labels > 200) & (labels <= 225), labels == 100
    vertebra = ((labels > 0) & (labels <= 25)) | ((labels > 100) & (labels <= 125))
    unknown = np.unique(labels[(labels != 0) & ~disc & ~canal & ~vertebra])
    if unknown.size:
        raise InputError(
            f"labels {', '.join(map(str, unknown[:5].tolist()))} in a SPIDER mask",
            wanted="vertebrae 1–25 or 101–125, canal 100, discs 201–225",
        )
    return (disc * 1 + vertebra * 2 + canal * 3).astype(np.uint8)


def lay_out(download: Path, out: Path, *, people: Collection[str] = ()) -> list[str]:
    """The numbers of the people laid out, after writing ``space/`` and ``participants.csv`` into ``out``.

    Parameters
    ----------
    download : folder with ``images/``, ``masks/`` and ``overview.csv``, unpacked
    out : folder to write
    people : numbers of the people wanted; all who have a T2 SPACE series, where empty

    Raises
    ------
    InputError
        If the download is not as expected, or a wanted person has no such series.
    """
    facts = _overview(download / "overview.csv")
    found = {p.name.removesuffix(f"{SUFFIX}.mha"): p for p in (download / "images").glob(f"*{SUFFIX}.mha")}
    missing = sorted(set(people) - set(found)) if people else ([] if found else [f"*{SUFFIX}.mha"])
    if missing:
        raise InputError(
            f"no T2 SPACE series in {download / 'images'} for {', '.join(missing[:5])}",
            wanted="images/, masks/ and overview.csv",
            remedy="unpack images.zip and masks.zip of the SPIDER record (docs/data.md)",
        )
    chosen = sorted(people or found, key=int)
    (out / "space").mkdir(parents=True, exist_ok=True)
    for person in chosen:
        _convert(found[person], download / "masks" / found[person].name, out / "space", person)
    with (out / "participants.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["patient", "age", "sex", "subset"])
        writer.writerows([person, *facts[person]] for person in chosen)
    return chosen


def _convert(image: Path, mask: Path, out: Path, person: str) -> None:
    try:
        picture, labels = sitk.ReadImage(str(image)), sitk.ReadImage(str(mask))
    except RuntimeError as error:
        raise InputError(
            f"{image.name} or its mask cannot be read", wanted="MetaImage files", remedy="unpack again"
        ) from error
    reduced = sitk.GetImageFromArray(structures(sitk.GetArrayFromImage(labels)))
    reduced.CopyInformation(labels)
    sitk.WriteImage(picture, str(out / f"{person}_T2w.nii.gz"), useCompression=True)
    sitk.WriteImage(reduced, str(out / f"{person}_mask.nii.gz"), useCompression=True)


def _overview(path: Path) -> dict[str, tuple[str, str, str]]:
    """Age, sex and subset of each person with a T2 SPACE series, as text."""
    wanted = ("new_file_name", "birth_date", "sex", "subset")
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})", wanted="SPIDER's overview.csv") from error
    lacking = [name for name in wanted if not rows or name not in rows[0]]
    if lacking:
        raise InputError(f"{path.name} has no column {', '.join(lacking)}", wanted=f"columns {', '.join(wanted)}")
    return {
        row["new_file_name"].removesuffix(SUFFIX): (row["birth_date"], row["sex"], row["subset"])
        for row in rows
        if row["new_file_name"].endswith(SUFFIX)
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Lays the folder out; 0 where that worked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("download", type=Path, help="the unpacked SPIDER record")
    parser.add_argument("out", type=Path, help="the folder to write")
    parser.add_argument("--people", default="", help="numbers, separated by commas; default: all with T2 SPACE")
    given = parser.parse_args(arguments)
    try:
        people = lay_out(given.download, given.out, people=[p for p in given.people.split(",") if p])
    except SpineclockError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{len(people)} people in {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
