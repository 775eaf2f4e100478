"""Whatever else is dead, the instance stops by itself; and never under a run that is alive."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from curation.adapters.compute.ssm import LEASE_COMMENT
from curation.states import RunState
from curation.steps.watch import LEASE_TAG, LEAST_S, RUN_TAG
from sandbox.cast import CONTROL_QUEUES
from sandbox.world import World
from tests.support.clips import small_clip
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.chain import Chain

pytestmark = pytest.mark.timeout(600)

# Renewed at a third of it, which a slow machine must manage too.
TTL_S = 9.0
# The sandbox's watchdog looks once a second; the rest is a slow machine's.
SLACK_S = 20.0


@pytest.fixture(scope="module")
def open_world() -> Iterator[World]:
    """A world with short leases, without anybody who stops what nobody holds."""
    settings = {
        "POLL_INTERVAL_S": "0.3",
        "INSTANCE_POLL_INTERVAL_S": "0.3",
        "LEASE_TTL_S": str(TTL_S),
        "SANDBOX_WATCHDOG_PERIOD_S": "1",
    }
    with World(celery=False, settings=settings) as world:
        yield world


@pytest.fixture
def control(open_world: World) -> Iterator[subprocess.Popen[bytes]]:
    """The whole control plane: one Celery worker, which nobody starts again."""
    command = [sys.executable, "-m", "celery", "-A", "pipeline", "worker", "-Q", CONTROL_QUEUES]
    with (open_world.data / "control.log").open("ab") as log:
        worker = subprocess.Popen(
            [*command, "-c", "2", "-l", "INFO", "--without-mingle", "--without-gossip"],
            env=open_world.environment,
            cwd=open_world.data,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    yield worker
    kill(worker)


def kill(worker: subprocess.Popen[bytes]) -> None:
    """Kills the Celery worker and its pool, for good and without a last word."""
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


def selecting(chain: Chain, folder: Path) -> str:
    """A run whose selection is scheduled, with its engine on the instance."""
    clip = folder / "clip.mp4"
    clip.write_bytes(small_clip(200))
    run_id = chain.begin(clip)
    wait_until(lambda: chain.status(run_id).selection.scheduled_run_id, limit_s=90)
    wait_until(lambda: engine(chain))
    return run_id


def engine(chain: Chain) -> list[psutil.Process]:
    """The processes of the engine on the instance."""
    hostname = f"engine@{chain.cloud.instance_id}"
    # A process that has just ended has no command line.
    lines = ((one, one.info["cmdline"] or []) for one in psutil.process_iter(["cmdline"]))
    return [one for one, line in lines if hostname in line]


def freeze(processes: list[psutil.Process], seconds: float) -> None:
    """Lets processes stand still for a while, as if their work took longer."""
    for process in processes:
        process.suspend()
    time.sleep(seconds)
    for process in processes:
        process.resume()


@pytest.mark.usefixtures("control")
def test_watchdog__leaves_a_live_run_alone(chain: Chain, tmp_path: Path) -> None:
    """A run that takes far longer than its lease keeps the instance, because it renews it."""
    run_id = selecting(chain, tmp_path)
    processes = engine(chain)

    freeze(processes, LEAST_S + TTL_S)

    assert len(processes) > 0
    assert chain.cloud.state == "running"
    (run,) = chain.ended(run_id)
    assert (run.state, run.error) == (RunState.COMPLETED, None)
    assert chain.operations() == ["StartInstances", "SendCommand", "StopInstances"]
    renewals = [
        call
        for call in chain.cloud.calls("SendCommand")
        if call["parameters"]["Comment"] == LEASE_COMMENT
    ]
    assert len(renewals) > 1
    assert chain.cloud.calls("power-off") == []


def test_watchdog__stops_what_nobody_is_left_to_stop(
    chain: Chain, control: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """SIGKILL of the whole control plane, for good: the instance powers itself off in time."""
    before = chain.operations()
    run_id = selecting(chain, tmp_path)
    tags = chain.cloud.instances()[chain.cloud.instance_id]["tags"]

    kill(control)
    killed_at = time.time()

    wait_until(lambda: chain.cloud.state == "stopped" or None, limit_s=90)
    _, ended_at = chain.cloud.billing()["spans"][-1]
    assert ended_at - killed_at < LEAST_S + SLACK_S
    assert len(chain.cloud.calls("power-off")) == 1
    assert chain.operations()[len(before) :] == ["StartInstances", "SendCommand"]
    assert tags[RUN_TAG] == run_id
    assert float(tags[LEASE_TAG]) <= killed_at + TTL_S + 1
