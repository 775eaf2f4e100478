"""What the engine needs from whatever turns frames into embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Embedder(Protocol):
    """Turns frames into embeddings; the same frame always into the same one."""

    @property
    def identity(self) -> str:
        """Name and parameters. Embeddings may be compared only if theirs are equal."""
        ...

    @property
    def size(self) -> int:
        """Height and width of the pixels that it wants."""
        ...

    @property
    def n_features(self) -> int:
        """Length of an embedding, D."""
        ...

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns the embedding of a frame, L2-normalised, shape (D,), float32.

        Args:
            pixels: The frame as RGB, shape (size, size, 3), uint8.
        """
        ...


def direction(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns features at length 1: selection compares distances, and only directions may count."""
    norm = np.float32(np.linalg.norm(features))
    return features / norm if norm else features
