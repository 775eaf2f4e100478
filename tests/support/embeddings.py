"""Embeddings and frames for tests of the choice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curation.engine.frames import Frames

if TYPE_CHECKING:
    from numpy.typing import NDArray


def nothing() -> None:
    """Waits in silence."""


def directions(n: int, *, seed: int = 0, size: int = 32) -> NDArray[np.float32]:
    """Returns n random directions, shape (n, size)."""
    rows = np.random.default_rng(seed).normal(size=(n, size)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def scenes(n_scenes: int, length: int, *, seed: int = 0, size: int = 32) -> NDArray[np.float32]:
    """Returns scenes of frames that hardly differ, shape (n_scenes * length, size)."""
    rows = np.repeat(directions(n_scenes, seed=seed, size=size), length, axis=0)
    rows += 0.02 * directions(len(rows), seed=seed + 1, size=size)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def frames_of(embeddings: NDArray[np.float32], **columns: NDArray[np.float32]) -> Frames:
    """Returns whole frames with these embeddings, 25 a second; columns replace the zeros."""
    n = len(embeddings)
    zeros = np.zeros(n, np.float32)
    return Frames(
        timestamps_s=np.arange(n) / 25,
        embeddings=embeddings.astype(np.float16),
        is_key=np.zeros(n, np.bool_),
        is_corrupt=np.zeros(n, np.bool_),
        n_errors=np.zeros(n, np.int32),
        sharpness=columns.get("sharpness", zeros),
        luminance=columns.get("luminance", zeros),
        thumbnails=[b""] * n,
    )
