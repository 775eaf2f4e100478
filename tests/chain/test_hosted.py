"""Runs on hosted Lightly: the real client against a stand-in, all else as in `test_ends.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from curation.states import Backend, RunState
from sandbox.lightly.control import Control
from sandbox.world import World
from tests.support.clips import small_clip
from tests.support.waiting import wait_until
from tests.support.worlds import redis_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.chain import Chain

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def open_world() -> Iterator[World]:
    """A world in which Lightly selects."""
    settings = {
        "POLL_INTERVAL_S": "0.3",
        "INSTANCE_POLL_INTERVAL_S": "0.3",
        "REAP_INTERVAL_S": "2",
        "LEASE_TTL_S": "60",
    }
    with World(hosted=True, settings=settings) as world:
        yield world


@pytest.fixture
def lightly(open_world: World) -> Iterator[Control]:
    """The stand-in of Lightly, as it was before when the test is over."""
    control = Control(url=open_world.environment["LIGHTLY_SERVER_LOCATION"])
    yield control
    control.faults()
    control.hand("plan", {"takes": True, "ends": "COMPLETED", "message": ""})


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip of 50 frames."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(small_clip(50))
    return path


def schedules(lightly: Control, since: int) -> list[dict[str, Any]]:
    """All schedule calls that had an effect."""
    calls = lightly.calls("create_docker_run_scheduled_by_dataset_id")[since:]
    return [call for call in calls if call["acted"]]


def test_run__completed(chain: Chain, lightly: Control, clip: Path) -> None:
    """A good run is scheduled once, its names are exported and counted, the instance stopped."""
    before, scheduled = len(chain.operations()), len(schedules(lightly, 0))

    code, run = chain.run(clip)

    assert (code, run.state, run.error) == (0, RunState.COMPLETED, None)
    assert run.selection.backend is Backend.LIGHTLY
    assert run.selection.n_selected == 5
    assert len(schedules(lightly, 0)) == scheduled + 1
    assert chain.operations()[before:] == ["StartInstances", "SendCommand", "StopInstances"]
    key = f"results/{run.run_id}/selected.txt"
    names = chain.s3.get_object(Bucket="lightly", Key=key)["Body"].read().decode().split()
    assert len(names) == 5
    assert chain.cloud.state == "stopped"


@pytest.mark.parametrize("end", ["FAILED", "CRASHED", "ABORTED"])
def test_run__lightly_ends_badly(chain: Chain, lightly: Control, clip: Path, end: str) -> None:
    """A selection run that ends badly fails the run with Lightly's own message."""
    lightly.hand("plan", {"ends": end, "message": "all frames are corrupt"})

    code, run = chain.run(clip)

    assert (code, run.state) == (1, RunState.FAILED)
    assert run.error is not None
    assert run.error.code == f"lightly:run:{end.lower()}"
    assert "all frames are corrupt" in run.error.message
    assert chain.cloud.state == "stopped"


def test_run__nobody_takes_it(chain: Chain, lightly: Control, clip: Path) -> None:
    """A selection run that no worker takes fails at the deadline, says so, and is canceled."""
    lightly.hand("plan", {"takes": False})

    code, run = chain.run(clip, RUN_DEADLINE_S="15")

    assert code == 1
    assert run.error is not None
    assert run.error.code == "run:deadline"
    assert "No Lightly Worker" in run.error.message
    canceled = lightly.calls("cancel_scheduled_docker_run_state_by_id")
    assert [call["acted"] for call in canceled[-1:]] == [True]
    assert chain.cloud.state == "stopped"


def test_run__lost_answer_of_the_schedule(chain: Chain, lightly: Control, clip: Path) -> None:
    """When the answer to the schedule is lost, the run is found again, not scheduled twice."""
    scheduled = len(schedules(lightly, 0))
    lightly.faults(
        {
            "operation": "create_docker_run_scheduled_by_dataset_id",
            "kind": "cut-after",
            "times": 1,
        }
    )

    code, run = chain.run(clip)

    assert (code, run.state) == (0, RunState.COMPLETED)
    assert len(schedules(lightly, 0)) == scheduled + 1


def test_run__refused_token_names_the_setting(chain: Chain, lightly: Control, clip: Path) -> None:
    """A token that Lightly refuses for good is an error that names LIGHTLY_TOKEN."""
    lightly.faults({"operation": "*", "kind": "error", "code": "401", "times": 10_000})

    code, run = chain.run(clip)

    assert code == 1
    assert run.error is not None
    assert "LIGHTLY_TOKEN" in run.error.message
    assert chain.cloud.state == "stopped"


def test_run__canceled(chain: Chain, lightly: Control, clip: Path) -> None:
    """A canceled run cancels its selection run at Lightly, and stops the instance."""
    lightly.hand("plan", {"takes": False})
    run_id = chain.begin(clip)
    wait_until(lambda: chain.status(run_id).selection.scheduled_run_id, limit_s=60)

    chain.curate("cancel", run_id)

    (run,) = chain.ended(run_id)
    assert run.state is RunState.CANCELED
    assert lightly.calls("cancel_scheduled_docker_run_state_by_id")[-1]["acted"]
    assert chain.cloud.state == "stopped"


def test_token__is_nowhere_but_in_the_request(chain: Chain, open_world: World) -> None:
    """After all these runs, good and bad, no log and no key of Redis has a secret in it."""
    world = open_world.environment
    secrets = [world["LIGHTLY_TOKEN"], world["AWS_SECRET_ACCESS_KEY"], world["PEXELS_API_KEY"]]
    logs = "".join(path.read_text() for path in (open_world.data / "logs").iterdir())
    redis = redis_of(open_world)
    stored = b"".join(redis.dump(key) or b"" for key in redis.scan_iter())

    assert chain.cloud.state == "stopped"
    assert [secret for secret in secrets if secret in logs] == []
    assert [secret for secret in secrets if secret.encode() in stored] == []
