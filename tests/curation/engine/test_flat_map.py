from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from curation.engine.flat_map import lay_out

if TYPE_CHECKING:
    from numpy.typing import NDArray


def test_lay_out__keeps_groups_apart() -> None:
    """Frames of a kind lie together, and further from the others than from each other."""
    dice = np.random.default_rng(0)
    kinds = np.repeat(np.eye(64)[:3], 500, axis=0) + dice.normal(scale=0.02, size=(1500, 64))

    xy = lay_out(kinds.astype(np.float16)).reshape(3, 500, 2)

    centres = xy.mean(axis=1)
    spread = np.linalg.norm(xy - centres[:, np.newaxis], axis=2).max()
    assert np.abs(xy).max() == pytest.approx(1)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.linalg.norm(centres[one] - centres[other]) > 3 * spread


@pytest.mark.parametrize("rows", [np.zeros((0, 8)), np.zeros((5, 8)), np.eye(8)[:1], np.eye(8)[:2]])
def test_lay_out__bears_what_has_no_extent(rows: NDArray[np.float64]) -> None:
    """No frame, one frame and equal frames have a place, too."""
    xy = lay_out(rows.astype(np.float16))

    assert xy.shape == (len(rows), 2)
    assert np.isfinite(xy).all()
