from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from curation.adapters.compute.ec2 import Ec2Instances
from curation.errors import OperatorError, RunEnded
from curation.ledger.leases import Lease
from curation.ledger.steps import Turn
from curation.states import InstanceState, Outcome, StepName
from curation.steps import instance
from curation.steps.verdict import LOOK_AGAIN, SUCCEEDED
from tests.curation.steps.conftest import machine_of
from tests.support.cloud import REGION, cloud_server
from tests.support.requests import new_run
from tests.support.starts import launches, operations, start
from tests.support.steps import carry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from curation.ledger.ledger import Ledger
    from curation.steps.instance import Machine
    from curation.steps.verdict import Verdict
    from tests.support.clock import Clock
    from tests.support.cloud import Cloud


def test_start_instance__starts_launches_and_holds_a_lease(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud, launched: Path
) -> None:
    """A stopped instance is started once, its worker launched once, and the run holds a lease."""
    run_id = new_run(ledger)

    start(run_id, machine, ledger, clock)

    assert cloud.state == "running"
    assert operations(cloud) == ["StartInstances", "SendCommand"]
    assert list(ledger.leases.holders(cloud.instance_id)) == [run_id]
    assert launches(launched) == "launched\n"


def test_start_instance__second_run_of_the_boot_starts_and_launches_nothing(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud, launched: Path
) -> None:
    """Runs share the boot: one start, one launch, a lease each."""
    first, second = new_run(ledger), new_run(ledger)

    start(first, machine, ledger, clock)
    start(second, machine, ledger, clock)

    assert operations(cloud) == ["StartInstances", "SendCommand"]
    assert set(ledger.leases.holders(cloud.instance_id)) == {first, second}
    assert launches(launched) == "launched\n"


