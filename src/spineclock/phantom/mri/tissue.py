"""Signals of tissues in spin echoes, from proton density, T1 and T2."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spineclock.phantom.anatomy.forms import Anatomy, Record, Records
from spineclock.phantom.mri.bones import MARROW
from spineclock.phantom.mri.canal import CONTENTS
from spineclock.phantom.mri.discs import WATER
from spineclock.phantom.mri.flesh import FLESH

TISSUES: dict[str, tuple[float, float, float]] = {
    "csf": (1.00, 4300, 1500),
    "cord": (0.74, 950, 88),
    "grey": (0.80, 1000, 96),
    "brain": (0.76, 950, 92),
    "fat": (0.92, 300, 150),
    "muscle": (0.80, 950, 40),
    "ligament": (0.35, 700, 16),
    "cortex": (0.12, 500, 8),
    "red_marrow": (0.62, 720, 48),
    "oedema": (0.85, 1400, 115),
    "sclerosis": (0.25, 700, 30),
    "haemangioma": (0.95, 420, 165),
    "lesion": (0.80, 1150, 75),
    "nucleus": (0.88, 1250, 130),
    "dry_disc": (0.55, 850, 57),
    "annulus": (0.55, 800, 50),
    "fissure": (0.85, 1200, 130),
    "root": (0.75, 1000, 72),
    "blood": (0.25, 1300, 25),
    "bowel": (0.70, 900, 70),
    "lung": (0.08, 900, 25),
    "skin": (0.60, 600, 35),
    "cord_lesion": (0.85, 1300, 150),
}
"""Proton density over CSF's, T1 and T2 in ms at 1.5 T. Fat's T2 is the effective one of echo trains, which makes it
bright (Henkelman et al., JMRI 4:661, 1994, gives the reason); rounded from common tables, then set on real scans."""
RESTORED_T1 = 1900
"""What the T1 of CSF comes to, in ms, where the magnetisation is driven back after each train."""
T1_AT_3T = 1.18
"""By how much T1 of watery tissue grows from 1.5 to 3 T."""


@dataclass(frozen=True)
class SpinEcho:
    """What a turbo spin echo does to proton density, T1 and T2; times in ms."""

    repetition_ms: float
    echo_ms: float
    field_tesla: float
    restored: bool = False
    """Whether the magnetisation is driven back after each train, which spares fluid with its long T1."""

    def signal(self, tissue: str) -> float:
        """Signal of a tissue, that of CSF's protons without any decay being 1: ρ (1 − exp(−TR/T1)) exp(−TE/T2).

        >>> t2 = SpinEcho(3500, 100, 1.5)
        >>> t2.signal("csf") > t2.signal("fat") > t2.signal("muscle")
        True
        """
        density, t1, t2 = TISSUES[tissue]
        if self.restored and tissue == "csf":
            t1 = RESTORED_T1
        if self.field_tesla > 2 and tissue not in ("fat", "csf"):
            t1 *= T1_AT_3T
        return density * -math.expm1(-self.repetition_ms / t1) * math.exp(-self.echo_ms / t2)

    def mixed(self, tissue: str, other: str, share: float) -> float:
        """Signal of a mixture by volume."""
        return (1 - share) * self.signal(tissue) + share * self.signal(other)


@dataclass(frozen=True, eq=False)
class Signals:
    """Signals of everything there is to paint, over that of CSF (T1w: of fat)."""

    bodies: Records
    blocks: npt.NDArray[np.float64]
    discs: Records
    canal: Record
    flesh: Record
    cortex: float


def signals(spine: Anatomy, echo: SpinEcho, *, shift_mm: float) -> Signals:
    """The signals of a made-up spine in a sequence; ``shift_mm`` is the chemical shift of fat, upwards."""
    unit = 1 / echo.signal("csf") if echo.echo_ms > 40 else 1 / echo.signal("fat")

    def of(tissue: str) -> float:
        return unit * echo.signal(tissue)

    def marrow(fat: float) -> float:
        return unit * echo.mixed("red_marrow", "fat", fat)

    bodies = np.zeros(len(spine.bodies), MARROW)
    for s, b in zip(bodies, spine.bodies, strict=True):
        own = marrow(float(b["fat"])) * (1 + float(b["space"]))
        s["marrow"] = own + float(b["oedema"]) * (of("oedema") - own)
        s["cortex"], s["vein"] = of("cortex"), 0.7 * own + 0.3 * of("csf") * (1 if echo.echo_ms > 40 else 0.7)
        kind = int(b["modic_type"])
        s["modic"] = (own, of("oedema"), marrow(0.92), of("sclerosis"))[kind]
        s["lesion"] = of("haemangioma" if b["lesion_type"] == 1 else "lesion")
        plate = 0.55 if b["label"] < 220 else 0.7
        s["shell_up"], s["shell_down"] = (max(0.2, plate + way * shift_mm) for way in (-1, 1))
        s["wall"] = 0.5
    discs = np.zeros(len(spine.discs), WATER)
    for s, d in zip(discs, spine.discs, strict=True):
        s["nucleus"] = unit * echo.mixed("dry_disc", "nucleus", float(d["water"]) ** 1.25)
        s["annulus"] = of("annulus") * (1 + 0.6 * float(d["water"]))
        s["rim"], s["fissure"] = 0.7 * of("ligament") + 0.3 * of("annulus"), of("fissure")
    canal = np.zeros((), CONTENTS)
    for name, tissue in (("fat", "fat"), ("ligament", "ligament"), ("csf", "csf"), ("cord", "cord"), ("root", "root"),
                         ("grey", "grey"), ("lesion", "cord_lesion")):  # fmt: skip
        canal[name] = of(tissue)
    flesh = np.zeros((), FLESH)
    for name in FLESH.names or ():
        flesh[name] = of("cortex" if name == "bone" else name)
    blocks = np.array([marrow(float(p["fat"])) for p in spine.blocks])
    return Signals(bodies, blocks, discs, canal[()], flesh[()], of("cortex"))
