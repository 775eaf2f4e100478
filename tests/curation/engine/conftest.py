"""What the tests of the engine share: one converted network, and one video of known scenes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from curation.engine.cache import load_network
from tests.support.media import write_scenes

if TYPE_CHECKING:
    from pathlib import Path

# Scenes of very unequal length: 300 frames, of which a tenth is chosen.
LENGTHS = (4, 60, 9, 140, 3, 84)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder that has the network."""
    folder: Path = tmp_path_factory.mktemp("engine-cache")
    load_network(folder)
    return folder


@pytest.fixture(scope="session")
def network(cache_dir: Path) -> bytes:
    """The serialised network."""
    return load_network(cache_dir)


@pytest.fixture(scope="session")
def lengths() -> tuple[int, ...]:
    """Frames of each scene of `scenes`."""
    return LENGTHS


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of clearly different moving scenes, with B-frames."""
    path: Path = tmp_path_factory.mktemp("media") / "scenes.mp4"
    return write_scenes(path, LENGTHS, options={"bf": "3"})
