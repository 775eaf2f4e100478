"""A world with all of the pipeline's processes, and a file server whose videos it may fetch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.world import World
from tests.support.chain import Chain
from tests.support.file_server import file_server
from tests.support.media import shipped_clip

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.file_server import FileServer


@pytest.fixture(scope="session")
def clip() -> Path:
    """A real clip of 250 frames."""
    return shipped_clip("bikes.mp4")


@pytest.fixture(scope="module")
def files() -> Iterator[FileServer]:
    """A file server that runs may fetch from."""
    with file_server() as server:
        yield server


@pytest.fixture(scope="module")
def open_world() -> Iterator[World]:
    """A world in which everything goes fast."""
    settings = {
        # The file server, and the sandbox's own Pexels.
        "ALLOWED_VIDEO_HOSTS": "127.0.0.1",
        "MAX_VIDEO_BYTES": str(20 * 1024**2),
        "POLL_INTERVAL_S": "0.3",
        "INSTANCE_POLL_INTERVAL_S": "0.3",
        "REAP_INTERVAL_S": "2",
        "LEASE_TTL_S": "60",
    }
    with World(settings=settings) as world:
        yield world


@pytest.fixture
def chain(open_world: World) -> Iterator[Chain]:
    """The world, with the instance stopped before and no fault left after a test."""
    chain = Chain(open_world)
    assert chain.cloud.state == "stopped"
    yield chain
    chain.cloud.clear_faults()
