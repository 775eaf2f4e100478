"""Backfills and messages through real processes, asked for as a person would."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from curation.states import RunState
from sandbox.world import World
from tests.support.chain import Chain
from tests.support.inbox import inbox_server
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.inbox import Inbox

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """Where messages go."""
    with inbox_server() as server:
        yield server


@pytest.fixture
def chain(inbox: Inbox) -> Iterator[Chain]:
    """A world that tells about every end of a run."""
    settings = {
        "POLL_INTERVAL_S": "0.3",
        "INSTANCE_POLL_INTERVAL_S": "0.3",
        "REAP_INTERVAL_S": "2",
        "NOTIFY_URLS": inbox.webhook,
        "NOTIFY_ON": "completed,failed",
        "NOTIFY_EVERY_S": "0.001",
    }
    with World(settings=settings) as world:
        yield Chain(world)


def test_run_each__curates_a_folder_and_tells(
    chain: Chain, inbox: Inbox, clip: Path, tmp_path: Path
) -> None:
    """Each video of a folder gets one run, also when asked twice; each end is told once."""
    shutil.copy(clip, tmp_path / "good.mp4")
    (tmp_path / "bad.mp4").write_bytes(b"no video")

    first = chain.curate("run", str(tmp_path), "--each", "--wait", "--json")
    again = chain.curate("run", str(tmp_path), "--each", "--wait", "--json")

    runs = {item["request"]["source"]: item for item in json.loads(first.stdout)["items"]}
    good, bad = (runs[(tmp_path / name).as_uri()] for name in ("good.mp4", "bad.mp4"))
    assert (first.returncode, again.returncode) == (1, 1)
    assert (good["state"], bad["state"]) == (RunState.COMPLETED, RunState.FAILED)
    assert json.loads(again.stdout) == json.loads(first.stdout)
    wait_until(lambda: len(inbox.received) == 2)
    titles = {message["title"] for _, message in inbox.received}
    assert titles == {
        f"Run {good['name']} is completed",
        f"Run {bad['name']} failed: {bad['error']['code']}",
    }