def test_start_instance__sends_no_command_before_the_agent_is_online(
    ledger: Ledger, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that stays silent gets no command, and after the time allowed it is an error."""
    run_id = new_run(ledger)
    turn = Turn(run_id, StepName.START_INSTANCE, owner="a", number=0)
    ledger.steps.begin(turn, implies=None, after_outcome=False)
    with cloud_server(tmp_path / "cloud", agent_s=100) as cloud:
        for name, value in cloud.environment.items():
            monkeypatch.setenv(name, value)
        machine = machine_of(cloud, ledger, script_path="/run.sh")

        def look() -> Verdict:
            return instance.start_instance(ledger.runs.get(run_id), machine, now=clock.now)

        carry(lambda: SUCCEEDED if (look(), cloud.state)[1] == "running" else LOOK_AGAIN)
        assert look() is LOOK_AGAIN
        clock.forward(instance.AGENT_TIMEOUT_S + 1)
        with pytest.raises(OperatorError, match=r"agent of i-0123456789abcdef0 .* profile"):
            look()

        assert operations(cloud) == ["StartInstances"]


def test_start_instance__waits_for_capacity(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """No capacity is tried again until there is some."""
    cloud.add_faults(
        {
            "operation": "StartInstances",
            "kind": "error",
            "code": "InsufficientInstanceCapacity",
            "times": 6,
        }
    )
    run_id = new_run(ledger)

    start(run_id, machine, ledger, clock)

    assert cloud.state == "running"


def test_start_instance__denied_start_names_the_permission(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """A refused permission ends the step at once, with the action to grant."""
    cloud.add_faults(
        {"operation": "StartInstances", "kind": "error", "code": "UnauthorizedOperation"}
    )
    run_id = new_run(ledger)

    with pytest.raises(OperatorError, match=r"ec2:StartInstances") as caught:
        start(run_id, machine, ledger, clock)

    assert caught.value.code == "ec2:denied"
    assert cloud.state == "stopped"


def test_start_instance__waits_while_it_is_stopping(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """An instance that is just being stopped is started when it has stopped."""
    cloud.hand("start")
    carry(lambda: SUCCEEDED if cloud.state == "running" else LOOK_AGAIN)
    cloud.hand("stop")
    run_id = new_run(ledger)

    start(run_id, machine, ledger, clock)

    assert cloud.state == "running"
    assert operations(cloud) == ["StartInstances", "SendCommand"]


def test_start_instance__missing_script_is_an_error_with_its_output(
    ledger: Ledger, clock: Clock, cloud: Cloud, tmp_path: Path
) -> None:
    """A launch that fails on the instance ends the step with what the shell said."""
    machine = machine_of(cloud, ledger, script_path=str(tmp_path / "nowhere.sh"))
    run_id = new_run(ledger)

    with pytest.raises(OperatorError, match=r"(?s)nowhere\.sh.*SCRIPT_PATH") as caught:
        start(run_id, machine, ledger, clock)

    assert caught.value.code == "ssm:launch-failed"


def test_start_instance__lost_answer_of_the_launch_sends_no_second_one(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud, launched: Path
) -> None:
    """A launch whose answer was lost is found again, not sent again."""
    cloud.add_faults(
        {"operation": "SendCommand", "kind": "pass"},  # the watchdog's lease
        {"operation": "SendCommand", "kind": "cut-after"},
    )
    run_id = new_run(ledger)

    start(run_id, machine, ledger, clock)

    assert operations(cloud).count("SendCommand") == 1
    assert launches(launched) == "launched\n"


def test_start_instance__ended_run_gets_no_instance(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """A run that has its outcome starts nothing."""
    run_id = new_run(ledger)
    ledger.runs.decide(run_id, Outcome.CANCELED)

    with pytest.raises(RunEnded):
        start(run_id, machine, ledger, clock)

    assert operations(cloud) == []


class Late(Ec2Instances):
    """EC2 whose start takes so long that something happens meanwhile."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__(region=REGION)
        self._meanwhile = meanwhile

    def start(self, instance_id: str) -> InstanceState:
        """Starts it, and lets the other thing happen."""
        state = super().start(instance_id)
        self._meanwhile()
        return state

    def stop(self, instance_id: str) -> InstanceState:
        """Stops it as soon as EC2 takes the stop."""
        done = threading.Event()
        while not done.is_set():
            view = self.describe(instance_id)
            if view.state is InstanceState.RUNNING:
                done.set()
        return super().stop(instance_id)


def test_start_instance__stops_again_what_it_started_for_an_ended_run(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """When the run ends and is released while EC2 starts, the instance does not stay on."""
    run_id = new_run(ledger)

    def end_run() -> None:
        ledger.runs.decide(run_id, Outcome.CANCELED)
        ledger.leases.release(run_id, cloud.instance_id)
        ledger.leases.confirm_stopped(run_id, cloud.instance_id)

    late = replace(machine, instances=Late(end_run))

    with pytest.raises(RunEnded):
        start(run_id, late, ledger, clock)

    carry(lambda: SUCCEEDED if cloud.state == "stopped" else LOOK_AGAIN)
    assert ledger.leases.renew(run_id, cloud.instance_id) is Lease.ENDED


def test_start_instance__leaves_to_the_reaper_what_ec2_does_not_stop_yet(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """A start that is undone too early for EC2 is nobody's, and gets no grace as by hand."""
    run_id = new_run(ledger)

    def end_run() -> None:
        ledger.runs.decide(run_id, Outcome.CANCELED)
        ledger.leases.release(run_id, cloud.instance_id)
        ledger.leases.confirm_stopped(run_id, cloud.instance_id)
        cloud.add_faults(
            {"operation": "StopInstances", "code": "IncorrectInstanceState", "times": 9}
        )

    late = replace(machine, instances=Late(end_run))

    with pytest.raises(RunEnded):
        start(run_id, late, ledger, clock)

    assert ledger.leases.look(cloud.instance_id).in_use


def test_start_instance__terminated_instance(
    machine: Machine, ledger: Ledger, clock: Clock
) -> None:
    """An instance that does not exist is an error that names it."""
    gone = replace(machine, instance_id="i-0000000000000dead")
    run_id = new_run(ledger)

    with pytest.raises(OperatorError, match=r"i-0000000000000dead") as caught:
        start(run_id, gone, ledger, clock)

    assert caught.value.code == "ec2:not-found"
