"""What the engine knows of the frames of a video or of one segment: arrays, row by frame."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

_THUMBNAILS = "thumbnails"
_BOUNDS = "thumbnail_bounds"


@dataclass(frozen=True, eq=False)
class Frames:
    """N frames in presentation order, damaged ones included; D is the size of an embedding.

    Embeddings are float16 also in memory: two hours at 30 frames a second are 0.55 GB of them at
    D = 1280. Whoever calculates with them makes float32 of the rows that it needs.

    Attributes:
        timestamps_s: Presentation times in seconds, shape (N,), float64.
        embeddings: Rows of length 1, shape (N, D), float16. A row that is zero has no direction.
        is_key: Whether a frame is a keyframe, shape (N,), bool.
        is_corrupt: Whether the decoder flags the picture as damaged, shape (N,), bool.
        n_errors: Packets right before the frame that could not be decoded, shape (N,), int32.
        sharpness: Variance of the Laplacian of the grey picture, shape (N,), float32.
        luminance: Mean grey, 0 to 255, shape (N,), float32.
        thumbnails: A small JPEG for each frame; empty where there is none. N of them.
    """

    timestamps_s: NDArray[np.float64]
    embeddings: NDArray[np.float16]
    is_key: NDArray[np.bool_]
    is_corrupt: NDArray[np.bool_]
    n_errors: NDArray[np.int32]
    sharpness: NDArray[np.float32]
    luminance: NDArray[np.float32]
    thumbnails: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.timestamps_s)

    def to_npz(self) -> bytes:
        """Returns the frames as one `.npz` file; the same frames always give the same bytes."""
        sizes = [len(thumbnail) for thumbnail in self.thumbnails]
        arrays = {name: getattr(self, name) for name in _ARRAYS} | {
            _THUMBNAILS: np.frombuffer(b"".join(self.thumbnails), np.uint8),
            _BOUNDS: np.cumsum([0, *sizes]),
        }
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_npz(cls, content: bytes) -> Self:
        """Returns the frames of such a file.

        Raises:
            ValueError: If the content is no such file.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                arrays = {name: file[name] for name in _ARRAYS}
                blob, bounds = file[_THUMBNAILS].tobytes(), file[_BOUNDS].tolist()
        except (OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{len(content)} bytes are no frames: {error}") from error
        return cls(**arrays, thumbnails=[blob[start:end] for start, end in pairwise(bounds)])

    @classmethod
    def concatenate(cls, parts: Iterable[Self]) -> Self:
        """Returns the frames of all parts, one after the other; at least one part.

        The parts may come from an iterator: one of them is in memory beside the result.
        """
        columns = {name: bytearray() for name in _ARRAYS}
        thumbnails: list[bytes] = []
        for part in parts:
            for name in _ARRAYS:
                columns[name] += getattr(part, name).tobytes()
            thumbnails += part.thumbnails
            last = part
        arrays = {
            name: np.frombuffer(column, getattr(last, name).dtype).reshape(
                -1, *getattr(last, name).shape[1:]
            )
            for name, column in columns.items()
        }
        return cls(**arrays, thumbnails=thumbnails)


_ARRAYS = tuple(field.name for field in fields(Frames) if field.name != _THUMBNAILS)
