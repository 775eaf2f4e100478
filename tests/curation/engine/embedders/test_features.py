"""Frames can be told apart without a network."""

from __future__ import annotations

import numpy as np
import pytest

from curation.engine.embedders.features import FeatureEmbedder

SIDE = FeatureEmbedder.size


def plain(*colour: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Returns a picture of one colour."""
    return np.full((SIDE, SIDE, 3), colour, np.uint8)


def test_embed__gives_a_direction() -> None:
    """An embedding has length 1 and the promised size, and is the same each time."""
    picture = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)

    embedding = FeatureEmbedder().embed(picture)

    assert embedding.shape == (FeatureEmbedder.n_features,)
    assert embedding.dtype == np.float32
    assert float(np.linalg.norm(embedding)) == pytest.approx(1.0, abs=1e-6)
    assert np.array_equal(embedding, FeatureEmbedder().embed(picture))


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (127, 127, 127), (255, 0, 255)])
def test_embed__takes_a_picture_of_one_colour(colour: tuple[int, int, int]) -> None:
    """Black, white and grey have no hue and no edges, and still an embedding."""
    embedding = FeatureEmbedder().embed(plain(*colour))

    assert np.isfinite(embedding).all()
    assert float(np.linalg.norm(embedding)) == pytest.approx(1.0, abs=1e-6)


def test_embed__tells_apart_what_differs() -> None:
    """Other colours, colours elsewhere and edges of another direction are far; noise is near."""
    dice = np.random.default_rng(0)
    left = plain(200, 60, 40)
    left[:, SIDE // 2 :] = 20
    bars = plain(20, 20, 20)
    bars[::8] = 220
    embed = FeatureEmbedder().embed
    noisy = (left.astype(int) + dice.integers(-2, 3, left.shape)).clip(0, 255).astype(np.uint8)

    near = np.linalg.norm(embed(left) - embed(noisy))
    far = [
        np.linalg.norm(embed(one) - embed(other))
        for one, other in (
            (plain(200, 60, 40), plain(40, 60, 200)),
            (left, left[:, ::-1]),
            (bars, bars.swapaxes(0, 1)),
        )
    ]

    assert near < 0.2
    assert min(far) > 2 * near
