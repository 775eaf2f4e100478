from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from curation.models import Request
from curation.states import Backend, InstanceState, Outcome
from tests.support.cli import end, new_run
from tests.support.cloud import INSTANCE_ID

if TYPE_CHECKING:
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


def test_leases__names_holder_and_end(ledger: Ledger, curate: Curate, instance_id: str) -> None:
    """Each lease is one item: which run holds which instance, how that is, and until when."""
    run_id = new_run(ledger)
    ledger.leases.acquire(run_id, instance_id)
    ledger.leases.observe(instance_id, InstanceState.RUNNING)

    printed = json.loads(curate("leases", "--json").stdout)

    (item,) = printed["items"]
    assert printed["schema"] == 1
    assert item.pop("ends_at").endswith("Z")
    assert item == {"instance_id": instance_id, "instance_state": "running", "run_id": run_id}
    assert run_id in curate("leases").stdout


def test_leases__finds_an_instance_that_is_no_longer_configured(
    ledger: Ledger, curate: Curate
) -> None:
    """A run keeps its instance when EC2_INSTANCE_ID changes, and its lease stays visible."""
    run_id = new_run(ledger)
    ledger.leases.acquire(run_id, "i-00000000000000001")

    (item,) = json.loads(curate("leases", "--json").stdout)["items"]

    assert (item["instance_id"], item["run_id"]) == ("i-00000000000000001", run_id)


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
    assert f"Run {run_id} is overdue." in result.stderr
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


def test_cost__one_item_a_run(ledger: Ledger, curate: Curate) -> None:
    """Each run is one item with what it used and what came of it; unknown is null."""
    first = new_run(ledger)
    ledger.runs.update(first, instance_seconds=12.5)
    end(ledger, first, Outcome.COMPLETED)
    second = new_run(ledger)

    result = curate("cost", "--json")

    items = {item.pop("run_id"): item for item in json.loads(result.stdout)["items"]}
    assert all(item.pop("created_at").endswith("Z") for item in items.values())
    assert items == {
        first: {"state": "completed", "instance_seconds": 12.5, "n_selected": 25},
        second: {"state": "pending", "instance_seconds": None, "n_selected": None},
    }
    assert "In all: 12.5 s of the instance." in result.stderr


def test_cost__limit_takes_the_newest(ledger: Ledger, curate: Curate) -> None:
    """With a limit, only so many runs are counted."""
    for _ in range(3):
        new_run(ledger)

    assert len(json.loads(curate("cost", "--limit", "2", "--json").stdout)["items"]) == 2
