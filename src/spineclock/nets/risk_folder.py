"""The network of a training run that learned follow-up: ``network.json`` beside ``weights.safetensors``.

``network.json`` holds ``schema``, ``name``, ``statement``, ``network`` (its name), ``simulated`` (whether it has seen
made-up people only), ``head`` (:class:`spineclock.nets.multitask.MultitaskHead`, with Cox's baseline where it has one),
``preparation`` (of the input), ``ages_years`` (youngest, oldest; empty where not known), ``event``, ``finding``,
``horizons_years``, ``detect`` ("person" or "vertebrae"), ``detection`` (from log-odds to a person's probability and
call, fitted on validation people: :class:`spineclock.stats.diagnosis.from_levels.FromLevels`; null where it was not
learned) and ``band`` (how sure a risk by the last horizon is, by validation people:
:class:`spineclock.stats.survival.risk_band.RiskBand`; null where it could not be told).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spineclock.core.errors import UsageError
from spineclock.core.volume import Array
from spineclock.nets.ct import CtNet
from spineclock.nets.described import asked, described, require_device
from spineclock.nets.multitask import MultitaskHead
from spineclock.nets.names import CT_NETWORKS
from spineclock.nets.networks import network
from spineclock.nets.weights import load_into

SCHEMA = "spineclock.risk-network/1"
KEYS = {
    "schema", "name", "statement", "network", "simulated", "head", "preparation", "ages_years", "event", "finding",
    "horizons_years", "detect", "detection", "band",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class TrainedRisk:
    """A trained network of follow-up with its description and the hash of its weights."""

    net: CtNet
    head: MultitaskHead
    about: dict[str, Any]
    sha256: str

    def answer(self, prepared: Array) -> Tensor:
        """What it answers to one prepared volume, shape (1, outputs), for :func:`log_odds` and :func:`risks`."""
        return asked(self.net, prepared).float().cpu()


def log_odds(head: MultitaskHead, raw: Tensor) -> Array:
    """(N, places) of a finding's being there, from answers; NaN where a place was not there.

    Raises
    ------
    UsageError
        If the network was not trained for it.
    """
    p = head.probability(raw).double()
    found: Array = torch.logit(p.clamp(1e-9, 1 - 1e-9)).cpu().numpy()
    return found


def risks(head: MultitaskHead, raw: Tensor, horizons_years: tuple[float, ...]) -> Array:
    """(N, horizons) of the event, another one that rules it out competing where the network knows of it."""
    found: Array = head.risks(raw, horizons_years).double().cpu().numpy()
    return found


def read_risk(folder: Path, *, device: str = "cpu") -> TrainedRisk:
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
    head = MultitaskHead.from_dict(about["head"])
    i, j, k = about["preparation"]["shape"]
    net = network(about["network"], outputs=head.outputs, shape=(i, j, k), head=head)
    digest = load_into(net, folder / "weights.safetensors")
    made = net.to(device).eval()
    assert isinstance(made, CtNet), "the networks of CT are"
    return TrainedRisk(made, head, about, digest)


def _faults(about: dict[str, Any]) -> list[str]:
    """What in a description is not what its key promises."""
    faults = []
    if about["network"] not in CT_NETWORKS:
        faults.append(f"network is {about['network']!r}, wanted one of {', '.join(CT_NETWORKS)}")
    try:
        head = MultitaskHead.from_dict(about["head"])
        if head.detection is not None and not isinstance(about["detection"], dict):
            faults.append("detection does not tell how answers become a person's probability")
    except (TypeError, KeyError, AttributeError, UsageError) as error:
        faults.append(f"head does not tell what the answer means ({error})")
    horizons = about["horizons_years"]
    if not (isinstance(horizons, list) and horizons and all(isinstance(h, int | float) and h > 0 for h in horizons)):
        faults.append("horizons_years holds no years")
    return faults
