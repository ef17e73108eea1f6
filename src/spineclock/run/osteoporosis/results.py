"""Recipe three on simulated people, from scans to the page: ``python -m spineclock.run.osteoporosis.results --help``.

People → T1w and T2w → crops → oracle and baselines → trainings → evaluation in the main and the shifted world →
docs/results/osteoporosis.md. Each stage is kept.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from spineclock.run.osteoporosis import trained as training
from spineclock.run.osteoporosis.people import SEQUENCES, People, Places, everyone
from spineclock.run.osteoporosis.scans import made, prepared
from spineclock.run.outputs import write_text
from spineclock.run.stages import plainly

if TYPE_CHECKING:
    from spineclock.run.osteoporosis.page import Found

COMMAND = "make osteoporosis"
STAGES = ("scans", "prepared", "trained", "page")


def main(words: list[str] | None = None) -> int:
    """Makes what is not there, and writes the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m spineclock.run.osteoporosis.results --out build/osteoporosis",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("build/osteoporosis"), help="where everything goes: about 7 GB"
    )
    parser.add_argument("--page", type=Path, default=Path("docs/results/osteoporosis.md"))
    parser.add_argument("--picture", type=Path, default=Path("docs/images/osteoporosis.png"))
    parser.add_argument("--share", type=float, default=1.0, help="of the full number of people")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--backbone-scans", type=int, default=training.BACKBONE_SCANS)
    parser.add_argument("--backbone-epochs", type=int, default=training.BACKBONE_EPOCHS)
    parser.add_argument("--outlined", type=int, default=200, help="tested people to be read without label maps too")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, help="of training; all where not given")
    parser.add_argument("--package", type=Path, metavar="DIR", help="also put the networks among packaged weights")
    parser.add_argument("--until", choices=STAGES, default="page")
    told = parser.parse_args(words)
    return plainly(lambda: _all(told))


def _all(told: argparse.Namespace) -> None:
    from spineclock.run.osteoporosis.known import known

    places, sets = Places(told.out), everyone(told.share)
    for people in sets:
        made(places, people, workers=told.workers)
    if told.until == "scans":
        return
    for people in sets:
        prepared(places, people, workers=told.workers)
        known(places, people, workers=told.workers)
    if told.until == "prepared":
        return
    learned = sets[0]
    for sequence in SEQUENCES:
        training.trained(places, learned, sequence, epochs=told.epochs, threads=told.threads)
    for network in training.comparable():
        training.compared(places, learned, network, scans=told.backbone_scans, epochs=told.backbone_epochs,
                          threads=told.threads)  # fmt: skip
    if told.until == "page":
        _write(told, places)


def _write(told: argparse.Namespace, places: Places) -> None:
    from spineclock.report import ink
    from spineclock.report.diagnosis_figures import roc_and_calibration
    from spineclock.run.osteoporosis.compared import BOTH, backbones, leakage
    from spineclock.run.osteoporosis.page import page

    learned, *tested = everyone(told.share)
    found = {people.name: _found(told, places, learned, people) for people in tested}
    text = page(
        (learned, *tested), found, leakage(places, learned), backbones(places, tested[0], training.comparable()),
        epochs=told.epochs, command=COMMAND,
    )  # fmt: skip
    shown = {s: training.said(places, places.run(s), tested[0], s, places.evaluation(tested[0], s)) for s in SEQUENCES}
    shown[BOTH] = training.together(places, tested[0])
    told.picture.parent.mkdir(parents=True, exist_ok=True)
    told.picture.write_bytes(ink.png(roc_and_calibration(shown, disease="osteoporosis")))
    write_text(told.page, text)
    if told.package is not None:
        from spineclock.run.osteoporosis.package import package as packaged

        packaged(places, tuple(tested), told.package, command=COMMAND)
    print(f"See {told.page}")


def _found(told: argparse.Namespace, places: Places, learned: People, tested: People) -> Found:
    """What came of one tested set."""
    from spineclock.run.osteoporosis import compared
    from spineclock.run.osteoporosis.outlined import beside_true
    from spineclock.run.osteoporosis.page import Found

    table = compared.scored(places, learned, tested)
    return Found(
        compared.areas(table), compared.differences(table), compared.calls(places, tested),
        compared.mcnemars(places, tested), compared.thresholds(places, tested), compared.spurs(places, tested),
        beside_true(places, tested, most=told.outlined, workers=told.workers),
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
