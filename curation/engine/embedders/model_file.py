"""Embeds frames with any ONNX model that maps one picture to numbers."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from curation.engine.embedders.network import open_session
from curation.engine.embedders.port import direction
from curation.errors import OperatorError

if TYPE_CHECKING:
    from pathlib import Path

    import onnxruntime
    from numpy.typing import NDArray

# What a model with decimals is fed unless its metadata says otherwise: ImageNet's statistics.
_MEAN, _STD = "0.485,0.456,0.406", "0.229,0.224,0.225"
_SIZE = "224"
# Largest side that is fed; more would be a mistake in the model.
_MAX_SIZE = 1024
_COLOURS = 3
_TYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}


class ModelFileEmbedder:
    """A network in a file.

    The model has one input of one picture: (1, 3, H, W) or (1, H, W, 3), H = W. Bytes are fed as
    they are; decimals as `(value / 255 - mean) / std`. The model's metadata may say `mean` and
    `std` (three numbers each, red first) and `size` (where H and W are open). The first output is
    the embedding; of a map (1, D, h, w) the mean is taken.

    Args:
        path: The file.
        device: `auto`, `cpu` or `cuda`.

    Raises:
        OperatorError: If the file cannot be read or is no such model.
    """

    def __init__(self, path: Path, *, device: str) -> None:
        self._path = path
        content = self._read()
        self._session = self._open(content, device)
        self._input = self._checked_input()
        metadata = self._session.get_modelmeta().custom_metadata_map
        self._mean = self._numbers(metadata.get("mean", _MEAN), "mean")
        self._std = self._numbers(metadata.get("std", _STD), "std")
        self.size = self._side(metadata.get("size", _SIZE))
        self.n_features = len(self._embedded())
        self.identity = f"{path.stem}/{hashlib.sha256(content).hexdigest()[:16]}"

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns the embedding of a frame, L2-normalised, shape (n_features,), float32.

        Args:
            pixels: The frame as RGB, shape (size, size, 3), uint8.
        """
        picture: NDArray[Any] = pixels
        if self._input.type == "tensor(float)":
            picture = (pixels.astype(np.float32) / 255 - self._mean) / self._std
        if self._channels_first:
            picture = np.ascontiguousarray(np.moveaxis(picture, 2, 0))
        name = self._session.get_outputs()[0].name
        (output,) = self._session.run([name], {self._input.name: picture[np.newaxis]})
        features = np.asarray(output, np.float32)[0]
        return direction(features.reshape(len(features), -1).mean(axis=1))

    @property
    def _channels_first(self) -> bool:
        return bool(self._input.shape[1] == _COLOURS)

    def _embedded(self) -> NDArray[np.float32]:
        try:
            return self.embed(np.zeros((self.size, self.size, _COLOURS), np.uint8))
        except Exception as error:  # onnxruntime's errors have no common base
            raise self._unusable(
                f"a picture of {self.size} pixels a side fails: {error}"
            ) from error

    def _read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise self._unusable(str(error.strerror)) from error

    def _open(self, content: bytes, device: str) -> onnxruntime.InferenceSession:
        try:
            return open_session(content, device=device)
        except OperatorError:
            raise
        except Exception as error:  # onnxruntime's errors have no common base
            raise self._unusable(str(error)) from error

    def _checked_input(self) -> onnxruntime.NodeArg:
        inputs = self._session.get_inputs()
        shape = list(inputs[0].shape) if inputs else []
        is_picture = len(shape) == 4 and _COLOURS in (shape[1], shape[3])  # noqa: PLR2004  # batch, picture
        if len(inputs) != 1 or not is_picture or inputs[0].type not in _TYPES:
            found = ", ".join(f"{item.name} {item.type} {item.shape}" for item in inputs)
            raise self._unusable(f"one picture of bytes or float32 must be its input, not {found}")
        return inputs[0]

    def _numbers(self, text: str, name: str) -> NDArray[np.float32]:
        try:
            numbers = np.array([float(item) for item in text.split(",")], np.float32)
        except ValueError:
            numbers = np.empty(0, np.float32)
        if len(numbers) != _COLOURS or (name == "std" and not (numbers > 0).all()):
            raise self._unusable(f"its metadata {name!r} is {text!r}, not three numbers")
        return numbers

    def _side(self, said: str) -> int:
        sides = self._input.shape[2:] if self._channels_first else self._input.shape[1:3]
        fixed = {str(side) for side in sides if isinstance(side, int)} or {said}
        side = fixed.pop()
        if fixed or not side.isdecimal() or not 0 < int(side) <= _MAX_SIZE:
            raise self._unusable(f"its pictures have sides {sides} (metadata: {said!r})")
        return int(side)

    def _unusable(self, reason: str) -> OperatorError:
        message = (
            f"ENGINE_EMBEDDER names the model {str(self._path)!r}, which cannot be used: {reason}. "
            "docs/engine-quality.md says which models can."
        )
        return OperatorError(message, code="config:engine-embedder")
