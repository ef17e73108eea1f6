"""One answer for the scans of an examination that two networks read: T1 and T2 of a person, joined late."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spineclock.core.errors import InputError
from spineclock.core.records import Quality
from spineclock.ingest.names import bids_session, stem
from spineclock.ingest.refs import SeriesRef
from spineclock.run.outputs import SCHEMA, diagnosis_of, plain, quality_of
from spineclock.run.training.fusion import FILE
from spineclock.run.training.fusion import SCHEMA as JOINT
from spineclock.stats.diagnosis.fusion import LateFusion

_WEIGHTING = re.compile(r"[_\-. ]t[12]w?$", re.IGNORECASE)
Document = dict[str, Any]
BESIDE = "+"
"""Between a scan's name and the other weighting, in the name of the answer to both: no scan is called so."""


def examination_of(ref: SeriesRef) -> str:
    """What the series of an examination share: their DICOM study; of files the person and session that their names tell
    (BIDS), or else what is left of the name without the weighting, in its folder."""
    if ref.study:
        return ref.study
    name = stem(ref.source.name)
    return f"{ref.source.parent}/{bids_session(name) or _WEIGHTING.sub('', name)}"


@dataclass(frozen=True)
class Joint:
    """How two networks of a model's folder answer together (``spineclock fuse``), as its fusion.json tells.

    Parameters
    ----------
    model : LateFusion
        From their probabilities to one.
    threshold, rule
        Above which a person is called ill, and how it was chosen.
    networks : tuple of (weighting, sha256 of the weights)
        The first one's and the second one's.
    """

    model: LateFusion
    threshold: float
    rule: str
    networks: tuple[tuple[str, str], tuple[str, str]]

    @classmethod
    def of(cls, model: Path) -> Joint | None:
        """That of a model's folder; None where there is none, and each network answers for itself.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        path = model / FILE
        if not path.is_file():
            return None
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            if told["schema"] != JOINT:
                raise ValueError(f"schema {told['schema']!r}, wanted {JOINT}")
            first, second = ((str(n["sequence"]), str(n["weights_sha256"])) for n in told["networks"])
            return cls(LateFusion.from_dict(told), float(told["threshold"]), str(told["threshold_rule"]),
                       (first, second))  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} does not tell how two networks are joined ({error})",
                             remedy="`spineclock fuse` writes it; or remove it") from error  # fmt: skip

    def require_its_own(self, weights: Mapping[str, str]) -> None:
        """Refuses networks that are not those it was fitted to.

        Raises
        ------
        InputError
            If so.
        """
        other = [sequence for sequence, sha256 in self.networks if weights.get(f"network {sequence}") != sha256]
        if other:
            raise InputError(f"{FILE} was fitted to another network of {' and '.join(other)}",
                             wanted="the networks in the folder", remedy="`spineclock fuse` them again")  # fmt: skip

    def joined(self, scans: list[Document]) -> Document | None:
        """The prediction.json of an examination; None unless it has one answer by each of the networks."""
        answered = [d for d in scans if diagnosis_of(d) is not None]
        of = {d["input"]["sequence"]: d for d in answered}
        if len(answered) != 2 or set(of) != {sequence for sequence, _ in self.networks}:
            return None
        pair = [of[sequence] for sequence, _ in self.networks]
        told = [d["probability"] for d in pair]
        first, probability = pair[0], float(self.model(*told))
        document: Document = {
            "schema": SCHEMA,
            "statement": first["statement"],
            "input": _input(pair),
            "recipe": first["recipe"],
            "quality": self._quality(pair),
            "model": first["model"],
            "settings": first["settings"],
            "disease": first["disease"],
            "probability": probability,
            "probability_meaning": first["probability_meaning"],
            "prevalence": self.model.prevalence,
            "called": probability > self.threshold,
            "threshold": self.threshold,
            "threshold_rule": self.rule,
            "thresholds": {self.rule: self.threshold},
            "components": {d["input"]["sequence"]: d["probability"] for d in pair},
            "pooling": first["pooling"],
            "vertebrae": [],
            "vertebrae_missing": {},
            "bone_quality": {},
        }
        rounded: Document = plain(document)
        return rounded

    def _quality(self, pair: list[Document]) -> dict[str, Any]:
        """No better than the worse of the two, with the reasons of both; whose a reason is, where not of both."""
        both = [quality_of(document) for document in pair]
        shared = [reason for reason in both[0].reasons if reason in both[1].reasons]
        own = [
            f"{document['input']['sequence']}: {reason}"
            for document, quality in zip(pair, both, strict=True)
            for reason in quality.reasons
            if reason not in shared
        ]
        verdict = max((quality.verdict for quality in both), key=("ok", "check", "refused").index)
        found = Quality(verdict, (*shared, *own))
        found = found.with_reason("check", self.model.caution) if self.model.caution else found
        return {"verdict": found.verdict, "reasons": list(found.reasons)}


def _input(pair: list[Document]) -> dict[str, Any]:
    told = [d["input"] for d in pair]
    either = {name: next((t[name] for t in told if t[name]), told[0][name]) for name in ("age_years", "sex")}
    return {
        "scan_id": BESIDE.join([told[0]["scan_id"], *(t["sequence"] for t in told[1:])]),
        "scan_ids": [t["scan_id"] for t in told],
        "source": " + ".join(t["source"] for t in told), "person_id": told[0]["person_id"] or told[1]["person_id"],
        "modality": told[0]["modality"], "sequence": "+".join(t["sequence"] for t in told), **either,
    }  # fmt: skip


def with_joined(
    scans: Iterable[tuple[SeriesRef, Document | None]], joint: Joint | None
) -> Iterator[tuple[Document, bool]]:
    """Each scan's document in order, and behind the last of an examination the joint one; True of a joint one.

    Raises
    ------
    InputError
        If the scans were read by other networks than the joint model was fitted to.
    """
    scans = list(scans)
    if joint is None:
        yield from ((document, False) for _, document in scans if document is not None)
        return
    members: dict[str, list[Document]] = defaultdict(list)
    last = {examination_of(ref): k for k, (ref, _) in enumerate(scans)}
    for k, (ref, document) in enumerate(scans):
        own = examination_of(ref)
        if document is not None:
            joint.require_its_own(document["model"]["weights_sha256"])
            members[own].append(document)
            yield document, False
        if last[own] == k and (together := joint.joined(members[own])) is not None:
            yield together, True
