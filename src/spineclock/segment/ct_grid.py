"""Between a CT and the blocks its segmentation network reads: 2 mm voxels in the windows of soft tissue and of bone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spineclock.core.anatomy import ARCH, BODY, CT_CLASSES, DISC, LEVEL_NUMBERS, Structure
from spineclock.core.volume import Array, Mask

Floats = npt.NDArray[np.float32]

VOXEL_MM = 2.0
"""The network's voxel."""
MULTIPLE = 16
"""Blocks have a multiple of this along each axis: one fold by two and three poolings."""
AIR_HU = -1024
SOFT_HU, BONE_HU = (-160.0, 240.0), (-200.0, 1000.0)
"""The windows, each shown as −1 … 1."""
NUMBER = {name: n for n, name in enumerate(CT_CLASSES)}


def windows(hu: Array) -> Floats:
    """Samples in both windows, shape (2, …), −1 at a window's lower end and below, 1 at its upper end and above.

    >>> windows(np.array([-1000, 40, 400, 3000])).tolist()
    [[-1.0, 0.0, 1.0, 1.0], [-1.0, -0.6000000238418579, 0.0, 1.0]]
    """
    samples = np.asarray(hu, np.float32)
    seen = [(samples - np.float32((low + high) / 2)) / np.float32((high - low) / 2) for low, high in (SOFT_HU, BONE_HU)]
    return np.clip(np.stack(seen), -1, 1)


def classes_of(labels: Mask) -> Mask:
    """The classes of ``core.anatomy.CT_CLASSES`` of a spineclock label map whose bodies and arches are apart.

    S1 with its parts is sacrum, cord and CSF are canal; either side's muscle is the muscle. Vertebrae not told apart,
    ribs and fat are background.

    >>> classes_of(Mask(np.array([[[0, 222, 322, 122, 61, 26, 71, 74, 75, 22]]]), np.eye(4))).array.tolist()
    [[[0, 2, 5, 1, 3, 4, 6, 7, 0, 0]]]
    """
    table = np.zeros(max(512, int(labels.array.max(initial=0)) + 1), np.uint8)
    sacrum = LEVEL_NUMBERS["S1"]
    vertebrae = np.array([n for n in LEVEL_NUMBERS.values() if n != sacrum])
    for name, offset in (("disc", DISC), ("body", BODY), ("arch", ARCH)):
        table[vertebrae + offset] = NUMBER[name]
    table[[sacrum, sacrum + DISC, sacrum + BODY, sacrum + ARCH]] = NUMBER["sacrum"]
    table[[Structure.CANAL, Structure.CORD, Structure.CSF]] = NUMBER["canal"]
    table[[Structure.PSOAS_LEFT, Structure.PSOAS_RIGHT]] = NUMBER["psoas"]
    table[[Structure.ERECTOR_LEFT, Structure.ERECTOR_RIGHT]] = NUMBER["erector"]
    return labels.with_array(table[labels.array])
