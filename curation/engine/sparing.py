"""Spares the embedder frames that hardly differ from the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from curation.engine.embedders.port import Embedder
    from curation.selection_config import SelectionConfig

# Levels of 255 by which two pictures may differ on average. On the tuning sets of the quality bench
# 8 changes no figure; at 12, fewer frames are embedded, and near-duplicates begin to grow.
_ALIKE = 8.0
# Frames in a row that may go without an embedding of their own: of an event of three, one has it.
_MOST = 2
# Share up to which frames are spared: two embeddings are left for each frame to be chosen. One
# limit only, so that on either side of it a larger share adds to the choice of a smaller one.
_LARGEST_SHARE = 1 / 6
# Every second pixel of every second row tells as much.
_STEP = 2


class SparingEmbedder:
    """An embedder that gives a frame the embedding of the last one, if it looks the same.

    It remembers pictures, so that each segment of a video needs one of its own.

    Args:
        embedder: What embeds the others.
        most: Frames in a row that may be given the same embedding without being embedded.
    """

    def __init__(self, embedder: Embedder, *, most: int) -> None:
        self._embedder = embedder
        self._most = most
        self._n_spared = most
        self._last = np.empty(0, np.int16)
        self._embedding = np.empty(0, np.float32)

    @property
    def identity(self) -> str:
        """That of the embedder: the embeddings can be compared."""
        return self._embedder.identity

    @property
    def size(self) -> int:
        """Height and width of the pixels that it wants."""
        return self._embedder.size

    @property
    def n_features(self) -> int:
        """Length of an embedding."""
        return self._embedder.n_features

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns the embedding of this frame, or of one of the last few that looks the same.

        Args:
            pixels: As the embedder wants them.
        """
        picture = pixels[::_STEP, ::_STEP].astype(np.int16)
        if self._n_spared < self._most and self._is_alike(picture):
            self._n_spared += 1
            return self._embedding
        self._last, self._n_spared = picture, 0
        self._embedding = self._embedder.embed(pixels)
        return self._embedding

    def _is_alike(self, picture: NDArray[np.int16]) -> bool:
        # Not compared with the frame right before: small changes add up.
        return bool(np.abs(picture - self._last).mean() < _ALIKE)


def most_spared(config: SelectionConfig, n_frames: int | None) -> int:
    """Returns how many frames in a row can do without an embedding of their own.

    Where much is chosen, or not by diversity alone, frames compete with their neighbours.

    Args:
        config: What is to be chosen.
        n_frames: Frames of the video, or None if the file does not say.
    """
    if any(entry.strategy.type != "DIVERSITY" for entry in config.strategies):
        return 0
    share = config.proportion_samples or (config.n_samples or 1) / (n_frames or 1)
    return _MOST if share <= _LARGEST_SHARE else 0
