"""A long video in the whole chain: an engine worker dies in its middle, and the run goes on."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import psutil
import pytest

from curation.ledger import keys
from curation.ledger.engine import EngineLedger, EngineTask
from curation.ledger.store import Store
from curation.states import RunState
from curation.wiring import ENGINE_SILENT_S
from sandbox.world import World
from tests.support.media import write_scenes
from tests.support.waiting import wait_until
from tests.support.worlds import family, redis_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.chain import Chain

pytestmark = pytest.mark.timeout(600)

N_SEGMENTS = 5


@pytest.fixture(scope="module")
def open_world() -> Iterator[World]:
    """A world in which everything goes fast, embeddings too."""
    settings = {
        "POLL_INTERVAL_S": "0.3",
        "INSTANCE_POLL_INTERVAL_S": "0.3",
        "REAP_INTERVAL_S": "1",
        "ENGINE_EMBEDDER": "features",
    }
    with World(settings=settings) as world:
        yield world


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of 520 small frames and 104 seconds."""
    return write_scenes(tmp_path / "clip.mp4", [60, 200, 9, 220, 31], fps=5, options={"g": "25"})


def task_of(chain: Chain, run_id: str) -> EngineTask | None:
    """What the ledger knows of the run's engine task."""
    store = Store.connect(chain.world.environment["REDIS_URL"])
    return EngineLedger(store).get(run_id)


def kill_engine(chain: Chain) -> None:
    """Kills the engine's Celery worker on the instance and its pool; it is started again."""
    found = [process for process in family(chain.world) if "engine@" in " ".join(cmdline(process))]
    assert found
    for process in found:
        os.kill(process.pid, signal.SIGKILL)


def cmdline(process: psutil.Process) -> list[str]:
    """The command of a process, if it is still there."""
    try:
        return process.cmdline() if process.name().startswith("python") else []
    except psutil.Error:
        return []


def test_run__goes_on_where_its_engine_worker_died(chain: Chain, clip: Path) -> None:
    """SIGKILL in the middle: the run is completed, and no segment that was done is done again."""
    run_id = chain.begin(clip)

    def is_in_the_middle() -> int | None:
        task = task_of(chain, run_id)
        return task.segments_done if task and task.segments_done >= 2 else None

    done = wait_until(is_in_the_middle, limit_s=90)
    kill_engine(chain)
    # As if the silence had lasted long enough.
    late = Store.connect(chain.world.environment["REDIS_URL"]).now() - ENGINE_SILENT_S - 1
    with redis_of(chain.world) as client:
        client.delete("engine")  # the messages that the dead one would have taken next
        client.hset(keys.engine_key(run_id), mapping={"beat_at": late, "sent_at": late - 1})

    (run,) = chain.ended(run_id)
    assert run.error is None
    assert run.state is RunState.COMPLETED
    assert (run.selection.n_frames, run.selection.n_selected) == (520, 52)
    assert done < N_SEGMENTS
    assert sorted(embedded(chain)) == list(range(N_SEGMENTS))
    progress = run.selection.progress
    assert progress is not None
    assert (progress.frames_done, progress.frames_total) == (520, 520)
    assert work_files(chain, run_id) == []


def embedded(chain: Chain) -> list[int]:
    """The segments that engine workers have embedded, as their logs have them."""
    logs = "".join(path.read_text() for path in chain.world.data.rglob("*.log"))
    return [int(number) for number in re.findall(r"Segment embedded .*segment=(\d+)", logs)]


def work_files(chain: Chain, run_id: str) -> list[str]:
    """The keys of the run's work files."""
    found = chain.s3.list_objects_v2(Bucket="lightly", Prefix=f"results/{run_id}/segments/")
    return [item["Key"] for item in found.get("Contents", [])]
