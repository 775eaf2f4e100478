"""Whatever dies or comes twice in the middle of a run, it ends as it should, with one effect."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from curation.states import RunState
from sandbox.world import World
from tests.support.clips import small_clip
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.chain import Chain

pytestmark = pytest.mark.timeout(600)

ONCE = ["StartInstances", "SendCommand", "StopInstances"]


@pytest.fixture(scope="module")
def open_world() -> Iterator[World]:
    """A world in which the messages of the dead come back within seconds."""
    settings = {
        "POLL_INTERVAL_S": "0.3",
        "INSTANCE_POLL_INTERVAL_S": "0.3",
        "REAP_INTERVAL_S": "1",
        "LEASE_TTL_S": "60",
        "VISIBILITY_TIMEOUT_S": "12",
    }
    with World(settings=settings) as world:
        yield world


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip of 200 small frames, which takes the engine a few seconds."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(small_clip(200))
    return path


def kill(chain: Chain, name: str) -> None:
    """Kills a process of the world, without a last word."""
    pid = chain.world.processes[name].pid
    assert pid
    os.kill(pid, signal.SIGKILL)


def selecting(chain: Chain, clip: Path) -> str:
    """A run that is in the middle of its selection."""
    run_id = chain.begin(clip)
    wait_until(lambda: chain.status(run_id).state is RunState.SELECTING or None, limit_s=90)
    return run_id


def assert_good_end(chain: Chain, run_id: str, before: int) -> None:
    """The run is completed, and start, launch and stop happened once."""
    (run,) = chain.ended(run_id)
    assert run.error is None
    assert run.state is RunState.COMPLETED
    assert run.selection.n_selected == 20
    assert chain.operations()[before:] == ONCE
    assert chain.cloud.state == "stopped"


def test_run__survives_the_death_of_the_celery_worker(chain: Chain, clip: Path) -> None:
    """SIGKILL of the whole control worker: its messages come back, and the run is completed."""
    before = len(chain.operations())
    run_id = selecting(chain, clip)

    kill(chain, "control")

    assert_good_end(chain, run_id, before)


def test_run__survives_the_death_of_pool_children(chain: Chain, clip: Path) -> None:
    """SIGKILL of both children of the control worker, again and again while the run begins."""
    before = len(chain.operations())
    run_id = chain.begin(clip)

    for _ in range(3):
        for child in psutil.Process(chain.world.processes["control"].pid).children():
            child.kill()
        wait_until(
            lambda: len(psutil.Process(chain.world.processes["control"].pid).children()) > 1 or None
        )

    assert_good_end(chain, run_id, before)


def test_run__survives_the_death_of_the_broker(chain: Chain, clip: Path) -> None:
    """SIGKILL of the broker, which keeps an append-only file: nothing is lost."""
    before = len(chain.operations())
    run_id = selecting(chain, clip)
    worker = chain.world.processes["control"]

    kill(chain, "valkey")
    wait_until(lambda: chain.world.processes["valkey"].restarts or None)

    assert_good_end(chain, run_id, before)
    # Celery's own worker has been seen to end, once, and to be started again by its supervisor.
    assert chain.world.processes["control"].restarts <= worker.restarts + 1


def test_run__every_message_sent_twice_has_one_effect(chain: Chain, clip: Path) -> None:
    """The whole canvas published a second time changes nothing: one start, launch and stop."""
    before = len(chain.operations())
    run_id = chain.begin(clip)

    again = f"from pipeline.canvas import build_run; build_run({run_id!r}).apply_async()"
    subprocess.run(
        [sys.executable, "-c", again], env=chain.world.environment, check=True, timeout=60
    )

    assert_good_end(chain, run_id, before)
    found = chain.s3.list_objects_v2(Bucket="lightly", Prefix=f"results/{run_id}/frames/")
    assert found["KeyCount"] == 20
