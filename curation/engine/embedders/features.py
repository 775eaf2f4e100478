"""Embeds a frame by its colours and edges, without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from curation.engine.embedders.port import direction

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Plane = NDArray[np.float32]

# Rows and columns of the grid of mean colours and of the histograms of edges.
_CELLS = 4
# Steps of hue, saturation and value; directions of edges.
_HUES, _SATURATIONS, _VALUES = 8, 3, 3
_DIRECTIONS = 8
# Weaker edges than this are noise of the camera; as many as there are pixels, they would count.
_NOISE = 0.03


class FeatureEmbedder:
    """Describes a frame thrice, each counting alike: which colours, colours where, edges where."""

    # Raise the number with every change of what is computed.
    identity = "features/1"
    size = 96
    n_features = _HUES * _SATURATIONS * _VALUES + _CELLS**2 * (3 + _DIRECTIONS)

    def embed(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns the embedding of a frame, L2-normalised, shape (248,), float32.

        Args:
            pixels: The frame as RGB, shape (96, 96, 3), uint8.
        """
        picture = pixels.astype(np.float32) / np.float32(255)
        parts = (_histogram(picture), _grid(picture), _edges(picture.mean(axis=2)))
        return direction(np.concatenate([direction(part) for part in parts]))


def _histogram(picture: Plane) -> Plane:
    hue, saturation, value = _hsv(picture)
    # The hue of what is nearly grey is noise.
    hue = np.where(saturation < 1 / _SATURATIONS, 0, hue)
    cells = np.ravel_multi_index(
        [
            (plane * n).astype(int).clip(0, n - 1).ravel()
            for plane, n in ((hue, _HUES), (saturation, _SATURATIONS), (value, _VALUES))
        ],
        (_HUES, _SATURATIONS, _VALUES),
    )
    # Square roots, because what covers a tenth of the picture matters more than a tenth.
    return np.sqrt(np.bincount(cells, minlength=_HUES * _SATURATIONS * _VALUES)).astype(np.float32)


def _hsv(picture: Plane) -> tuple[Plane, Plane, Plane]:
    """Returns hue, saturation and value, each from 0 to 1."""
    value, least = picture.max(axis=2), picture.min(axis=2)
    spread = value - least
    safe = np.where(spread, spread, 1)
    red, green, blue = np.moveaxis(picture, 2, 0)
    hue = np.select(
        [value == red, value == green],
        [(green - blue) / safe % 6, (blue - red) / safe + 2],
        (red - green) / safe + 4,
    )
    return hue / 6, spread / np.where(value, value, 1), value


def _grid(picture: Plane) -> Plane:
    cells = picture.reshape(_CELLS, picture.shape[0] // _CELLS, _CELLS, -1, 3).mean(axis=(1, 3))
    # Around mid-grey, so that dark and bright point in opposite directions.
    around: Plane = (cells - np.float32(0.5)).ravel()
    return around


def _edges(grey: Plane) -> Plane:
    down, right = np.gradient(grey)
    strength = (np.hypot(down, right) - _NOISE).clip(0)
    turn = np.arctan2(down, right) % np.pi / np.pi
    # Half a step on, so that upright edges lie within a kind, not between the first and the last.
    kind = (turn * _DIRECTIONS + 0.5).astype(int) % _DIRECTIONS
    row, column = np.indices(grey.shape) * _CELLS // grey.shape[0]
    cells = (row * _CELLS + column) * _DIRECTIONS + kind
    sums = np.bincount(cells.ravel(), strength.ravel(), _CELLS**2 * _DIRECTIONS)
    return np.sqrt(sums).astype(np.float32)
