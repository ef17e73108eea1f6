"""The age network of a training run: ``network.json`` beside ``weights.safetensors``.

``network.json`` holds ``schema``, ``name``, ``statement``, ``network`` (its name), ``pool``, ``simulated`` (whether it
has seen made-up people only), ``band`` (columns that it reads of each row, :mod:`spineclock.nets.band`; all where
this is 0 or not there), ``head`` (what its answer means, :class:`spineclock.nets.age_head.AgeHead`),
``preparation`` (of the input), ``ages_years`` (youngest, oldest) and ``validation`` (predicted and chronological age of
each validation scan, and the SD of the answer where it is a distribution; for bias correction and interval).

``films`` names the kinds of films it learned from, where these are not radiographs alone.

``recalibration.json``, where there is one, holds the same pairs of people of other places or other kinds of films
(``spineclock recalibrate``), which then stand for the validation scans.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from torch import nn

from spineclock.core.errors import UsageError
from spineclock.core.volume import Array
from spineclock.nets.age_head import BINNED, AgeHead
from spineclock.nets.described import asked, described, require_device
from spineclock.nets.names import NetworkName
from spineclock.nets.networks import network
from spineclock.nets.recalibration import Recalibrated, read_recalibrated
from spineclock.nets.weights import load_into

if TYPE_CHECKING:
    from spineclock.prep.masking import Part

SCHEMA = "spineclock.age-network/2"
KEYS = {
    "schema",
    "name",
    "statement",
    "network",
    "pool",
    "simulated",
    "head",
    "preparation",
    "ages_years",
    "validation",
}


@dataclass(frozen=True)
class Answer:
    """The age a network says, and the SD of its distribution over whole years, where it answers with one."""

    age_years: float
    sd_years: float | None


def _faults(about: dict[str, Any]) -> list[str]:
    """What in a description is not what its key promises."""
    faults = []
    if about["pool"] not in ("max", "average"):
        faults.append(f"pool is {about['pool']!r}, wanted max or average")
    if type(about.get("band", 0)) is not int or about.get("band", 0) < 0:
        faults.append(f"band is {about['band']!r}, wanted a number of columns")
    if about["network"] not in get_args(NetworkName):
        faults.append(f"network is {about['network']!r}, wanted one of {', '.join(get_args(NetworkName))}")
    try:
        AgeHead.from_dict(about["head"])
    except (TypeError, UsageError) as error:
        faults.append(f"head does not tell what the answer means ({error})")
    binned = isinstance(about["head"], dict) and about["head"].get("loss") in BINNED
    for key, shape in (("ages_years", (2,)), ("validation", (None, 3 if binned else 2))):
        try:
            values = np.array(about[key], dtype=float)
        except (TypeError, ValueError):
            values = np.array([np.nan])
        fits = values.ndim == len(shape) and all(w in (None, n) for w, n in zip(shape, values.shape, strict=True))
        if not fits or not np.isfinite(values).all():
            faults.append(f"{key} does not hold {'pairs of ages' if len(shape) == 2 else 'ages'} in years")
    return faults


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A trained age network with its description and the hash of its weights."""

    net: nn.Module
    head: AgeHead
    about: dict[str, Any]
    sha256: str
    recalibrated: Mapping[str, Recalibrated] = field(default_factory=dict)
    """By kind of film, "" for scans and films of no told kind."""

    @property
    def hashes(self) -> dict[str, str]:
        """What an answer follows from: the weights, and what it was recalibrated by."""
        told = {kind: [list(map(list, r.pairs))] for kind, r in sorted(self.recalibrated.items())}
        found = {"network": self.sha256}
        if told:
            found["recalibration"] = hashlib.sha256(json.dumps(told).encode()).hexdigest()
        return found

    def corrects(self, kind: str) -> bool:
        """Whether answers to films of a kind are corrected by people with such films; of scans always so."""
        return kind in ("", *self.about.get("films", ["radiograph"])) or kind in self.recalibrated

    def uncorrected(self, kind: str) -> str:
        """What is to be said of films of a kind that nobody it is corrected by has; empty where somebody has."""
        if self.corrects(kind):
            return ""
        what = "DXA VFA images" if kind == "vfa" else f"films of the kind {kind}"
        return f"{what} have not been corrected for by people with such films (spineclock recalibrate)"

    def pairs(self, kind: str = "") -> Sequence[Sequence[float]]:
        """Predicted and chronological ages by which answers to scans of a kind are corrected."""
        own: Sequence[Sequence[float]] = self.about["validation"]
        return self.recalibrated[kind].pairs if kind in self.recalibrated else own

    @property
    def part(self) -> Part:
        """Which part of the spine it reads; of films the whole."""
        found: Part = self.about["preparation"].get("part", "whole")
        return found

    def answer(self, prepared: Array) -> Answer:
        """What the network says of one prepared volume, shape (D, H, W)."""
        raw = asked(self.net, prepared)
        sd = float(self.head.predicted_sd_years(raw)[0]) if self.head.binned else None
        return Answer(float(self.head.age_years(raw)[0]), sd)

    def age_years(self, prepared: Array) -> float:
        """The predicted age of one prepared volume, shape (D, H, W)."""
        return self.answer(prepared).age_years


def read_network(folder: Path, *, device: str = "cpu") -> TrainedNetwork:
    """The network of a run's folder, ready to predict.

    Raises
    ------
    InputError
        If the folder does not describe one.
    UsageError
        If there is no such device.
    """
    require_device(device)
    about = described(folder, keys=KEYS, schema=SCHEMA, faults=_faults)
    head = AgeHead.from_dict(about["head"])
    i, j, k = about["preparation"]["shape"]
    net = network(about["network"], outputs=head.outputs, shape=(i, j, k), pool=about["pool"],
                  band=about.get("band", 0))  # fmt: skip
    digest = load_into(net, folder / "weights.safetensors")
    return TrainedNetwork(net.to(device).eval(), head, about, digest, read_recalibrated(folder, digest))
