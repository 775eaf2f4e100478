from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from curation.ledger.leases import Lease, Release
from curation.models import Request
from curation.states import Backend, InstanceState, Outcome
from curation.steps.watch import LEASE_TAG
from tests.support.cli import new_run
from tests.support.cloud import INSTANCE_ID, OTHER_INSTANCE_ID

if TYPE_CHECKING:
    from redis import Redis

    from curation.ledger.ledger import Ledger
    from tests.support.cli import Curate
    from tests.support.cloud import Cloud


@pytest.fixture
def instance_id(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> str:
    """The instance that the settings name."""
    assert ledger
    monkeypatch.setenv("EC2_INSTANCE_ID", INSTANCE_ID)
    monkeypatch.setenv("EC2_REGION", "us-east-1")
    return INSTANCE_ID


def leases_of(curate: Curate) -> list[dict[str, Any]]:
    """The leases as programs see them."""
    items: list[dict[str, Any]] = json.loads(curate("leases", "--json").stdout)["items"]
    return items


@pytest.mark.usefixtures("cloud")
def test_leases__names_holder_age_and_end(ledger: Ledger, curate: Curate, instance_id: str) -> None:
    """Each lease is one item: which run holds which instance, since when, and until when."""
    run_id = new_run(ledger)
    ledger.leases.acquire(run_id, instance_id)
    (first,) = leases_of(curate)
    ledger.leases.acquire(run_id, instance_id)  # as each look of the step does
    (second,) = leases_of(curate)
    ledger.leases.renew(run_id, instance_id)
    (item,) = leases_of(curate)

    times = [item.pop(name) for name in ("granted_at", "renewed_at", "ends_at")]
    assert times == sorted(times)
    assert all(time.endswith("Z") for time in times)
    assert first["granted_at"] == second["granted_at"] == times[0]
    assert first["renewed_at"] < second["renewed_at"] < times[1]
    assert 0 < item.pop("age_s") < 60
    assert item == {
        "instance_id": instance_id,
        "instance_state": "stopped",
        "run_id": run_id,
        "tagged_until": None,
    }
    assert run_id in curate("leases").stdout


def test_leases__says_what_the_instance_says(
    ledger: Ledger, curate: Curate, instance_id: str, cloud: Cloud
) -> None:
    """The end of the lease in the instance's own tag stands beside the ledger's."""
    ledger.leases.acquire(new_run(ledger), instance_id)
    boto3.client("ec2").create_tags(
        Resources=[cloud.instance_id], Tags=[{"Key": LEASE_TAG, "Value": "1795340000"}]
    )

    (item,) = leases_of(curate)

    assert item["tagged_until"] == "2026-11-22T09:33:20.000Z"


def test_leases__ec2_is_away(
    ledger: Ledger, curate: Curate, instance_id: str, cloud: Cloud
) -> None:
    """Without EC2 there are the leases, with the state that was last seen and a warning."""
    ledger.leases.acquire(new_run(ledger), instance_id)
    ledger.leases.observe(instance_id, InstanceState.RUNNING)
    cloud.add_faults({"operation": "DescribeInstances", "code": "UnauthorizedOperation"})

    result = curate("leases", "--json")

    (item,) = json.loads(result.stdout)["items"]
    assert (result.exit_code, item["instance_state"]) == (0, "running")
    assert "Warning: The state is the last one seen" in result.stderr


@pytest.mark.usefixtures("cloud")
def test_leases__finds_an_instance_that_is_no_longer_configured(
    ledger: Ledger, curate: Curate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run keeps its instance when EC2_INSTANCE_ID changes, and its lease stays visible."""
    monkeypatch.setenv("EC2_REGION", "us-east-1")
    run_id = new_run(ledger)
    ledger.leases.acquire(run_id, OTHER_INSTANCE_ID)

    (item,) = leases_of(curate)

    assert (item["instance_id"], item["run_id"]) == (OTHER_INSTANCE_ID, run_id)


@pytest.mark.usefixtures("cloud")
def test_leases__release_takes_the_lease_away(
    ledger: Ledger, curate: Curate, instance_id: str, redis_client: Redis
) -> None:
    """The run fails as `lease:lost`, gets no other lease, and its release is sent."""
    run_id, other = new_run(ledger), new_run(ledger)
    for holder in (run_id, other):
        ledger.leases.acquire(holder, instance_id)
    done = {f"{step}.state": "succeeded" for step in ("ingest_video", "start_instance")}
    ledger.runs.update(run_id, **done)

    result = curate("leases", "--release", run_id, "--yes", "--json")

    assert [item["run_id"] for item in json.loads(result.stdout)["items"]] == [other]
    run = ledger.runs.get(run_id)
    assert run.outcome is Outcome.FAILED
    assert run.error is not None
    assert run.error.code == "lease:lost"
    assert ledger.leases.acquire(run_id, instance_id) is Lease.ENDED
    assert redis_client.llen("compute") == 1
    assert f"Run {run_id} holds no lease any more" in result.stderr
    assert ledger.leases.release(other, instance_id) is Release.STOP


def test_leases__release_asks_first(ledger: Ledger, curate: Curate, instance_id: str) -> None:
    """Without a yes nothing happens."""
    run_id = new_run(ledger)
    ledger.leases.acquire(run_id, instance_id)

    result = curate("leases", "--release", run_id)

    assert result.exit_code == 1
    assert list(ledger.leases.holders(instance_id)) == [run_id]
    assert ledger.runs.get(run_id).outcome is None


@pytest.mark.usefixtures("instance_id")
def test_leases__release_of_what_holds_none_is_2(ledger: Ledger, curate: Curate) -> None:
    """A run without a lease, and a run that is not known, are the caller's mistake."""
    idle = curate("leases", "--release", new_run(ledger), "--yes")
    unknown = curate("leases", "--release", "20261122-093015-5f0c2d81ab", "--yes")

    assert (idle.exit_code, unknown.exit_code) == (2, 2)
    assert "holds no lease. `curate leases` shows" in idle.stderr


@pytest.mark.usefixtures("instance_id")
def test_leases__none_is_said_in_words(curate: Curate) -> None:
    """No lease is an empty list for programs and a sentence for people."""
    assert json.loads(curate("leases", "--json").stdout) == {"schema": 1, "items": []}
    assert "No run holds an instance." in curate("leases").stderr


@pytest.mark.usefixtures("cloud", "instance_id")
def test_reap__says_what_it_found_and_did(ledger: Ledger, curate: Curate) -> None:
    """A round fails the overdue run, looks at the instance, and tells about both."""
    request = Request(source="/clip.mp4", proportion_samples=0.1, selection_backend=Backend.ENGINE)
    run_id, _ = ledger.runs.create(request, deadline_s=0.001)

    result = curate("reap", "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["items"] == [
        {"done": "overdue", "run_id": run_id, "instance_id": None},
        {"done": "off", "run_id": None, "instance_id": INSTANCE_ID},
    ]
    assert f"Run {run_id}: its time is over, it fails." in result.stderr
    assert ledger.runs.get(run_id).outcome is Outcome.FAILED


@pytest.mark.usefixtures("instance_id")
def test_reap__marks_before_it_stops(cloud: Cloud, curate: Curate, ledger: Ledger) -> None:
    """An instance that a run used and nobody holds is only marked in the first round."""
    run_id = new_run(ledger)
    ledger.leases.acquire(run_id, INSTANCE_ID)
    ledger.leases.confirm_stopped(run_id, INSTANCE_ID)
    cloud.boot()
    ledger.store.remove_member(f"curation:leases:{INSTANCE_ID}", run_id)

    result = curate("reap")

    assert (result.exit_code, cloud.state) == (0, "running")
    assert "A later round will stop it." in result.stderr


@pytest.mark.usefixtures("instance_id")
def test_reap__ec2_refuses_is_1(cloud: Cloud, curate: Curate) -> None:
    """What EC2 refuses is said in one paragraph, and is a failure."""
    cloud.add_faults({"operation": "DescribeInstances", "code": "UnauthorizedOperation"})

    result = curate("reap")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert "ec2:DescribeInstances" in result.stderr


@pytest.mark.usefixtures("ledger")
def test_reap__without_an_instance(curate: Curate) -> None:
    """Where this machine does the work there is no instance to look at."""
    assert "No instance is configured (EC2_INSTANCE_ID)." in curate("reap").stderr
