from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from curation.steps.verdict import LOOK_AGAIN, SUCCEEDED
from tests.support.requests import new_run
from tests.support.starts import launches, operations, start
from tests.support.steps import carry
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from curation.ledger.ledger import Ledger
    from curation.ports import Shell
    from curation.steps.instance import Machine
    from tests.support.clock import Clock
    from tests.support.cloud import Cloud


class BrokenOffError(Exception):
    """What Celery's time limit raises: no error of ours."""


class BrokenOffShell:
    """Sends the launch, and is broken off before the answer."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    def __getattr__(self, name: str) -> object:
        return getattr(self._shell, name)

    def launch(self, instance_id: str, *, boot: float) -> str:
        """Sends it."""
        self._shell.launch(instance_id, boot=boot)
        raise BrokenOffError


def test_start_instance__launch_that_a_time_limit_breaks_off_is_found_at_once(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud, launched: Path
) -> None:
    """A time limit raises in the middle of the call; nobody waits until the claim on it is over."""
    broken_off = cast("Shell", BrokenOffShell(machine.shell))
    run_id = new_run(ledger)
    with pytest.raises(BrokenOffError):
        start(run_id, replace(machine, shell=broken_off), ledger, clock)
    # SSM lists a command only a moment after it has taken it.
    boot = machine.look().launched_at
    wait_until(lambda: machine.shell.find_launch(cloud.instance_id, boot=boot), limit_s=30)

    start(run_id, machine, ledger, clock)

    assert operations(cloud).count("SendCommand") == 1
    assert launches(launched) == "launched\n"


@pytest.mark.parametrize("died", ["before", "after"])
def test_start_instance__goes_on_at_once_after_a_death_in_the_start(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud, died: str
) -> None:
    """A delivery that was killed around StartInstances holds its run up by no time of its own."""
    run_id = new_run(ledger)
    ledger.leases.acquire(run_id, cloud.instance_id)
    ledger.leases.claim_start(run_id, cloud.instance_id)
    if died == "after":
        machine.instances.start(cloud.instance_id)

    start(run_id, machine, ledger, clock)

    assert operations(cloud) == ["StartInstances", "SendCommand"]


@pytest.mark.parametrize("died", ["before", "after"])
def test_start_instance__goes_on_at_once_after_a_death_in_the_launch(
    machine: Machine,
    ledger: Ledger,
    clock: Clock,
    cloud: Cloud,
    launched: Path,
    died: str,
) -> None:
    """One that was killed around SendCommand neither: its command is found, or else sent."""
    run_id, box = new_run(ledger), cloud.instance_id
    cloud.hand("start")
    carry(lambda: SUCCEEDED if cloud.state == "running" else LOOK_AGAIN)
    boot = machine.look().launched_at
    carry(lambda: SUCCEEDED if machine.shell.is_online(box, since=boot) else LOOK_AGAIN)
    ledger.leases.claim_launch(run_id, box, boot)
    if died == "after":
        machine.shell.launch(box, boot=boot)
        wait_until(lambda: machine.shell.find_launch(box, boot=boot), limit_s=30)

    start(run_id, machine, ledger, clock)

    assert operations(cloud) == ["SendCommand"]
    assert launches(launched) == "launched\n"
