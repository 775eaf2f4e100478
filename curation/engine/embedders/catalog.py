"""Opens the embedder that the settings name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from curation.engine.cache import GRAPH_VERSION, load_network
from curation.engine.embedders.features import FeatureEmbedder
from curation.engine.embedders.model_file import ModelFileEmbedder
from curation.engine.embedders.network import NetworkEmbedder
from curation.errors import OperatorError

if TYPE_CHECKING:
    from curation.engine.embedders.port import Embedder

# `curation.engine.network.SIZE`, here as well because that module loads onnx.
LITE0_SIZE = 160


def open_embedder(name: str, *, device: str, cache_dir: Path | None) -> Embedder:
    """Returns the embedder, ready to run.

    Args:
        name: `lite0`, `features`, or the path of an ONNX model.
        device: `auto`, `cpu` or `cuda`.
        cache_dir: Where the converted network is kept; None: the user's cache folder.

    Raises:
        OperatorError: If there is no such embedder, or it cannot run here.
    """
    if name == "lite0":
        identity = f"lite0@{LITE0_SIZE}/{GRAPH_VERSION}"
        model = load_network(cache_dir)
        return NetworkEmbedder(model, identity=identity, size=LITE0_SIZE, device=device)
    if name == "features":
        return FeatureEmbedder()
    if name.endswith(".onnx"):
        return ModelFileEmbedder(Path(name), device=device)
    message = (
        f"ENGINE_EMBEDDER is {name!r}. Expected lite0, features or the path of a model that ends "
        "in .onnx."
    )
    raise OperatorError(message, code="config:engine-embedder")
