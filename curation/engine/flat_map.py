"""Lays embeddings out on a plane, so that frames that look alike lie near each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# The axes are found in so many rows (the time grows with their cube, 0.7 s for 600), and all rows
# are laid out in blocks.
_SAMPLE = 200
_ROWS = 1_000


def lay_out(embeddings: NDArray[np.float16]) -> NDArray[np.float32]:
    """Returns the first two principal components, shape (N, 2), float32, within -1 to 1.

    Args:
        embeddings: Shape (N, D), float16.
    """
    n_frames = len(embeddings)
    sample = embeddings[:: max(1, -(-n_frames // _SAMPLE))].astype(np.float32)
    mean = sample.mean(axis=0) if n_frames else np.zeros(embeddings.shape[1], np.float32)
    axes = _axes(sample - mean)
    xy = np.zeros((n_frames, 2), np.float32)
    for start in range(0, n_frames, _ROWS):
        block = embeddings[start : start + _ROWS].astype(np.float32) - mean
        xy[start : start + _ROWS, : axes.shape[1]] = block @ axes
    widest = np.abs(xy).max(initial=0.0)
    return xy / widest if widest else xy


def _axes(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    # By the products of the rows, which are fewer than the columns.
    values, vectors = np.linalg.eigh(rows @ rows.T)
    first_two = vectors[:, ::-1][:, :2][:, values[::-1][:2] > 0]
    axes = rows.T @ first_two
    axes /= np.linalg.norm(axes, axis=0)
    # An axis has no direction of its own; without this it would differ from machine to machine.
    signs = np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    return np.asarray(axes * signs, np.float32)
