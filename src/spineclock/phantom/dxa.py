"""What a densitometer says of made-up people's bones: the truth, what worn spines add to it, and its own error.

Osteophytes, sclerosis of end plates and hardened facets lie in the beam and count as bone, at the spine alone (Rand et
al., Acta Radiol 38:210 and Calcif Tissue Int 60:430, 1997). Numbers: ``[bone.dxa]`` of ``parameters.toml``; without
them a densitometer tells the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from spineclock.core.findings import LEVELS, column
from spineclock.phantom.bone import OSTEOPOROSIS_T_SCORE, T_SCORES, Dxa

Codes = npt.NDArray[np.int8]
TRUE = "_true"
"""What the names of true T-scores, in the truths, end with."""
TRUE_SPINE = T_SCORES[0] + TRUE
SCANNED = {"L1": ("T12", "T13"), "L2": ("L1",), "L3": ("L2",), "L4": ("L3",)}
"""The vertebrae that make up the spine's T-score, and what can lie above each."""


@dataclass(frozen=True, eq=False)
class Worn:
    """Grades of wear of L1 to L4, 0 where there is none; (scans, 4) each."""

    osteophytes: Codes
    """The worse of the discs above and below."""
    end_plates: Codes
    facets: Codes


@dataclass(frozen=True, eq=False)
class Seen:
    """Tables with what DXA measured in place of what is true, and the truths, on the same index."""

    columns: pd.DataFrame
    truth: pd.DataFrame
    """The true T-scores, ``osteoporosis_true`` and ``dxa_added_t_score``; no columns where DXA tells the truth."""


def worn(codes: Codes, facet: Codes) -> Worn:
    """The wear of L1 to L4 from the codes of what the images hold and the facets' grades, (scans, 26)."""

    def worse(condition: str) -> Codes:
        beside = [[column(condition, level) for level in (below, *above)] for below, above in SCANNED.items()]
        return np.stack([codes[:, where].max(axis=1) for where in beside], axis=1)

    return Worn(worse("disc_osteophyte_complex"), worse("endplate_change"),
                facet[:, [LEVELS.index(level) for level in SCANNED]])  # fmt: skip


def added_t_score(found: Worn, dxa: Dxa) -> npt.NDArray[np.float64]:
    """What wear adds to each scan's T-score of the spine: the mean over L1 to L4.

    >>> mild = np.array([[0, 0, 0, 1]], np.int8)
    >>> told = Dxa(osteophytes=(0.4, 0.9, 1.4), facets=(0.1, 0.2, 0.4))
    >>> added_t_score(Worn(mild, 0 * mild, 2 * mild), told).round(2).tolist()  # a quarter of 0.4 + 0.2
    [0.15]
    """
    each = zip((found.osteophytes, found.end_plates, found.facets), (dxa.osteophytes, dxa.end_plates, dxa.facets),
               strict=True)  # fmt: skip
    return np.asarray(sum(np.array([0.0, *(adds or (0.0,) * 4)])[grades].mean(axis=1) for grades, adds in each))


def densitometry(made: pd.DataFrame, found: Worn, dxa: Dxa, *, rng: np.random.Generator) -> Seen:
    """T-scores and osteoporosis as measured in place of the true ones of ``made``, which become truths."""
    if not dxa.errs:
        return Seen(made, pd.DataFrame(index=made.index))
    added = added_t_score(found, dxa)
    true = made[list(T_SCORES)]
    error = rng.standard_normal(true.shape) * np.array(dxa.error_sd)
    said = (true + error + np.outer(added, [1.0, 0.0, 0.0])).round(2)
    truth = true.add_suffix(TRUE).assign(osteoporosis_true=made["osteoporosis"], dxa_added_t_score=added)
    low = said.min(axis=1) <= OSTEOPOROSIS_T_SCORE
    return Seen(made.assign(**{name: said[name] for name in T_SCORES}, osteoporosis=low), truth)
