"""The spine in a single lumbar picture whose millimetres are only nominal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spineclock.core.anatomy import region
from spineclock.core.volume import Volume
from spineclock.segment.instances import Instances, find
from spineclock.segment.network import Scorer, certain_label_map, class_probabilities

FEW = 5
"""Vertebrae with which the nominal spacing is believed."""
TALLEST_MM = 450.0
"""No lumbar picture shows more, and one that seems to was resized."""
FIELD_MM = 290.0
"""Height that most lumbar pictures show."""
OTHER_SCALES = (0.7, 1.4)
TURNED = 1.0
"""Times the score of a picture as it is, above which its turned copy is taken for the upright one. Of 48 real pictures
none was refused for it; of 17 mirrored and 24 half-turned ones that would have been answered, all were."""


@dataclass(frozen=True, eq=False)
class OutlinedPicture:
    """A picture with the spacing that it was outlined at, what was found, and ``scale``: that over the nominal one."""

    volume: Volume
    found: Instances
    scale: float


def outline_picture(volume: Volume, scorer: Scorer, *, lowest_vertebra: str | None = None) -> OutlinedPicture:
    """The vertebrae and discs of a canonical scan of one slice, at a spacing at which they can be told.

    The network knows structures by their size. A picture that by its nominal spacing shows more than 450 mm is taken to
    show 290; one in which fewer than five vertebrae are found is tried 0.7 and 1.4 times as large too, and the try with
    the most vertebrae × confidence is kept. In a lumbar picture names are counted from below: where none of those found
    is lumbar, the lowest is L5.

    Parameters
    ----------
    volume : Volume
        Shape (1, J, K), as :func:`spineclock.core.geometry.picture_volume` gives it.
    scorer : Scorer
        The segmentation network.
    lowest_vertebra : str, optional
        The level of the lowest vertebra found, where the reader knows better.

    Raises
    ------
    UsageError
        If ``lowest_vertebra`` is no level.

    Examples
    --------
    >>> nothing = Volume(np.zeros((1, 64, 64)), np.diag([4.0, 9.0, 9.0, 1.0]))
    >>> blank = lambda pictures: np.eye(4, dtype=np.float32)[np.zeros((len(pictures), *pictures.shape[2:]), int)] \\
    ...     .transpose(0, 3, 1, 2)
    >>> seen = outline_picture(nothing, blank)
    >>> seen.found.vertebrae, round(seen.scale, 3)
    ((), 0.503)
    """
    tall = volume.shape[2] * volume.spacing_mm[2]
    first = FIELD_MM / tall if tall > TALLEST_MM else 1.0
    tries = [_outlined(volume, scorer, first, lowest_vertebra)]
    if len(tries[0].found.vertebrae) < FEW:
        tries += [_outlined(volume, scorer, first * other, lowest_vertebra) for other in OTHER_SCALES]
    return max(tries, key=_score)


def turned(seen: OutlinedPicture, scorer: Scorer) -> str:
    """In which way an outlined picture seems to be turned, in words; empty where it is outlined best as it is.

    It is outlined again mirrored and turned by half a circle, at the same spacing. Upside down, with the front at the
    left, it cannot be told: vertebrae look alike from below.

    >>> volume = Volume(np.zeros((1, 64, 64)), np.diag([4.0, 4.0, 4.0, 1.0]))
    >>> blank = lambda pictures: np.eye(4, dtype=np.float32)[np.zeros((len(pictures), *pictures.shape[2:]), int)] \\
    ...     .transpose(0, 3, 1, 2)
    >>> turned(outline_picture(volume, blank), blank)
    ''
    """
    array = seen.volume.array
    others = {"mirrored": array[:, ::-1], "turned by half a circle": array[:, ::-1, ::-1]}
    scores = {how: _score(_outlined(seen.volume.with_array(a), scorer, 1.0, None)) for how, a in others.items()}
    best = max(scores, key=lambda how: scores[how])
    return best if scores[best] > TURNED * _score(seen) else ""


def _score(seen: OutlinedPicture) -> float:
    return seen.found.confidence * len(seen.found.vertebrae)


def _outlined(volume: Volume, scorer: Scorer, scale: float, lowest_vertebra: str | None) -> OutlinedPicture:
    affine = np.array(volume.affine)
    affine[:3, 1:3] *= scale
    scaled = Volume(volume.array, affine)
    mask, certainty = certain_label_map(*class_probabilities(scaled, scorer), scaled)
    found = find(mask, certainty=certainty, lowest_vertebra=lowest_vertebra)
    if found.vertebrae and not any(region(v.level) == "lumbar" for v in found.vertebrae):
        found = find(mask, certainty=certainty, lowest_vertebra="L5")
    return OutlinedPicture(scaled, found, scale)
