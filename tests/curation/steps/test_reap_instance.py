from __future__ import annotations

import time
from typing import TYPE_CHECKING

import boto3

from curation.steps import instance
from curation.steps.reap_instance import KEEP_TAG, reap_instance
from curation.steps.verdict import LOOK_AGAIN, SUCCEEDED
from tests.support.requests import new_run
from tests.support.steps import carry

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
    boto3.client("ec2").create_tags(
        Resources=[cloud.instance_id], Tags=[{"Key": KEEP_TAG, "Value": str(clock.now + 500)}]
    )

    assert reap(machine, clock) == "kept"
    clock.forward(501)
    assert reap(machine, clock) == "marked"
    assert cloud.state == "running"
