"""The packaged segmentation weights, ready to tell classes in pictures, through OpenVINO or PyTorch."""

from __future__ import annotations

from pathlib import Path

from spineclock.core.recipe import Engine
from spineclock.segment.network import Scorer


def scorer(weights: Path, *, engine: Engine = "auto", threads: int | None = None) -> Scorer:
    """The network of a weights file as a function from pictures to class probabilities.

    ``auto`` means OpenVINO, which gives the same answers sooner (docs/results/speed.md); ``torch`` is the reference.

    Raises
    ------
    InputError
        If the file cannot be read as this network's weights.
    """
    if engine == "torch":
        import torch

        from spineclock.nets.segmenter import read_segmenter, torch_scorer

        if threads:
            torch.set_num_threads(threads)
        return torch_scorer(read_segmenter(weights))
    from spineclock.nets.segmenter_openvino import compile_segmenter
    from spineclock.nets.weights import read_arrays

    return compile_segmenter(read_arrays(weights), threads=threads)


def ct_scorer(weights: Path, *, engine: Engine = "auto", threads: int | None = None) -> Scorer:
    """The network of CT of a weights file as a function from blocks (N, 2, I, J, K) to class probabilities.

    Raises
    ------
    InputError
        If the file cannot be read as this network's weights.
    """
    if engine == "torch":
        import torch

        from spineclock.nets.ct_segmenter import ct_torch_scorer, read_ct_segmenter

        if threads:
            torch.set_num_threads(threads)
        return ct_torch_scorer(read_ct_segmenter(weights))
    from spineclock.nets.segmenter_openvino import compile_segmenter
    from spineclock.nets.weights import read_arrays

    return compile_segmenter(read_arrays(weights), threads=threads)
