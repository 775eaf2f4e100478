"""The network that the engine brings, and where it runs."""

from __future__ import annotations

import numpy as np
import pytest

from curation.engine.embedders.network import CPU, GPU, NetworkEmbedder, providers
from curation.errors import OperatorError

SIDE = 160


@pytest.fixture(scope="module")
def embedder(network: bytes) -> NetworkEmbedder:
    """The network on the CPU."""
    return NetworkEmbedder(network, identity="lite0@160/2", size=SIDE, device="cpu")


def test_embed__is_the_same_each_time(embedder: NetworkEmbedder, network: bytes) -> None:
    """The same frame has the same embedding, bit for bit, whatever came before."""
    dice = np.random.default_rng(0)
    one, other = dice.integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8)
    fresh = NetworkEmbedder(network, identity="lite0@160/2", size=SIDE, device="cpu")

    first = embedder.embed(one)
    embedder.embed(other)

    assert first.shape == (embedder.n_features,)
    assert first.dtype == np.float32
    assert float(np.linalg.norm(first)) == pytest.approx(1.0, abs=1e-6)
    assert np.array_equal(first, embedder.embed(one))
    assert np.array_equal(first, fresh.embed(one))


@pytest.mark.parametrize(
    ("device", "available", "tried"),
    [
        ("auto", [CPU], [CPU]),
        ("auto", [GPU, CPU], [GPU, CPU]),
        ("auto", ["AzureExecutionProvider", CPU], [CPU]),
        ("cpu", [GPU, CPU], [CPU]),
        ("cuda", [GPU, CPU], [GPU, CPU]),
    ],
)
def test_providers__prefer_the_gpu(device: str, available: list[str], tried: list[str]) -> None:
    """The GPU is taken where onnxruntime offers it, unless the setting says otherwise."""
    assert providers(device, available) == tried


def test_providers__without_the_gpu_that_was_asked_for() -> None:
    """A wish that cannot be met is an error that names the package, not a slow run."""
    with pytest.raises(OperatorError, match="Install onnxruntime-gpu") as caught:
        providers("cuda", [CPU])

    assert caught.value.code == "config:engine-device"
