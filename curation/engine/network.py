"""Builds EfficientNet-Lite0 as an ONNX graph from its weights, batch norms folded in."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from curation.engine.packages import explained

with explained():
    import onnx
    from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

# Height and width of the pixels that the embedding network is fed; docs/adr/0020 says why.
SIZE = 160
# Of the middle of the network, block 10: channels, pixels of a side to a cell, and into how many
# cells a side the frame is cut for the embedding.
_MIDDLE, _CHANNELS, _STRIDE, _CELLS = 10, 112, 16, 2
# Numbers that an embedding has; features and classes of the whole network.
N_EMBEDDING, N_FEATURES, N_CLASSES = _CHANNELS * _CELLS**2, 1280, 1000

# The network saw pixels as (value - 127) / 128 in training (Google's `efficientnet_lite`).
_MEAN, _SCALE = 127.0, 128.0
# The blocks that halve height and width; all else is read from the shapes of the weights.
_STRIDED_BLOCKS = frozenset({1, 3, 5, 11})
_N_BLOCKS = 16
# TensorFlow's value, not PyTorch's default.
_BATCH_NORM_EPSILON = 1e-3
# Fixed, so that a newer onnx still writes what an older onnxruntime reads.
_OPSET, _IR_VERSION = 17, 8


def build_network(weights: dict[str, NDArray[np.float32]]) -> bytes:
    """Returns the serialised ONNX model that embeds: the network up to its middle.

    Input `pixels`: RGB, shape (1, 160, 160, 3), uint8. Output `embedding`: means of the middle's
    112 channels in the four quarters of the frame, shape (1, 448), float32.
    """
    graph = _Graph(weights)
    x = graph.body(_MIDDLE)
    cell = SIZE // _STRIDE // _CELLS
    x = graph.add("AveragePool", x, kernel_shape=[cell, cell], strides=[cell, cell])
    graph.add("Flatten", x, output="embedding")
    return graph.serialize([1, SIZE, SIZE, 3], {"embedding": [1, N_EMBEDDING]})


def build_classifier(weights: dict[str, NDArray[np.float32]]) -> bytes:
    """Returns the serialised ONNX model of the whole network, to check it and to compare with it.

    Input `pixels`: RGB, shape (1, H, W, 3), uint8, H and W multiples of 32 (224 in training).
    Outputs, float32: `features`, the pooled features, shape (1, 1280); `logits`, the ImageNet
    classifier's, shape (1, 1000); `middle`, what the embedding is made of, (1, 112, H/16, W/16).
    """
    graph = _Graph(weights)
    x = graph.body(_MIDDLE)
    graph.add("Identity", x, output="middle")
    for index in range(_MIDDLE + 1, _N_BLOCKS):
        x = graph.block(x, index)
    x = graph.convolve(x, "_conv_head", "_bn1")
    x = graph.add("GlobalAveragePool", x)
    x = graph.add("Flatten", x, output="features")
    classifier = graph.constant(weights["_fc.weight"].T), graph.constant(weights["_fc.bias"])
    graph.add("Gemm", x, *classifier, output="logits")
    outputs: dict[str, list[int | str]] = {
        "features": [1, N_FEATURES],
        "logits": [1, N_CLASSES],
        "middle": [1, _CHANNELS, "h", "w"],
    }
    return graph.serialize([1, "H", "W", 3], outputs)


class _Graph:
    """An ONNX graph that grows node by node."""

    def __init__(self, weights: dict[str, NDArray[np.float32]]) -> None:
        self._weights = weights
        self._names = (f"t{number}" for number in count())
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def add(
        self, kind: str, *inputs: str, output: str = "", **attributes: int | Sequence[int]
    ) -> str:
        """Adds a node and returns the name of its output."""
        name = output or next(self._names)
        node = helper.make_node(kind, inputs, [name])
        node.attribute.extend(helper.make_attribute(*item) for item in attributes.items())
        self._nodes.append(node)
        return name

    def constant(self, value: NDArray[np.float32]) -> str:
        """Adds a constant and returns its name."""
        name = next(self._names)
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def body(self, last: int) -> str:
        """Adds everything from the pixels to the block `last`."""
        x = self.preprocess("pixels")
        x = self.convolve(x, "_conv_stem", "_bn0", stride=2)
        for index in range(last + 1):
            x = self.block(x, index)
        return x

    def preprocess(self, pixels: str) -> str:
        """Makes of bytes in the order of a picture what the first convolution wants."""
        x = self.add("Cast", pixels, to=TensorProto.FLOAT)
        x = self.add("Transpose", x, perm=[0, 3, 1, 2])
        x = self.add("Sub", x, self.constant(np.array(_MEAN, np.float32)))
        return self.add("Div", x, self.constant(np.array(_SCALE, np.float32)))

    def block(self, x: str, index: int) -> str:
        """Adds an inverted residual block: expand, filter each channel, project, add the input."""
        prefix, stride = f"_blocks.{index}.", 2 if index in _STRIDED_BLOCKS else 1
        y = x
        if f"{prefix}_expand_conv.weight" in self._weights:
            y = self.convolve(y, f"{prefix}_expand_conv", f"{prefix}_bn0")
        y = self.convolve(y, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride=stride)
        y = self.convolve(y, f"{prefix}_project_conv", f"{prefix}_bn2", activate=False)
        return self.add("Add", x, y) if stride == 1 and self._keeps_width(prefix) else y

    def convolve(
        self, x: str, convolution: str, norm: str, *, stride: int = 1, activate: bool = True
    ) -> str:
        """Adds a convolution with its batch norm folded in, and ReLU6 if `activate`."""
        kernel, bias = self._fold(convolution, norm)
        # TensorFlow's "SAME" for even sizes (multiples of 32 give them): the odd pixel goes last.
        padding = kernel.shape[-1] - stride
        begin, end = padding // 2, padding - padding // 2
        y = self.add(
            "Conv",
            x,
            self.constant(kernel),
            self.constant(bias),
            strides=[stride, stride],
            pads=[begin, begin, end, end],
            # A depthwise kernel sees one channel, so there are as many groups as channels.
            group=kernel.shape[0] if "_depthwise" in convolution else 1,
        )
        if not activate:
            return y
        zero, six = (self.constant(np.array(value, np.float32)) for value in (0, 6))
        return self.add("Clip", y, zero, six)

    def serialize(
        self, pixels: Sequence[int | str], outputs: Mapping[str, Sequence[int | str]]
    ) -> bytes:
        """Returns the model with everything that was added.

        Args:
            pixels: Shape of the input.
            outputs: Shapes of the outputs by name.
        """
        graph = helper.make_graph(
            self._nodes,
            "efficientnet-lite0",
            [helper.make_tensor_value_info("pixels", TensorProto.UINT8, pixels)],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
                for name, shape in outputs.items()
            ],
            self._constants,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
        )
        onnx.checker.check_model(model)
        serialized: bytes = model.SerializeToString()
        return serialized

    def _fold(self, convolution: str, norm: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        gamma, beta, mean, variance = (
            self._weights[f"{norm}.{part}"]
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        factor = gamma / np.sqrt(variance + _BATCH_NORM_EPSILON)
        kernel = (
            self._weights[f"{convolution}.weight"] * factor[:, np.newaxis, np.newaxis, np.newaxis]
        )
        return kernel, beta - mean * factor

    def _keeps_width(self, prefix: str) -> bool:
        expand = self._weights.get(f"{prefix}_expand_conv.weight")
        project = self._weights[f"{prefix}_project_conv.weight"]
        # The first block does not expand, and narrows.
        return expand is not None and project.shape[0] == expand.shape[1]
