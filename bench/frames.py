"""Frames that have embeddings and nothing else, for the benches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curation.engine.choice import choose_frames
from curation.engine.frames import Frames

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curation.selection_config import SelectionConfig

    Rows = NDArray[np.float16] | NDArray[np.float32]

_FPS = 25


def choose(
    rows: Rows, config: SelectionConfig, *, sharpness: NDArray[np.float32] | None = None
) -> NDArray[np.int64]:
    """Returns what the engine chooses of whole frames, in order of choice.

    Args:
        rows: Embeddings, shape (N, D).
        config: What to choose.
        sharpness: Of the frames, shape (N,); None: all the same.
    """
    frames = frames_of(rows, sharpness=sharpness)
    whole = np.ones(len(rows), np.bool_)
    return choose_frames(frames, eligible=whole, config=config, on_wait=_nothing).indices


def frames_of(rows: Rows, *, sharpness: NDArray[np.float32] | None = None) -> Frames:
    """Returns frames with these embeddings."""
    n = len(rows)
    none, zeros = np.zeros(n, np.bool_), np.zeros(n, np.float32)
    return Frames(
        timestamps_s=np.arange(n) / _FPS,
        embeddings=rows.astype(np.float16, copy=False),
        is_key=none,
        is_corrupt=none,
        n_errors=np.zeros(n, np.int32),
        sharpness=zeros if sharpness is None else sharpness,
        luminance=zeros,
        thumbnails=[b""] * n,
    )


def _nothing() -> None:
    """Waits for nothing."""
