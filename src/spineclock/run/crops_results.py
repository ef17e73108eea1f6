"""The results page of the vertebral-body crops: ``python -m spineclock.run.crops_results --help``.

Crops of SPIDER's slabs are held to the expert masks; those of its mid-sagittal pictures are put on sheets to be looked
at (``--sheets``), and what was seen stands in a table (``--eye``); simulated people of known marrow are scored.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from spineclock.ingest.datasets import spider
from spineclock.nets.weights import packaged
from spineclock.phantom.anatomy.traits import Traits
from spineclock.prep.cropping import Cropping
from spineclock.prep.crops import Crops
from spineclock.report.contact_sheet import contact_sheet, sheet_png
from spineclock.run.crops_checks import HELD, phantom_rows, picture_rows, sampled_pictures, slab_rows
from spineclock.run.outputs import write_text
from spineclock.run.tables import markdown
from spineclock.segment.engine import scorer

ROWS_A_SHEET = 16
SHOWN = 4
"""Simulated people on the page's picture."""


@dataclass(frozen=True)
class Tables:
    """Rows of levels of the slabs by the expert masks and by the network, and of the pictures; of simulated people."""

    masks: pd.DataFrame
    network: pd.DataFrame
    pictures: pd.DataFrame
    phantoms: pd.DataFrame
    seen: pd.DataFrame


def page(tables: Tables, *, command: str, minutes: float, day: str, seed: int) -> str:
    """The page as Markdown."""
    how = Cropping()
    pictures, phantoms = tables.pictures, tables.phantoms
    return f"""# Crops of vertebral bodies, and the signal of their marrow

- Command: `{command}`
- Day: {day}; time: {minutes:.0f} minutes on 2 shared cores, one thread
- Crops: {", ".join(how.levels)}, {how.size[0]} × {how.size[1]} pixels, margin {how.margin:.0%}, mid-sagittal slice

## SPIDER's slabs

28 people's SPACE slabs; `network`: outlined by the packaged network, which has trained on these people. A crop fails
when less than {HELD:.0%} of its body mask is that vertebra's body by the expert mask, levels counted from the sacrum.
`held` is that share, `shown` the share of the true body's area in the slice that lies within the crop. The local
masks hold classes (disc, vertebra, canal), which are parted and named as any label map is.

{markdown(_slabs({"expert masks": tables.masks, "network": tables.network}), digits=3)}

Left out: {_left_out(tables.masks, tables.network)}

{_age(tables.masks)}

## Mid-sagittal pictures

{_pictures_told(pictures)} All crops were looked at by one reader, not a radiologist, on contact sheets with
outlines. The rules on what is no body, and on pictures that were resized, were set on the `first` people; the `fresh`
ones are others, drawn and looked at afterwards. Slabs of some of them are among the 28 that the network learnt from.

{markdown(_by_weighting(pictures, tables.seen))}

`no body`: crops in which no vertebral body can be told, and their share; `none`: the share of levels asked for that
have no crop of a body, left out or not.

What was seen:

{markdown(tables.seen)}

The pictures of a person are not on one grid, so that T1 and T2 were compared by what the bodies look like.

## Simulated people

{_phantoms_told(phantoms, seed=seed + 1)}

Pearson's r with 95% interval (Fisher); `marrow fat` is the true fat fraction of L1–L4. No ratio of
signals can be expected to tell more of spine age or T-score than the true marrow fat; the marrow's unevenness, which
SD ÷ mean measures, ages by itself in the phantom:

{markdown(_correlations(phantoms))}

![Crops of simulated people](../images/phantom_crops.png)

Simulated: no real person is shown.
"""


def _pictures_told(pictures: pd.DataFrame) -> str:
    each = pictures.groupby("series").first()
    patients = each.index.str.split("_").str[0].nunique()
    return (
        f"{len(each)} pictures of {patients} people drawn by chance, a T1 and a T2 of each, outlined by the packaged "
        f"network on the single slice; spacing is nominal ({int((each['scale'] != 1).sum())} pictures were rescaled). "
        f"Median {each['seconds'].median():.1f} s a picture."
    )


