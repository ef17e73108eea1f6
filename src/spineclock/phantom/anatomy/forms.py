"""The shapes a made-up spine is built from, as records: bodies, discs, blocks of bone, and the canal's course."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Records = npt.NDArray[np.void]
Record = Any
"""One of them; its fields are attributes in compiled code, which type checkers cannot know."""

_FRAME = [("centre", "f8", (3,)), ("axes", "f8", (3, 3))]
"""Middle in mm, and unit vectors to its right, front and top as rows."""

BODY = np.dtype(
    [
        *_FRAME,
        ("height", "f8"),  # in the middle between the rims
        ("lean", "f8"),  # tangent of half the angle between the end plates, above 0 where the front is taller
        ("depth_upper", "f8"),  # half the end plates' depths and widths
        ("depth_lower", "f8"),
        ("width_upper", "f8"),
        ("width_lower", "f8"),
        ("hollow_upper", "f8"),  # how deep the end plates are in their middle
        ("hollow_lower", "f8"),
        ("waist", "f8"),  # how far the side walls draw in at mid height
        ("sunk_front", "f8"),  # by how much the upper end plate has sunk at the front edge
        ("uncus", "f8"),  # height of the uncinate processes
        ("spur_upper", "f8"),  # osteophytes at the front and sides of the rims, and at their backs
        ("spur_lower", "f8"),
        ("spur_back", "f8"),
        ("dent", "f8", (2,)),  # depth of a node in the upper and lower end plate
        ("dent_at", "f8", (2, 2)),  # where, right and front
        ("modic_upper", "f8"),  # depth of the altered marrow below the end plates
        ("modic_lower", "f8"),
        ("modic_front", "f8"),  # where its middle is, front positive, as a share of the depth
        ("vein", "f8"),  # half the height of the basivertebral vein's cleft, 0 where there is none
        ("lesion", "f8"),  # radius
        ("lesion_at", "f8", (3,)),
        ("unevenness", "f8"),  # of the marrow, relative
        ("coarse", "f8"),  # how much more of it is in large patches than usual
        ("space", "f8"),  # by what share there is more marrow than between usual trabeculae
        ("wave", "f8"),  # how uneven end plates and walls are, mm
        ("phase", "f8", (4,)),
        ("fat", "f8"),  # fat fraction of the marrow
        ("oedema", "f8"),  # share of the marrow's signal that is water of a fresh fracture
        ("modic_type", "i4"),  # 0 none, 1 oedema, 2 fat, 3 sclerosis
        ("lesion_type", "i4"),  # 1 haemangioma, 2 other
        ("label", "i4"),
    ]
)
"""A vertebral body."""

DISC = np.dtype(
    [
        *_FRAME,
        ("depth", "f8"),  # half
        ("width", "f8"),  # half
        ("height", "f8"),
        ("bulge", "f8"),  # beyond the rims, all round
        ("lump", "f8"),  # how far a protrusion or extrusion reaches beyond that
        ("lump_right", "f8"),  # where its middle lies to the right of the disc's
        ("lump_half", "f8"),  # half its width
        ("lump_tall", "f8"),  # half its height
        ("lump_rise", "f8"),  # how far it has moved up
        ("water", "f8"),  # how much of a young nucleus' water is left, 1 … 0
        ("cleft", "f8"),
        ("fissure", "f8"),  # half the length of a bright fissure, 0 where there is none
        ("upper", "i4"),  # places of its neighbours among the bodies
        ("lower", "i4"),
        ("label", "i4"),
    ]
)
"""An intervertebral disc."""

BLOCK = np.dtype(
    [
        *_FRAME,
        ("half", "f8", (3,)),
        ("round", "f8"),  # radius of its edges
        ("corner", "f8"),  # how round it is seen from the side, 0 … 1
        ("taper", "f8"),  # how much thinner one end of its front axis is: the other two half sizes × (1 + taper · v)
        ("group", "i4"),  # blocks of one group grow together
        ("spinous", "i4"),  # 1 for spinous processes
        ("joins", "i4"),  # place of the body whose marrow it shares, or -1
        ("label", "i4"),
        ("fat", "f8"),
        ("cortex", "f8"),
    ]
)
"""A rounded block of bone: arches, processes, ribs, the sacrum's sides."""

COURSE = np.dtype(
    [
        ("x", "f8"),  # the middle of the dural sac
        ("y", "f8"),
        ("cosine", "f8"),  # of its slant
        ("bony_depth", "f8"),  # half
        ("bony_width", "f8"),
        ("bony_front", "f8"),  # its middle in front of the sac's
        ("sac_depth", "f8"),  # half
        ("sac_width", "f8"),
        ("cord_depth", "f8"),  # half, 0 below the conus
        ("cord_width", "f8"),
        ("cord_front", "f8"),
        ("left", "f8"),  # of the fluid's signal where it moves; set by the scanner
        ("roots", "f8"),  # how much of the sac cauda equina fills
        ("between", "f8"),  # 1 between two laminae, where a wedge of fat lies behind the sac … 0 behind the arches
        ("foramen", "f8"),  # 1 at the middle of a foramen … 0 between
        ("foramen_width", "f8"),  # how far to the side it reaches
        ("front", "f8"),  # anterior wall of the column
        ("body_half_width", "f8"),
        ("flavum", "f8"),  # thickness of the yellow ligament
        ("spinous", "f8"),  # how far spinous processes reach behind the sac's middle
        ("fascia", "f8"),  # y of the muscles' back at the midline
        ("skin", "f8"),
        ("muscle_half_width", "f8"),
        ("psoas", "f8"),  # radius, 0 where there is none
        ("psoas_aside", "f8"),
        ("chest", "f8"),  # share of chest, neck, pelvis and head at this height
        ("neck", "f8"),
        ("pelvis", "f8"),
        ("head", "f8"),
        ("deep", "f8"),  # from the column's front to the skin in front
    ]
)
"""The canal and what lies round it at one height; one record a millimetre."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """A made-up spine in millimetres: x to the right, y to the front, z up.

    ``bodies`` and ``discs`` run from the top down; ``names`` are the bodies' levels, the sacrum's five and the coccyx
    last.
    ``course`` starts at ``course_from_mm`` and has one record a millimetre upwards.
    """

    names: tuple[str, ...]
    bodies: Records
    discs: Records
    blocks: Records
    course: Records
    course_from_mm: float
    muscle_fat: float
    """Fat fraction of the erector spinae."""
    top_mm: float
    """Top of the uppermost vertebra."""
    bottom_mm: float
    """Lower end of S2."""
    lumbar_mm: float
    """Middle of the lumbar spine."""
