from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import boto3
import pytest

from curation.adapters.compute.ssm import LEASE_COMMENT
from curation.steps import instance
from curation.steps.reap_instance import (
    KEEP_TAG,
    MANAGED_TAG,
    reap_instance,
    report_strangers,
)
from curation.steps.verdict import LOOK_AGAIN, SUCCEEDED
from curation.steps.watch import LEASE_TAG, RUN_TAG
from tests.support.cloud import OTHER_INSTANCE_ID
from tests.support.requests import new_run
from tests.support.steps import carry
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger
    from curation.steps.instance import Machine
    from tests.support.clock import Clock
    from tests.support.cloud import Cloud

MARK_S = 10.0


def reap(machine: Machine, clock: Clock, *, boot_grace_s: float = 0.0) -> str:
    """One round."""
    return reap_instance(machine, now=clock.now, mark_s=MARK_S, boot_grace_s=boot_grace_s)


def start(machine: Machine, ledger: Ledger, clock: Clock) -> str:
    """A run that holds the running instance."""
    run_id = new_run(ledger, deadline_s=100_000)
    carry(lambda: instance.start_instance(ledger.runs.get(run_id), machine, now=clock.now))
    return run_id


def boot(clock: Clock, cloud: Cloud) -> float:
    """Starts the instance by hand, sets the clock to a moment later, and returns that time."""
    cloud.hand("start")
    cloud.wait_for("running")
    clock.now = time.time() + 1  # the stand-in's boots are in real time
    return clock.now


def tag(cloud: Cloud, tags: dict[str, str]) -> None:
    """Tags the instance, as a person would."""
    wanted = [{"Key": key, "Value": value} for key, value in tags.items()]
    boto3.client("ec2").create_tags(Resources=[cloud.instance_id], Tags=wanted)  # type: ignore[arg-type]  # plain dicts


