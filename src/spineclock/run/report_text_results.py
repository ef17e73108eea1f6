"""The results page of the rules that read reports: ``python -m spineclock.run.report_text_results --out PAGE``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from spineclock.core.errors import SpineclockError
from spineclock.core.findings import Findings
from spineclock.ingest.cohort import read_table
from spineclock.ingest.findings import read_findings
from spineclock.ingest.report_text import findings_from_reports
from spineclock.ingest.report_text.reading import read_sentence
from spineclock.ingest.report_text.spelling import plain
from spineclock.phantom.people import people
from spineclock.phantom.prose import reports
from spineclock.run.outputs import write_text
from spineclock.run.report_text_scores import Scores, scores
from spineclock.run.tables import markdown

SEED = 5
BLIND_DAY = "20 November 2026"
EXACT = {"level": "levels exactly right", "severity": "severity exactly right"}


def page(folder: Path, blind: pd.DataFrame, *, persons: int) -> str:
    """The page as Markdown.

    Parameters
    ----------
    folder : path
        Reports (.txt) and their findings, ``gold.csv``.
    blind : DataFrame
        reports, condition, gold, read, both: the counts of the first runs, as recorded then.
    persons : int
        How many made-up people's reports are read.
    """
    gold = read_findings(folder / "gold.csv", scan_ids=[p.stem for p in sorted(folder.glob("*.txt"))])
    texts = sorted(folder.glob("*.txt"))
    told = pd.DataFrame({"scan_id": [p.stem for p in texts], "report": [p.read_text(encoding="utf-8") for p in texts]})
    read, _ = _timed(told)
    for remembered in (read_sentence, plain):  # its words known, its sentences not: as in the middle of a long table
        remembered.cache_clear()
    _, others = _timed(told)
    halves = {
        "odd": [i for i in gold.scan_ids if int(i) % 2 == 1],
        "even": [i for i in gold.scan_ids if int(i) % 2 == 0],
    }
    now = {half: scores(read.take(ids), gold.take(ids)) for half, ids in halves.items()}
    some = people(persons, seed=SEED)
    prose, made = _timed(reports(some.reported, rng=np.random.default_rng(SEED)))
    return "\n\n".join(
        [
            "# Findings read from free-text reports",
            "What the rules of `spineclock findings` find in English reports, against what the "
            "reports say. A finding is a "
            "condition at a level; of conditions told without a level, the condition. Precision: of "
            "the findings read, the "
            "share that is there. Recall: of those there, the share that was read. *Levels*: of the "
            "conditions of a scan "
            "that are both there and read, the share with exactly the right levels. *Severity*: of the graded findings "
            "both there and read, the share with the right degree.",
            "64 invented reports in varied styles, with their findings, lie in "
            "`tests/ingest/reports`. They were written "
            "by someone who had not seen the rules; the rules were written without seeing them. They are invented: how "
            "the rules do on a hospital's own reports has to be checked there, on a sample.",
            "## Blind: the first run",
            f"On {BLIND_DAY}, rules frozen, all 64 reports, once. These figures are recorded and are "
            f"not computed again: "
            "this is what to expect of reports the rules were not adapted to.",
            markdown(_counts(blind, "all 64"), digits=3),
            "## Since then",
            "After the first run the rules were mended on the 32 reports with odd numbers: their "
            "figures only show that "
            "this worked. The texts and mistakes of the 32 with even numbers were not read; only "
            "their figures, in all and by "
            "condition, were seen, so they are nearly, not wholly, blind.",
            markdown(_summary(blind, now), digits=3),
            "The even half by condition, now:",
            markdown(now["even"].by_condition, digits=3),
            "## Made-up people's reports",
            f"{persons:,} made-up people, seed {SEED}, four styles of prose (`spineclock.phantom.prose`), written by "
            "someone else. At first contact precision was 1.000 and recall 0.989 (3,962 findings of 1,000 people); "
            "the words that were missing were then added, so the figures now are no test of anything but regressions.",
            markdown(_line("now", scores(prose, some.reported)), digits=3),
            f"Time, of one processor core: {made.seconds:.1f} s for these {made.reports:,} reports of "
            f"{made.length:,.0f} "
            "characters on average, many of whose sentences recur; "
            f"{1000 * others.seconds / others.reports:.1f} ms for each of the 64 reports of "
            f"{others.length:,.0f} characters, "
            f"which would be {18_070 * others.seconds / others.reports:.0f} s for 18,070 without a sentence in common.",
            "## What is not read",
            "Reports in other languages; conditions of the lists in `core.findings` told in words "
            "the rules do not have; "
            'degenerative findings without a level ("multilevel disc bulges": listed, not used); what one sentence '
            'says of another ("the latter", "similar changes below"); negation over more than a sentence.',
            "Command: `python -m spineclock.run.report_text_results --out docs/results/report_text.md`",
            "",
        ]
    )


@dataclass(frozen=True)
class _Time:
    """Processor seconds of reading some reports, how many they are, and their mean length in characters."""

    seconds: float
    reports: int
    length: float


def _timed(told: pd.DataFrame) -> tuple[Findings, _Time]:
    begun = time.process_time()
    read = findings_from_reports(told)
    return read.findings, _Time(time.process_time() - begun, len(told), float(told["report"].str.len().mean()))


def _counts(blind: pd.DataFrame, which: str) -> pd.DataFrame:
    """Recorded counts with the shares made of them."""
    rows = blind[blind["reports"] == which]
    rows = rows[~rows["condition"].isin(EXACT.values())].drop(columns="reports")
    return rows.assign(precision=rows["both"] / rows["read"], recall=rows["both"] / rows["gold"])


def _summary(blind: pd.DataFrame, now: dict[str, Scores]) -> pd.DataFrame:
    """A row for each set of reports: recorded, and now."""
    rows: list[dict[str, object]] = []
    for label, name in (("all 64, blind", "all 64"), ("odd 32, blind", "odd 32"), ("even 32, blind", "even 32")):
        of = blind[blind["reports"] == name].set_index("condition")
        gold, read, both = (of[column].astype(float) for column in ("gold", "read", "both"))
        rows.append(
            {
                "reports": label,
                "findings": int(gold["all"]),
                "precision": both["all"] / read["all"],
                "recall": both["all"] / gold["all"],
                **{key: both[words] / gold[words] for key, words in EXACT.items()},
            }
        )
    lines = [_line("odd 32, now (mended on these)", now["odd"]), _line("even 32, now (not read)", now["even"])]
    return pd.concat([pd.DataFrame(rows), *lines], ignore_index=True)


def _line(label: str, of: Scores) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "reports": label,
                "findings": int(of.by_condition["gold"].iloc[-1]),
                "precision": of.precision,
                "recall": of.recall,
                "level": of.level_exact,
                "severity": of.severity_exact,
            }
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the page; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the page to write")
    parser.add_argument("--reports", type=Path, default=Path("tests/ingest/reports"), help="texts and gold.csv")
    parser.add_argument(
        "--blind", type=Path, default=Path("docs/results/report_text_blind.csv"), help="recorded counts"
    )
    parser.add_argument("--people", type=int, default=17_394, help="how many made-up people's reports are read")
    given = parser.parse_args(arguments)
    try:
        write_text(given.out, page(given.reports, read_table(given.blind), persons=given.people))
    except SpineclockError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
