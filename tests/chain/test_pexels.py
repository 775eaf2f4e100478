"""Runs whose video comes from Pexels, through real processes over the real wire."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from curation.states import RunState
from sandbox.ask import ask
from sandbox.world import World
from tests.support.chain import Chain
from tests.support.pexels import Pexels

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from curation.models import Run

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def pexels(open_world: World) -> Iterator[Pexels]:
    """The world's Pexels, without a fault left after a test."""
    pexels = Pexels(open_world.environment["PEXELS_API_URL"])
    yield pexels
    pexels.clear_faults()


def test_run__of_a_popular_video(chain: Chain, pexels: Pexels) -> None:
    """A video by chance goes the whole way; its file is fetched without the key."""
    code, run = chain.run("pexels:popular")

    assert (code, run.state, run.error) == (0, RunState.COMPLETED, None)
    assert run.video is not None
    fetched = pexels.calls("file")
    file = ask("GET", pexels.url + fetched[-1]["parameters"]["path"])
    assert run.video.sha256 == hashlib.sha256(file).hexdigest()
    assert run.video.source_url.startswith(f"{pexels.url}/video/")
    assert not any(call["parameters"]["has_key"] for call in fetched)
    assert run.selection.n_selected == 25
    assert chain.cloud.state == "stopped"
    assert_no_key(chain, run)


def test_run__of_a_search__waits_for_the_rate_limit(chain: Chain, pexels: Pexels) -> None:
    """A listing that is refused twice for now is asked for a third time, and the run goes on."""
    busy = {"kind": "error", "code": "429", "seconds": 1, "times": 2}
    pexels.add_faults({"operation": "v1/videos/search", **busy})

    code, run = chain.run("pexels:search?query=bikes")

    assert (code, run.state) == (0, RunState.COMPLETED)
    assert run.video is not None
    assert "/video/bikes-" in run.video.source_url
    assert run.steps.ingest_video.attempts == 3


def test_run__with_a_refused_key(chain: Chain, pexels: Pexels) -> None:
    """A key that Pexels does not take fails the run at once, by the name of its setting."""
    pexels.add_faults({"operation": "v1/videos/popular", "kind": "error", "code": "401"})

    code, run = chain.run("pexels:popular")

    assert (code, run.state) == (1, RunState.FAILED)
    assert run.error is not None
    assert (run.error.code, run.error.step) == ("pexels:denied", "ingest_video")
    assert "PEXELS_API_KEY" in run.error.message
    assert chain.cloud.state == "stopped"
    assert_no_key(chain, run)


def test_run__without_a_key() -> None:
    """A key that is missing is named, and Pexels is not even asked."""
    with World(settings={"PEXELS_API_KEY": " ", "INSTANCE_POLL_INTERVAL_S": "0.3"}) as world:
        code, run = Chain(world).run("pexels:popular")

        assert (code, run.state) == (1, RunState.FAILED)
        assert run.error is not None
        assert "PEXELS_API_KEY is not set" in run.error.message
        assert Pexels(world.environment["PEXELS_API_URL"]).calls() == []


def assert_no_key(chain: Chain, run: Run) -> None:
    """The key is in no file of the world, with the journal of Redis and all logs among them."""
    world = chain.world
    key = world.environment["PEXELS_API_KEY"].encode()
    # The door is the one file that has it, for whoever enters the sandbox.
    files = [path for path in world.data.rglob("*") if path.is_file() and path != world.door]
    contents = {path.relative_to(world.data): content_of(path) for path in files}
    assert [str(path) for path, content in contents.items() if key in content] == []
    telling = {
        path.parts[0] for path, content in contents.items() if run.run_id.encode() in content
    }
    assert {"valkey", "logs"} <= telling


def content_of(path: Path) -> bytes:
    """Returns a file's content; nothing if it is gone, as drafts soon are."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
