"""The setting's name opens an embedder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from curation.engine.cache import GRAPH_VERSION
from curation.engine.decode import open_video
from curation.engine.embedders.catalog import LITE0_SIZE, open_embedder
from curation.engine.network import N_EMBEDDING, SIZE
from curation.errors import OperatorError
from tests.support.media import shipped_clip

if TYPE_CHECKING:
    from pathlib import Path


def test_open_embedder__lite0(cache_dir: Path) -> None:
    """The default is the network at its size; both are part of its identity."""
    embedder = open_embedder("lite0", device="cpu", cache_dir=cache_dir)

    assert embedder.identity == f"lite0@{LITE0_SIZE}/{GRAPH_VERSION}"
    assert (embedder.size, embedder.n_features) == (SIZE, N_EMBEDDING)


@pytest.mark.parametrize("name", ["lite0", "features"])
def test_open_embedder__near_for_neighbours_far_for_strangers(name: str, cache_dir: Path) -> None:
    """Whatever embeds: two frames of one shot are nearer than two of different shots."""
    embedder = open_embedder(name, device="cpu", cache_dir=cache_dir)
    with (
        shipped_clip("bikes.mp4").open("rb") as file,
        open_video(file, name="bikes.mp4") as video,
    ):
        cars, same_cars, bicycle = (
            embedder.embed(video.pixels(frame, size=embedder.size))
            for frame in video.frames()
            if frame.number in (50, 51, 225)
        )

    assert np.linalg.norm(cars - bicycle) > 1.5 * np.linalg.norm(cars - same_cars)


def test_open_embedder__path(tmp_path: Path) -> None:
    """A path is a model file, whose absence is named."""
    with pytest.raises(OperatorError, match=r"mine\.onnx.*No such file"):
        open_embedder(str(tmp_path / "mine.onnx"), device="cpu", cache_dir=None)


def test_open_embedder__unknown() -> None:
    """Any other name is refused with the ones that exist."""
    with pytest.raises(OperatorError, match=r"'lite1'\. Expected lite0, features or the path"):
        open_embedder("lite1", device="cpu", cache_dir=None)
