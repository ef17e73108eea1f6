"""What a network of simulated people is worth on real ones: ``python -m spineclock.run.readout --help``.

Its 64 features of the 28 SPIDER people of known age, read out by the model the measurements are read by: alone, and
with the measurements.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd

from spineclock.core.errors import SpineclockError
from spineclock.core.volume import Mask
from spineclock.ingest.datasets import spider
from spineclock.ingest.datasets.spider import SpiderPerson
from spineclock.nets.run_folder import read_network
from spineclock.recipes.mri_age import FEATURES, NETWORK_AGE, NETWORK_FEATURES, NetworkFeatures
from spineclock.run.age_results import scores
from spineclock.run.outputs import write_text
from spineclock.run.tables import markdown
from spineclock.segment.instances import find
from spineclock.stats import metrics
from spineclock.stats.ages import Floats
from spineclock.stats.readout import Groups, Readout, read_out

MEASURED = "measurements"


def network_table(people: Sequence[SpiderPerson], masks: Sequence[Mask], features: NetworkFeatures) -> pd.DataFrame:
    """One row a person: person_id, age_years, the network's age and its 64 features.

    ``masks`` hold classes (1 disc, 2 vertebra, 3 canal) and must come from a network that never saw the person.
    """
    rows = [
        {"person_id": p.person_id, "age_years": p.age_years, **features(p.volume, find(mask).labels)}
        for p, mask in zip(people, masks, strict=True)
    ]
    return pd.DataFrame(rows)


def candidates() -> dict[str, Groups]:
    """What an age may be read from; the first of equally good ones is the plainest."""
    return {
        MEASURED: (FEATURES,),
        "network's age": ((NETWORK_AGE,),),
        "network's features": (NETWORK_FEATURES,),
        "measurements and network's age, one model": ((*FEATURES, NETWORK_AGE),),
        "measurements and network's features, mean of two models": (FEATURES, NETWORK_FEATURES),
    }


def page(table: pd.DataFrame, found: Readout, *, about: Sequence[str]) -> str:
    """The page as Markdown."""
    age = table["age_years"].to_numpy(dtype=float)
    shown = {"chosen anew without each person": found.chosen, **found.by_candidate,
             "network's age as it is": table[NETWORK_AGE].to_numpy(dtype=float),
             "median age of the others": np.array([np.median(np.delete(age, i)) for i in range(len(age))])}  # fmt: skip
    adults = age >= 18
    choices = pd.DataFrame(found.choices.most_common(), columns=["candidate", f"chosen, of {len(age)} times"])
    return "\n\n".join(
        [
            "# A simulated people's network read out on real people",
            f"{len(age)} people, ages {age.min():.0f} to {age.max():.0f}, leave one person out. The network has seen "
            "simulated people only; how its features make an age is learned from the real ones. 95% intervals: BCa "
            "bootstrap over people, 2,000 resamples. Differences are to the first row, whose candidate is chosen by "
            "leave one out among the others: the other rows flatter whichever of them looks best.",
            "\n".join(f"- {line}" for line in about),
            "## Everyone",
            scores(shown, age),
            f"## The {int(adults.sum())} adults among them",
            scores({name: p[adults] for name, p in shown.items()}, age[adults]),
            "## Which was chosen",
            markdown(choices),
            _verdict(found, age),
        ]
    )  # fmt: skip


def _verdict(found: Readout, age: Floats) -> str:
    """What `predict` should stand for: another candidate only if choosing it did better without each person."""
    chosen, measured = metrics.mae(found.chosen, age), metrics.mae(found.by_candidate[MEASURED], age)
    best = found.winner if chosen < measured else MEASURED
    return (f"Choosing is {chosen:.1f} years off, measurements alone {measured:.1f}: "
            f"**{best}** should be what `predict` stands for on lumbar scans.")  # fmt: skip


def main() -> int:
    """Reads the people, prepares them as the network needs them, and writes the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m spineclock.run.readout --data spider --model build/ages/ablations/proposed",
    )  # fmt: skip
    parser.add_argument("--data", type=Path, required=True, help="the SPIDER folder (docs/data.md)")
    parser.add_argument("--work", type=Path, default=Path("build/weights"),
                        help="where `make weights` left out-of-fold label maps and measured.csv")  # fmt: skip
    parser.add_argument("--model", type=Path, required=True, help="the folder of a training run")
    parser.add_argument("--page", type=Path, default=Path("docs/results/readout.md"))
    told = parser.parse_args()
    try:
        measured = pd.read_csv(told.work / "measured.csv", dtype={"person_id": str})
        people = [p for p in spider.read(told.data) if p.person_id in set(measured["person_id"])]
        outlines = [told.work / f"{p.person_id}_oof.nii.gz" for p in people]
        masks = [
            Mask(np.asanyarray(nib.load(path).dataobj), p.volume.affine)
            for path, p in zip(outlines, people, strict=True)
        ]
        network = read_network(told.model)
        features = NetworkFeatures.of(told.model / "network.json", told.model / "weights.safetensors")
        table = network_table(people, masks, features)
        table.to_csv(told.work / "network.csv", index=False)
        table = table.merge(measured[["person_id", *FEATURES]], on="person_id", validate="one_to_one")
        found = read_out(table, candidates())
    except (SpineclockError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    how = network.about["preparation"]
    about = [
        "Command: `python -m spineclock.run.readout --data spider --model RUN`, "
        f"{datetime.now(UTC):%Y-%m-%d}; after `make weights`",
        "Data: SPIDER, the 28 SPACE slabs with age, outlined by networks that had not seen the person",
        f"Network: `{network.about['name']}`, sha256 `{network.sha256}`; volumes of {how['shape']} at "
        f"{how['spacing_mm']} mm, part {how['part']}, round the {how.get('centre', 'scan')}",
    ]
    write_text(told.page, page(table, found, about=about) + "\n")
    print(f"{told.page}: {found.winner} chosen most often")
    return 0


if __name__ == "__main__":
    sys.exit(main())
