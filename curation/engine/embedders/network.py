"""Embeds frames with a network in onnxruntime, on one CPU thread or on the GPU."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np

from curation.engine.embedders.port import direction
from curation.engine.packages import explained
from curation.errors import OperatorError

with explained():
    import onnxruntime

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CPU, GPU = "CPUExecutionProvider", "CUDAExecutionProvider"

log = logging.getLogger(__name__)


class NetworkEmbedder:
    """The network that the engine brings, ready to run.

    One frame at a time: on one CPU thread batches gain nothing and take memory.

    Args:
        model: A serialised ONNX model of `curation.engine.network`; its first output is taken.
        identity: Name and parameters of the embedder.
        size: Height and width of the pixels that are fed to it.
        device: `auto` (the GPU if onnxruntime offers it), `cpu` or `cuda`.

    Raises:
        OperatorError: If `device` is `cuda` and the GPU cannot be used.
    """

    def __init__(self, model: bytes, *, identity: str, size: int, device: str) -> None:
        self.identity = identity
        self.size = size
        self._session = open_session(model, device=device)
        output = self._session.get_outputs()[0]
        self._output: str = output.name
        self.n_features: int = output.shape[-1]

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns the embedding of a frame, L2-normalised, shape (n_features,), float32.

        Args:
            pixels: The frame as RGB, shape (size, size, 3), uint8.
        """
        (features,) = self._session.run([self._output], {"pixels": pixels[np.newaxis]})
        return direction(features[0])


def open_session(model: bytes, *, device: str) -> onnxruntime.InferenceSession:
    """Loads a model onto the device and says in the log which it is.

    Raises:
        OperatorError: If `device` is `cuda` and the GPU cannot be used.
    """
    options = onnxruntime.SessionOptions()
    # Several engines may share a machine; each takes one core.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    wanted = providers(device, onnxruntime.get_available_providers())
    session = onnxruntime.InferenceSession(model, options, providers=wanted)
    # Asked for again, because onnxruntime falls back without a word where CUDA does not load.
    used = session.get_providers()[0]
    if device == "cuda" and used != GPU:
        raise _no_gpu("CUDA does not load on this machine")
    log.info("Embedding network loaded", extra={"device": "cuda" if used == GPU else "cpu"})
    return session


def providers(device: str, available: Sequence[str]) -> list[str]:
    """Returns what onnxruntime is to try, the best first.

    Args:
        device: `auto`, `cpu` or `cuda`.
        available: What the installed onnxruntime offers.

    Raises:
        OperatorError: If `device` is `cuda` and it is not offered.
    """
    if device == "cpu" or (device == "auto" and GPU not in available):
        return [CPU]
    if GPU not in available:
        raise _no_gpu("the installed onnxruntime is made for the CPU")
    return [GPU, CPU]


def _no_gpu(reason: str) -> OperatorError:
    message = (
        f"ENGINE_DEVICE is 'cuda', but {reason}. Install onnxruntime-gpu in place of onnxruntime "
        "and the CUDA libraries that it names, or set ENGINE_DEVICE=auto."
    )
    return OperatorError(message, code="config:engine-device")
