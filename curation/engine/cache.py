"""Keeps the converted network on disk, so that the weights are converted once per machine."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from curation.engine import weights
from curation.errors import OperatorError

# Raise it with every change of the graph that `network.build_network` makes.
GRAPH_VERSION = 3

_DIGEST_BYTES = hashlib.sha256().digest_size


def load_network(cache_dir: Path | None) -> bytes:
    """Returns the serialised ONNX model, from the cache if it is there and whole.

    Several processes may do this at once: each puts the same complete file in place.

    Args:
        cache_dir: Where the file is kept; None: the user's cache folder.

    Raises:
        OperatorError: If the weights are missing or the folder cannot be written.
    """
    path = (cache_dir or _user_cache_dir()) / f"efficientnet-lite0-{_key()}.model"
    model = _read(path)
    if model is None:
        model = _convert()
        _write(path, model)
    return model


def _key() -> str:
    # Other weights or another graph have another name, so nothing stale is ever read.
    return hashlib.sha256(f"{weights.SHA256}:{GRAPH_VERSION}".encode()).hexdigest()[:16]


def _convert() -> bytes:
    # Imported here because onnx takes 0.3 CPU-seconds, and only the first start needs it.
    from curation.engine.network import build_network  # noqa: PLC0415  # see the comment above

    return build_network(weights.load_weights(weights.weights_path()))


def _read(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path.parent, error) from error
    digest, model = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return model if hashlib.sha256(model).digest() == digest else None


def _write(path: Path, model: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            whole = Path(folder) / path.name
            whole.write_bytes(hashlib.sha256(model).digest() + model)
            whole.replace(path)
    except OSError as error:
        raise _unusable(path.parent, error) from error


def _user_cache_dir() -> Path:
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path("~/.cache").expanduser()) / "video-curation"


def _unusable(folder: Path, error: OSError) -> OperatorError:
    message = (
        f"The engine cannot keep its network in {str(folder)!r} ({error.strerror}). "
        "Set ENGINE_CACHE_DIR to a folder that the engine worker may write."
    )
    return OperatorError(message, code="config:engine-cache")
