"""The segmentation networks as an OpenVINO graph built straight from their weights.

It answers as :class:`spineclock.nets.segmenter.Segmenter` does, or, in three dimensions, as
:class:`spineclock.nets.ct_segmenter.CtSegmenter` (tests hold each two together) without importing PyTorch, which costs
a second at start, and with each batch norm folded into its convolution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as op

Floats = npt.NDArray[np.float32]
Tensors = Mapping[str, npt.NDArray[Any]]

BATCH_NORM_EPSILON = 1e-5


def compile_segmenter(tensors: Tensors, *, threads: int | None = None) -> Callable[[Floats], Floats]:
    """The network as a function from pictures (N, 3, H, W) to class probabilities (N, classes, H, W), in float32.

    ``tensors`` are the state of ``Segmenter`` by name, or that of ``CtSegmenter``, which reads blocks (N, 2, I, J, K);
    dimensions, depth and classes are read off them.
    """
    core = ov.Core()
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    compiled = core.compile_model(_graph(tensors), "CPU", settings)

    def score(pictures: Floats) -> Floats:
        return np.array(compiled(pictures)[0])

    return score


def _graph(tensors: Tensors) -> ov.Model:
    patch = tensors["stem.weight"].shape[2:] if "stem.weight" in tensors else None
    axes = 3 if patch else 2
    width = tensors["stem.weight"].shape[1] if patch else 3
    pictures = op.parameter([-1, width, *[-1] * axes], np.float32, name="pictures")
    if patch:
        x = seen = _conv(pictures, tensors["stem.weight"], tensors["stem.bias"], strides=patch)
    else:
        x = seen = op.space_to_depth(pictures, "depth_first", 2)
    skips: list[Any] = []
    for level in range(_count(tensors, "down")):
        if skips:
            x = op.max_pool(x, [2] * axes, [1] * axes, [0] * axes, [0] * axes, [2] * axes).output(0)
        x = _double_conv(x, tensors, f"down.{level}")
        skips.append(x)
    says = _said(x, tensors, 0) if patch else None
    for level, skip in zip(range(_count(tensors, "up")), reversed(skips[:-1]), strict=True):
        x = _double_conv(op.concat([_grown(x, [2] * axes), skip], 1), tensors, f"up.{level}")
        says = op.add(_grown(says, [2] * axes), _said(x, tensors, level + 1)) if patch else None
    if patch:
        x = op.relu(_conv(op.concat([x, seen], 1), tensors["head.weight"], tensors["head.bias"]))
        x = op.add(_grown(says, patch), _unpatched(x, tensors["leaf.weight"], tensors["leaf.bias"]))
    else:
        x = op.depth_to_space(_conv(x, tensors["head.weight"], tensors["head.bias"]), "depth_first", 2)
    return ov.Model([op.softmax(x, 1)], [pictures], "segmenter")


def _said(x: Any, tensors: Tensors, level: int) -> Any:
    return _conv(x, tensors[f"says.{level}.weight"], tensors[f"says.{level}.bias"])


def _grown(x: Any, factors: Sequence[int]) -> Any:
    """Each sample repeated so many times along each axis."""
    axes = len(factors)
    return op.interpolate(
        x,
        np.array(factors, np.float32),
        "nearest",
        "scales",
        [0] * axes,
        [0] * axes,
        "asymmetric",
        "floor",
        axes=np.arange(2, 2 + axes),
    )


def _count(tensors: Tensors, part: str) -> int:
    return 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith(part + "."))


def _double_conv(x: Any, tensors: Tensors, prefix: str) -> Any:
    for conv, norm in ((0, 1), (3, 4)):
        gain, shift, mean, variance = (
            np.asarray(tensors[f"{prefix}.{norm}.{part}"], np.float64)
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        gain = gain / np.sqrt(variance + BATCH_NORM_EPSILON)
        weight = np.asarray(tensors[f"{prefix}.{conv}.weight"], np.float64)
        weight = weight * gain.reshape(-1, *[1] * (weight.ndim - 1))
        x = op.relu(_conv(x, weight, shift - mean * gain))
    return x


def _conv(x: Any, weight: npt.NDArray[Any], bias: npt.NDArray[Any], *, strides: tuple[int, ...] = ()) -> Any:
    axes, pad = weight.ndim - 2, 0 if strides else weight.shape[-1] // 2
    pads = [pad] * axes
    y = op.convolution(x, op.constant(weight.astype(np.float32)), list(strides or [1] * axes), pads, pads, [1] * axes)
    return op.add(y, op.constant(bias.astype(np.float32).reshape(1, -1, *[1] * axes)))


def _unpatched(x: Any, weight: npt.NDArray[Any], bias: npt.NDArray[Any]) -> Any:
    """PyTorch's transposed convolution whose strides are its kernel."""
    strides, axes = list(weight.shape[2:]), weight.ndim - 2
    y = op.convolution_backprop_data(
        x, op.constant(weight.astype(np.float32)), strides, pads_begin=[0] * axes, pads_end=[0] * axes
    )
    return op.add(y, op.constant(bias.astype(np.float32).reshape(1, -1, *[1] * axes)))
