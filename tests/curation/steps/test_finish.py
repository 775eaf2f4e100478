from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from curation.errors import CurationError, OperatorError
from curation.ledger.leases import START_LAG_S, Release
from curation.states import Outcome, RunState, StepState
from curation.steps import finish, instance
from curation.steps.verdict import LOOK_AGAIN, SUCCEEDED
from tests.support.requests import new_run
from tests.support.steps import carry

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger
    from curation.steps.instance import Machine
    from tests.support.clock import Clock
    from tests.support.cloud import Cloud


def started(machine: Machine, ledger: Ledger, clock: Clock) -> str:
    """A run that holds the running instance."""
    run_id = new_run(ledger)
    carry(lambda: instance.start_instance(ledger.runs.get(run_id), machine, now=clock.now))
    return run_id


def release(run_id: str, machine: Machine, ledger: Ledger, clock: Clock) -> None:
    """Carries the step to its end."""
    ledger.runs.decide(run_id, Outcome.COMPLETED)
    carry(lambda: finish.release_instance(ledger.runs.get(run_id), machine, now=clock.now))


def test_release_instance__stops_once_and_verifies(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """The last one out stops the instance once, and is done only when EC2 says `stopped`."""
    run_id = started(machine, ledger, clock)

    release(run_id, machine, ledger, clock)

    assert cloud.state == "stopped"
    assert len(cloud.calls("StopInstances")) == 1
    assert ledger.leases.holders(cloud.instance_id) == {}
    assert ledger.leases.look(cloud.instance_id).state == "stopped"


def test_release_instance__leaves_it_to_the_others(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """While another run holds the instance nobody stops it."""
    first, second = started(machine, ledger, clock), started(machine, ledger, clock)

    release(first, machine, ledger, clock)
    between = cloud.state
    release(second, machine, ledger, clock)

    assert between == "running"
    assert cloud.state == "stopped"
    assert len(cloud.calls("StopInstances")) == 1


def test_release_instance__canceled__cancels_the_launch_once(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """The last one out of a canceled run cancels the launch, too, and only after the stop."""
    run_id = started(machine, ledger, clock)
    ledger.runs.decide(run_id, Outcome.CANCELED)

    release(run_id, machine, ledger, clock)

    assert cloud.state == "stopped"
    wanted = ("StopInstances", "CancelCommand")
    operations = [call["operation"] for call in cloud.calls() if call["operation"] in wanted]
    assert operations == list(wanted)


def test_release_instance__canceled__leaves_the_launch_to_other_holders(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """A worker that another run needs is not canceled."""
    first, second = started(machine, ledger, clock), started(machine, ledger, clock)
    ledger.runs.decide(first, Outcome.CANCELED)

    release(first, machine, ledger, clock)
    release(second, machine, ledger, clock)

    assert cloud.calls("CancelCommand") == []


def test_release_instance__canceled__is_not_held_up_by_ssm(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """A cancel that SSM refuses is a warning; the instance is stopped all the same."""
    run_id = started(machine, ledger, clock)
    ledger.runs.decide(run_id, Outcome.CANCELED)
    cloud.add_faults({"operation": "CancelCommand", "code": "AccessDeniedException"})

    release(run_id, machine, ledger, clock)

    assert cloud.state == "stopped"


def test_release_instance__stale__is_a_line_in_the_log(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud, caplog: pytest.LogCaptureFixture
) -> None:
    """A release of a run that holds nothing, while another does, changes nothing and says so."""
    holder = started(machine, ledger, clock)
    stale = new_run(ledger)

    with caplog.at_level(logging.INFO):
        release(stale, machine, ledger, clock)

    assert "Stale release: the run holds no lease; the instance is shared" in caplog.text
    assert list(ledger.leases.holders(cloud.instance_id)) == [holder]
    assert cloud.state == "running"


def test_release_instance__twice_is_once(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """A second delivery after the end does nothing."""
    run_id = started(machine, ledger, clock)

    release(run_id, machine, ledger, clock)
    release(run_id, machine, ledger, clock)

    assert len(cloud.calls("StopInstances")) == 1


def test_release_instance__bears_throttling(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """A throttled stop is sent again until EC2 takes it."""
    run_id = started(machine, ledger, clock)
    cloud.add_faults(
        {"operation": "StopInstances", "kind": "error", "code": "RequestLimitExceeded", "times": 7}
    )

    release(run_id, machine, ledger, clock)

    assert cloud.state == "stopped"


def test_stop__refused_although_the_instance_has_stopped_by_itself(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """Whom the watchdog has powered off, nobody waits for, even if EC2 denies StopInstances.

    Shortly after a start it is not believed: then `stopped` may be EC2's lag.
    """
    run_id = started(machine, ledger, clock)
    ledger.runs.decide(run_id, Outcome.COMPLETED)
    cloud.hand("power-off")
    cloud.wait_for("stopped")
    cloud.add_faults(
        {"operation": "StopInstances", "kind": "error", "code": "UnauthorizedOperation"}
    )

    with pytest.raises(CurationError):
        finish.release_instance(ledger.runs.get(run_id), machine, now=clock.now)
    clock.forward(START_LAG_S + 1)
    verdict = finish.release_instance(ledger.runs.get(run_id), machine, now=clock.now)

    assert verdict is SUCCEEDED
    assert ledger.leases.holders(cloud.instance_id) == {}


def test_stop__without_effect_is_sent_again(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """A stop that EC2 took but did not carry out is sent again after a while."""
    run_id = started(machine, ledger, clock)
    cloud.add_faults({"operation": "StopInstances", "kind": "no-effect", "times": 1})
    ledger.runs.decide(run_id, Outcome.COMPLETED)

    def look() -> bool:
        return finish.release_instance(ledger.runs.get(run_id), machine, now=clock.now) is SUCCEEDED

    assert not look()
    assert cloud.state == "running"
    clock.forward(finish.STOP_AGAIN_S + 1)
    carry(lambda: SUCCEEDED if look() else LOOK_AGAIN)

    assert cloud.state == "stopped"


def test_release_instance__that_nobody_used_is_left_alone(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """A run that failed before it had a lease does not stop what somebody started by hand."""
    cloud.hand("start")
    run_id = new_run(ledger)

    release(run_id, machine, ledger, clock)

    assert cloud.calls("StopInstances") == []


def test_end_unstopped__says_that_the_instance_may_run(
    machine: Machine, ledger: Ledger, clock: Clock, cloud: Cloud
) -> None:
    """A run whose instance EC2 will not stop ends failed, and its error says what still runs."""
    run_id = started(machine, ledger, clock)
    cloud.add_faults(
        {"operation": "StopInstances", "kind": "error", "code": "UnauthorizedOperation"}
    )
    ledger.runs.decide(run_id, Outcome.COMPLETED)
    run = ledger.runs.get(run_id)
    with pytest.raises(CurationError) as refused:
        finish.release_instance(run, machine, now=clock.now)

    finish.end_unstopped(run, machine, ledger.runs, refused.value)

    ended = ledger.runs.get(run_id)
    assert isinstance(refused.value, OperatorError)
    assert ended.state is RunState.FAILED
    assert ended.error is not None
    assert ended.error.code == "ec2:stop"
    assert cloud.instance_id in ended.error.message
    assert "ec2:StopInstances" in ended.error.message
    assert ended.steps.release_instance.state is StepState.FAILED
    assert ledger.leases.release("reaper", cloud.instance_id) is Release.STOP


def test_is_patience_over__not_before_the_deadline_nor_at_once_after_it(
    ledger: Ledger, clock: Clock
) -> None:
    """A refused stop is tried until the deadline, and for a minute at least."""
    run = ledger.runs.get(new_run(ledger, deadline_s=1000))

    assert not finish.is_patience_over(run, now=clock.now + 999)
    late = clock.now + 5000
    step = run.steps.release_instance.model_copy(update={"started_at": late})
    steps = run.steps.model_copy(update={"release_instance": step})
    begun_late = run.model_copy(update={"steps": steps})
    assert not finish.is_patience_over(begun_late, now=late + 59)
    assert finish.is_patience_over(begun_late, now=late + 61)
