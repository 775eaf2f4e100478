from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from curation.adapters.compute.ssm import LEASE_COMMENT
from curation.steps import instance, watch
from curation.steps.verdict import LOOK_AGAIN
from tests.support.clock import Clock
from tests.support.cloud import slow
from tests.support.requests import new_run
from tests.support.steps import carry

if TYPE_CHECKING:
    from typing import Any

    from curation.ledger.ledger import Ledger
    from curation.steps.instance import Machine
    from tests.support.cloud import Cloud

TTL_S = 100  # of the fixture
START = 1_800_000_000  # of the clock


@pytest.fixture
def clock() -> Clock:
    """A clock that stands between two whole seconds."""
    return Clock(START + 0.25)


def tags(cloud: Cloud) -> dict[str, str]:
    """The tags that the instance bears."""
    return dict(cloud.instances()[cloud.instance_id]["tags"])


def leases_sent(cloud: Cloud) -> list[dict[str, Any]]:
    """Each call that sends the watchdog its lease."""
    return [c for c in cloud.calls("SendCommand") if c["parameters"]["Comment"] == LEASE_COMMENT]


def lease_sent_last(cloud: Cloud) -> str:
    """The command that wrote the lease last."""
    return str(leases_sent(cloud)[-1]["parameters"]["Parameters"]["commands"])


def test_start_instance__tags_first_and_tells_the_watchdog_before_the_launch(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """The tag is there before the start, the lease on the instance before anything runs there."""
    run_id = new_run(ledger)

    carry(lambda: instance.start_instance(ledger.runs.get(run_id), machine, now=clock.now))

    changing = ("CreateTags", "StartInstances", "SendCommand")
    calls = [call for call in cloud.calls() if call["operation"] in changing]
    comments = [call["parameters"].get("Comment", "") for call in calls]
    assert [call["operation"] for call in calls] == [
        *("CreateTags", "StartInstances", "SendCommand", "SendCommand")
    ]
    assert comments[2] == LEASE_COMMENT
    assert comments[3].startswith("Launch")
    assert tags(cloud) == {watch.LEASE_TAG: str(START + TTL_S + 1), watch.RUN_TAG: run_id}
    assert str(START + TTL_S + 1) in lease_sent_last(cloud)


def test_renewal__comes_at_a_third_of_the_lease_from_one_delivery(
    machine: Machine, clock: Clock, cloud: Cloud
) -> None:
    """However often and by how many is looked, both are written once in a third of the lease."""
    cloud.boot()
    for _ in range(3):
        watch.tag_lease("run-1", machine)
        watch.renew_on_instance("run-1", machine, boot=1.0)
    early = (len(cloud.calls("CreateTags")), len(leases_sent(cloud)))

    clock.forward(TTL_S / 3 + 0.1)
    for holder in ("run-1", "run-2"):
        watch.tag_lease(holder, machine)
        watch.renew_on_instance(holder, machine, boot=1.0)

    assert early == (1, 1)
    assert (len(cloud.calls("CreateTags")), len(leases_sent(cloud))) == (2, 2)
    assert tags(cloud)[watch.LEASE_TAG] == str(START + 134)
    assert str(START + 134) in lease_sent_last(cloud)


def test_renewal__is_sent_anew_to_another_boot(machine: Machine, cloud: Cloud) -> None:
    """The file was in memory: another boot has not heard of any lease."""
    cloud.boot()
    watch.renew_on_instance("run-1", machine, boot=1.0)
    watch.renew_on_instance("run-1", machine, boot=2.0)

    assert len(leases_sent(cloud)) == 2


def test_tag__is_written_whenever_the_instance_is_started(machine: Machine, cloud: Cloud) -> None:
    """A tag of the boot before, however fresh, is not enough."""
    watch.tag_lease("run-1", machine)
    watch.tag_lease("run-2", machine, at_once=True)

    assert tags(cloud)[watch.RUN_TAG] == "run-2"


def test_renewal__of_a_short_lease_leaves_time_to_renew_it(
    ledger: Ledger, clock: Clock, cloud: Cloud, machine: Machine
) -> None:
    """A lease of a part of a second is rounded up in the tag, and lasts for a few in the file."""
    short = type(ledger).over(ledger.store, retention_days=1, lease_ttl_s=0.3).leases
    machine = type(machine)(machine.instance_id, machine.instances, machine.shell, short)
    cloud.boot()

    watch.tag_lease("run-1", machine)
    watch.renew_on_instance("run-1", machine, boot=1.0)

    assert clock.now == START + 0.25
    assert tags(cloud)[watch.LEASE_TAG] == str(START + 1)
    assert str(START + 11) in lease_sent_last(cloud)


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("CreateTags", "UnauthorizedOperation"),
        ("CreateTags", "InvalidAction"),
        ("SendCommand", "AccessDeniedException"),
        ("SendCommand", "InvalidInstanceId"),
    ],
)
def test_failure__is_said_once_and_tried_again(
    operation: str, code: str, machine: Machine, cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be written costs a warning, never a run, and is tried again at the next look."""
    cloud.boot()
    cloud.add_faults({"operation": operation, "code": code, "times": 3})

    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            watch.tag_lease("run-1", machine)
            watch.renew_on_instance("run-1", machine, boot=1.0)

    asked = cloud.calls(operation)
    assert [call["code"] for call in asked] == [code] * 3 + ["ok"]
    (record,) = (one for one in caplog.records if one.name == "curation.steps.watch")
    assert code in record.getMessage()
    assert operation in record.getMessage()


@slow("boot_s")
def test_start_instance__starts_what_cannot_be_tagged(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """An instance whose tag is refused is started all the same."""
    cloud.add_faults({"operation": "CreateTags", "code": "UnauthorizedOperation", "times": None})
    run_id = new_run(ledger)

    verdict = instance.start_instance(ledger.runs.get(run_id), machine, now=clock.now)

    assert verdict is LOOK_AGAIN
    assert cloud.state == "pending"