def _phantoms_told(phantoms: pd.DataFrame, *, seed: int) -> str:
    n, same, levels = len(phantoms), int(phantoms["same_levels"].sum()), int(phantoms["levels"].sum())
    vbq = phantoms["T1w vbq"]
    return (
        f"{n} people (first visits, seed {seed}), lumbar T2w and T1w, true label maps. Crops of both sequences: of the "
        f"same levels in {same} of {n}, boxes at most {phantoms['apart_mm'].max():.2g} mm apart (both lie on one "
        f"grid); {levels} of {4 * n} levels in T1w. {phantoms['seconds'].median():.1f} s a person for both (scanning "
        f"apart). VBQ: mean {vbq.mean():.2f}, SD {vbq.std():.2f}."
    )


def _slabs(sets: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    rows = []
    for name, table in sets.items():
        made = table.dropna(subset=["held"])
        rows.append(
            {
                "outlines": name, "people": table["person_id"].nunique(), "levels": len(table), "crops": len(made),
                "failed": int((made["held"] < HELD).sum()), "held, mean": made["held"].mean(),
                "held, least": made["held"].min(), "shown, mean": made["shown"].mean(),
                "shown, least": made["shown"].min(),
                "s a person, median": float(table.groupby("person_id")["seconds"].first().median()),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def _left_out(*tables: pd.DataFrame) -> str:
    rows = [t.dropna(subset=["missing"]) if "missing" in t else t.iloc[:0] for t in tables]
    told = [f"person {r['person_id']} {r['level']} ({r['missing']})" for t in rows for r in t.to_dict("records")]
    return "; ".join(dict.fromkeys(told)) + "." if told else "nothing."


def _age(table: pd.DataFrame) -> str:
    """How the marrow's signal goes with age, which no training has touched."""
    people = table.groupby("person_id").first().dropna(subset=["to_csf", "age_years"])
    found = spearmanr(people["age_years"], people["to_csf"])
    return (
        f"Marrow over CSF on these T2 slabs against age: Spearman's ρ {found.statistic:.2f}, p = {found.pvalue:.2f}, "
        f"{len(people)} people; 8-bit exports cut the brightest CSF off, and contrast stretches differ."
    )


def _by_weighting(pictures: pd.DataFrame, seen: pd.DataFrame) -> pd.DataFrame:
    bad = seen.loc[seen["what"] == "no body", ["series", "level"]]
    rows = []
    for (part, weighting), table in pictures.groupby(["part", "weighting"]):
        made = int((table["missing"] == "").sum())
        failed, outside = len(table.merge(bad, on=["series", "level"])), len(table) - made
        rows.append({"people": part, "pictures": str(weighting).upper(), "n": table["series"].nunique(),
                     "levels": len(table), "crops": made, "left out": outside,
                     "no body": f"{failed} ({failed / max(made, 1):.1%})",
                     "none": f"{(failed + outside) / len(table):.1%}"})  # fmt: skip
    return pd.DataFrame(rows)


def _correlations(phantoms: pd.DataFrame) -> pd.DataFrame:
    scores = {
        "true marrow fat": "marrow_fat", "VBQ (T1w)": "T1w vbq", "T1w marrow / fat": "T1w to_fat",
        "T1w marrow / muscle": "T1w to_muscle", "T2w marrow / CSF": "T2w to_csf", "T2w marrow / fat": "T2w to_fat",
        "T1w marrow SD / mean": "T1w marrow_variation",
    }  # fmt: skip
    against = {"marrow fat": "marrow_fat", "spine age": "spine_age_years", "T-score": "lumbar_t_score"}
    rows = []
    for name, column in scores.items():
        row: dict[str, object] = {"score": name, "n": int(phantoms[column].notna().sum())}
        row |= {what: "" if other == column else _r(phantoms, column, other) for what, other in against.items()}
        rows.append(row)
    columns = ["T1w vbq", *against.values()]
    apart = phantoms[columns] - phantoms.groupby("field_tesla")[columns].transform("mean")
    row = {"score": "VBQ, each field strength's means taken off", "n": len(apart)}
    rows.insert(2, row | {what: _r(apart, "T1w vbq", other) for what, other in against.items()})
    return pd.DataFrame(rows)


def _r(table: pd.DataFrame, a: str, b: str) -> str:
    both = table[[a, b]].dropna()
    r = float(np.corrcoef(both[a], both[b])[0, 1])
    half = 1.96 / np.sqrt(len(both) - 3)
    low, high = (float(np.tanh(np.arctanh(r) + s * half)) for s in (-1, 1))
    return f"{r:.2f} ({low:.2f} to {high:.2f})".replace("-", "−")


def _write_sheets(folder: Path, sheets: Mapping[str, Crops]) -> None:
    """All pictures' crops with their outlines, for the reader's eye; none of it belongs in the repository."""
    folder.mkdir(parents=True, exist_ok=True)
    names = list(sheets)
    for n in range(0, len(names), ROWS_A_SHEET):
        some = names[n : n + ROWS_A_SHEET]
        missing = {(k, level): why for k in some for level, why in sheets[k].missing.items()}
        figure = contact_sheet({k: sheets[k].crops for k in some}, missing=missing, outlines=True,
                               note="SPIDER, van der Graaf et al., Sci Data 11:264 (2024), CC BY 4.0")  # fmt: skip
        (folder / f"pictures_{n // ROWS_A_SHEET + 1}.png").write_bytes(sheet_png(figure, limit_bytes=3_000_000))


def _write_phantoms(path: Path, sheets: Mapping[str, tuple[Crops, Traits]]) -> None:
    """The first few simulated people, T1w and T2w, with outlines."""
    some = dict(list(sheets.items())[: 2 * SHOWN])
    rows = {f"{t.lumbar_t_score:+.1f}, {name[-3:]}".replace("-", "−"): (c, t) for name, (c, t) in some.items()}
    figure = contact_sheet({name: c.crops for name, (c, _) in rows.items()}, outlines=True,
                           title="Simulated people: L1–L4 by T-score of the spine",
                           note="simulated; no real person is shown")  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sheet_png(figure))


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the crops, and writes the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m spineclock.run.crops_results ../shared/data --sheets build/crops",
    )  # fmt: skip
    parser.add_argument("data", type=Path, metavar="DATA", help="the folder that holds spider/")
    parser.add_argument(
        "--out", type=Path, default=Path("docs/results/crops.md"), help="the page (default: %(default)s)"
    )
    parser.add_argument("--image", type=Path, default=Path("docs/images/phantom_crops.png"))
    parser.add_argument("--eye", type=Path, default=Path("docs/results/crops_by_eye.csv"),
                        help="what was seen on the sheets (default: %(default)s)")  # fmt: skip
    parser.add_argument("--sheets", type=Path, help="a folder for sheets of the pictures' crops, to be looked at")
    parser.add_argument("--slabs", type=int, default=6, help="slabs outlined by the network (default: %(default)s)")
    parser.add_argument(
        "--pairs", type=int, default=30, help="people with a T1 and a T2 picture (default: %(default)s)"
    )
    parser.add_argument("--people", type=int, default=150, help="visits of simulated people (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args(arguments)
    of_default = told.eye == parser.get_default("eye")
    if of_default and (told.seed, told.pairs) != (parser.get_default("seed"), parser.get_default("pairs")):
        parser.error("what was seen (--eye) is of the pictures of seed 0 and 30 pairs; look at yours and name a table")
    start = time.perf_counter()
    how, network = Cropping(), scorer(packaged("segmenter.safetensors"), threads=1)
    people = spider.read(told.data / "spider")
    every = max(1, len(people) // max(1, told.slabs))
    pictures: list[pd.DataFrame] = []
    sheets: dict[str, Crops] = {}
    phantoms: dict[str, tuple[Crops, Traits]] = {}
    folder = told.data / "spider"
    first = sampled_pictures(folder, told.pairs, seed=told.seed)
    fresh = sampled_pictures(folder, told.pairs, seed=told.seed + 1, leave_out=first)
    for part, patients in (("first", first), ("fresh", fresh)):
        pictures.append(pd.DataFrame(picture_rows(folder, patients, how, network, sheets)).assign(part=part))
    tables = Tables(
        masks=pd.DataFrame(slab_rows(people, how, None)),
        network=pd.DataFrame(slab_rows(people[::every][: told.slabs], how, network)),
        pictures=pd.concat(pictures, ignore_index=True),
        phantoms=pd.DataFrame(phantom_rows(told.people, seed=told.seed + 1, sheets=phantoms)),
        seen=pd.read_csv(told.eye),
    )
    if told.sheets:
        _write_sheets(told.sheets, sheets)
    _write_phantoms(told.image, phantoms)
    command = " ".join(["python -m spineclock.run.crops_results DATA", *sys.argv[2:]])
    minutes = (time.perf_counter() - start) / 60
    write_text(told.out, page(tables, command=command, minutes=minutes, day=str(date.today()), seed=told.seed))
    print(told.out)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
