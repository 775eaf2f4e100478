"""Turns frames into embeddings with the pretrained network, on one CPU thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curation.engine.packages import explained

with explained():
    import onnxruntime

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Rows and columns of the pictures that the network was trained on, and numbers it makes of one.
SIZE = 224
N_FEATURES = 1280


class Embedder:
    """The network, ready to run. One frame at a time: batches gain nothing and take memory.

    Args:
        model: The serialised ONNX model of `network.build_network`.
    """

    def __init__(self, model: bytes) -> None:
        options = onnxruntime.SessionOptions()
        # Several engines may share a machine; each takes one core.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns the embedding of a frame, L2-normalised, shape (1280,), float32.

        Args:
            pixels: The frame as RGB, shape (224, 224, 3), uint8.
        """
        outputs = self._session.run(["features"], {"pixels": pixels[np.newaxis]})
        features: NDArray[np.float32] = outputs[0][0]
        # Selection compares Euclidean distances, and only the direction may count.
        norm = np.float32(np.linalg.norm(features))
        return features / norm if norm else features