def test_reap_instance__stops_in_two_phases(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """A run that died leaves a lease; when that is over the instance is marked, then stopped."""
    start(machine, ledger, clock)
    held = reap(machine, clock)
    clock.forward(101)  # the lease lives 100 s
    marked = reap(machine, clock)
    clock.forward(MARK_S)
    stopping = reap(machine, clock)
    carry(lambda: SUCCEEDED if cloud.state == "stopped" else LOOK_AGAIN)

    assert (held, marked, stopping) == ("held", "marked", "stopping")
    assert len(cloud.calls("StopInstances")) == 1
    assert reap(machine, clock) == "off"


def test_reap_instance__a_new_lease_takes_the_mark_away(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """What was marked and is held again is left alone, and must be marked anew."""
    start(machine, ledger, clock)
    clock.forward(101)
    assert reap(machine, clock) == "marked"
    clock.forward(MARK_S)
    start(machine, ledger, clock)

    assert reap(machine, clock) == "held"
    clock.forward(101)
    assert reap(machine, clock) == "marked"
    assert cloud.state == "running"


def test_reap_instance__leaves_what_was_started_by_hand_a_moment_ago(
    machine: Machine, clock: Clock, cloud: Cloud
) -> None:
    """People install things over SSH: a young instance that no run used is kept."""
    cloud.hand("start")
    carry(lambda: SUCCEEDED if cloud.state == "running" else LOOK_AGAIN)
    clock.now = time.time() + 100  # the stand-in's boots are in real time

    assert reap(machine, clock, boot_grace_s=1800) == "kept"
    clock.forward(1800)
    assert reap(machine, clock, boot_grace_s=1800) == "marked"
    clock.forward(MARK_S)
    assert reap(machine, clock, boot_grace_s=1800) == "stopping"


def test_reap_instance__honours_the_keep_tag(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """An instance that is tagged to be kept until a time is kept until then."""
    start(machine, ledger, clock)
    clock.forward(101)
    tag(cloud, {KEEP_TAG: str(clock.now + 500)})

    assert reap(machine, clock) == "kept"
    clock.forward(501)
    assert reap(machine, clock) == "marked"
    assert cloud.state == "running"


def test_reap_instance__believes_the_tag_when_the_ledger_knows_nothing(
    machine: Machine, clock: Clock, cloud: Cloud
) -> None:
    """A lease of this boot in the tag holds the instance; over, nobody does, without a grace."""
    now = boot(clock, cloud)
    tag(cloud, {LEASE_TAG: str(int(now) + 50), RUN_TAG: "run-1"})

    held = reap(machine, clock, boot_grace_s=1800)
    reported = report_strangers(machine, now=clock.now)
    clock.forward(51)
    marked = reap(machine, clock, boot_grace_s=1800)
    clock.forward(MARK_S)
    stopping = reap(machine, clock, boot_grace_s=1800)

    assert (held, marked, stopping) == ("held", "marked", "stopping")
    assert reported == []  # it does not bear the tag by which it would be found


def test_reap_instance__does_not_take_an_older_boots_tag_for_this_ones(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """Whoever starts the instance by hand has the grace, whatever the last runs left in the tag."""
    now = boot(clock, cloud)
    tag(cloud, {LEASE_TAG: str(int(now) - 1000), RUN_TAG: "run-1"})
    before_this_boot = reap(machine, clock, boot_grace_s=1800)
    tag(cloud, {LEASE_TAG: str(int(now) + 1), RUN_TAG: new_run(ledger)})
    clock.forward(5)

    assert before_this_boot == "kept"
    assert reap(machine, clock, boot_grace_s=1800) == "kept"


@pytest.mark.parametrize("text", ["tomorrow", "", "nan", "inf", "2027-01-15T08:00:00Z"])
def test_reap_instance__survives_tags_that_are_no_time(
    text: str, machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """People write tags; one that is no time says nothing, and the round goes on."""
    start(machine, ledger, clock)
    clock.forward(101)
    tag(cloud, {KEEP_TAG: text, LEASE_TAG: text})

    assert reap(machine, clock) == "marked"


def test_reap_instance__keeps_the_watchdog_from_people(
    machine: Machine, clock: Clock, cloud: Cloud
) -> None:
    """The lease on a kept instance is renewed, and on no other."""
    now = boot(clock, cloud)
    wait_until(lambda: cloud.instances()[cloud.instance_id]["agent_is_up"])
    tag(cloud, {KEEP_TAG: str(now + 500)})

    kept = reap(machine, clock)
    sent = [call["parameters"]["Comment"] for call in cloud.calls("SendCommand")]
    clock.forward(501)
    unheld = reap(machine, clock)

    assert (kept, unheld) == ("kept", "marked")
    assert sent == [LEASE_COMMENT]
    assert len(cloud.calls("SendCommand")) == 1


def test_report_strangers__names_unknown_runs_and_other_instances(
    machine: Machine, clock: Clock, cloud: Cloud
) -> None:
    """What runs with our tag, unknown to ledger or settings, is reported and not stopped."""
    now = boot(clock, cloud)
    other = replace(cloud, instance_id=OTHER_INSTANCE_ID)
    other.hand("start")
    other.wait_for("running")
    tag(cloud, {MANAGED_TAG: "true", LEASE_TAG: str(int(now) + 50), RUN_TAG: "run-1"})
    tag(other, {MANAGED_TAG: "true"})

    reported = report_strangers(machine, now=clock.now)
    clock.forward(51)

    assert sorted(reported) == [f"foreign {OTHER_INSTANCE_ID}", "unknown run-1"]
    assert report_strangers(machine, now=clock.now) == [f"foreign {OTHER_INSTANCE_ID}"]
    assert cloud.calls("StopInstances") == []


def test_report_strangers__can_do_without_the_list(machine: Machine, cloud: Cloud) -> None:
    """An account in which instances may not be listed by tag is none the worse for it."""
    cloud.add_faults({"operation": "DescribeInstances", "code": "UnauthorizedOperation"})

    assert report_strangers(machine, now=0.0) == []
