"""The network of a training run that learned a disease: ``network.json`` beside ``weights.safetensors``.

``network.json`` holds ``schema``, ``name``, ``statement``, ``network`` (its name), ``simulated`` (whether it has seen
made-up people only), ``head`` (:class:`spineclock.nets.diagnosis_head.DiagnosisHead`), ``preparation`` (of the input),
``sequence`` (the weighting it reads, T1w or T2w), ``ages_years`` (youngest, oldest; empty where not known),
``calibration`` (from log-odds of vertebrae to a person's probability and call, fitted on validation people:
:class:`spineclock.stats.diagnosis.from_levels.FromLevels`) and ``validation`` (probability and label of each of their
scans).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from spineclock.core.errors import UsageError
from spineclock.core.volume import Array
from spineclock.nets.crops import CropNet
from spineclock.nets.described import asked, described, grid, require_device
from spineclock.nets.diagnosis_head import DiagnosisHead
from spineclock.nets.names import CROP_NETWORKS, NetworkName
from spineclock.nets.networks import network
from spineclock.nets.weights import load_into

SCHEMA = "spineclock.diagnosis-network/1"
KEYS = {
    "schema", "name", "statement", "network", "simulated", "head", "preparation", "sequence", "ages_years",
    "calibration", "validation",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class TrainedDiagnosis:
    """A trained network of a disease with its description and the hash of its weights."""

    net: CropNet
    head: DiagnosisHead
    about: dict[str, Any]
    sha256: str

    @property
    def sequence(self) -> str:
        """The weighting it reads."""
        return str(self.about["sequence"])

    def log_odds(self, prepared: Array) -> Array:
        """What the network says of the vertebrae of one prepared volume (levels × slices, H, W): shape (levels,).

        NaN where a level is not there.
        """
        found: Array = self.head.said(asked(self.net, prepared))[0].cpu().double().numpy()
        return found


def read_diagnosis(folder: Path, *, device: str = "cpu") -> TrainedDiagnosis:
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
    head = DiagnosisHead.from_dict(about["head"])
    i, j, k = about["preparation"]["shape"]
    net = network(about["network"], outputs=head.outputs, shape=(i, j, k))
    assert isinstance(net, CropNet), "the networks of crops are"
    digest = load_into(net, folder / "weights.safetensors")
    made = net.to(device).eval()
    assert isinstance(made, CropNet), "as it was"
    return TrainedDiagnosis(made, head, about, digest)


def _faults(about: dict[str, Any]) -> list[str]:
    """What in a description is not what its key promises."""
    faults = []
    if about["network"] not in get_args(NetworkName) or about["network"] not in CROP_NETWORKS:
        faults.append(f"network is {about['network']!r}, wanted one of {', '.join(CROP_NETWORKS)}")
    try:
        levels = DiagnosisHead.from_dict(about["head"]).levels
    except (TypeError, AttributeError, UsageError) as error:
        levels = ()
        faults.append(f"head does not tell what the answer means ({error})")
    if grid(about) is not None and levels and list(levels) != about["preparation"].get("levels"):
        faults.append("the levels of head and preparation are not the same")
    if not isinstance(about["sequence"], str):
        faults.append("sequence is no text")
    if not isinstance(about["calibration"], dict):
        faults.append("calibration does not tell how vertebrae become a person")
    return faults
