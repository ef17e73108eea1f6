"""The spine-age network as an OpenVINO graph built straight from its weights.

It answers as :class:`spineclock.nets.dcnn.AgeNet` does (a test holds the two together) without importing PyTorch, with
each batch norm folded into its convolution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino as ov
from openvino import opset13 as op

from spineclock.nets.band_numpy import narrowed
from spineclock.nets.names import Pool
from spineclock.nets.segmenter_openvino import BATCH_NORM_EPSILON

Floats = npt.NDArray[np.float32]
Tensors = Mapping[str, npt.NDArray[Any]]
Answer = Callable[[Floats], tuple[Floats, Floats]]


def compile_age_net(
    tensors: Tensors, *, shape: tuple[int, int, int], pool: Pool, band: int = 0, threads: int | None = None
) -> Answer:
    """The network as a function from a prepared volume (D, H, W) to its answer (outputs,) and its 64 pooled features.

    ``tensors`` are the state of ``AgeNet`` by name, or of one behind a band of so many columns.
    """
    settings: dict[str, Any] = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    if band:
        tensors = {name.removeprefix("net."): values for name, values in tensors.items()}
        shape = (*shape[:2], band)
    compiled = ov.Core().compile_model(_graph(tensors, shape, pool), "CPU", settings)

    def answer(prepared: Floats) -> tuple[Floats, Floats]:
        prepared = narrowed(prepared, band) if band else prepared
        found = compiled(np.asarray(prepared, dtype=np.float32)[None, None])
        return np.array(found[0])[0], np.array(found[1])[0]

    return answer


def _graph(tensors: Tensors, shape: tuple[int, int, int], pool: Pool) -> ov.Model:
    volume = op.parameter([1, 1, *shape], np.float32, name="volume")
    x, axes, number = volume, list(shape), 0
    while f"blocks.{number}.conv.weight" in tensors:
        x = _conv(x, tensors, f"blocks.{number}.conv", f"blocks.{number}.norm")
        window = [2 if n > 1 else 1 for n in axes]  # an axis of 1 stays
        x = op.relu(op.max_pool(x, window, [1, 1, 1], [0, 0, 0], [0, 0, 0], window).output(0))
        axes, number = [n // w for n, w in zip(axes, window, strict=True)], number + 1
    x = op.relu(_conv(x, tensors, "top", "top_norm"))
    over = np.array([2, 3, 4], np.int64)
    features = op.reduce_max(x, over) if pool == "max" else op.reduce_mean(x, over)
    weight, bias = (np.asarray(tensors[f"linear.{part}"], np.float32) for part in ("weight", "bias"))
    age = op.add(op.matmul(features, op.constant(weight), False, True), op.constant(bias[None]))
    return ov.Model([age, features], [volume], "spine age")


def _conv(x: Any, tensors: Tensors, conv: str, norm: str) -> Any:
    """A convolution with its batch norm folded into it."""
    gain, shift, mean, variance = (
        np.asarray(tensors[f"{norm}.{part}"], np.float64) for part in ("weight", "bias", "running_mean", "running_var")
    )
    gain = gain / np.sqrt(variance + BATCH_NORM_EPSILON)
    weight = np.asarray(tensors[f"{conv}.weight"], np.float64) * gain[:, None, None, None, None]
    bias = (np.asarray(tensors[f"{conv}.bias"], np.float64) - mean) * gain + shift
    pad = [weight.shape[-1] // 2] * 3
    y = op.convolution(x, op.constant(weight.astype(np.float32)), [1, 1, 1], pad, pad, [1, 1, 1])
    return op.add(y, op.constant(bias.astype(np.float32).reshape(1, -1, 1, 1, 1)))
