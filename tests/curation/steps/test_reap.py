from __future__ import annotations

import time
from typing import TYPE_CHECKING

import boto3

from curation.states import Outcome, RunState, StepName, StepState
from curation.steps import instance
from curation.steps.reap import KEEP_TAG, next_steps, reap_instance, reap_runs
from curation.steps.verdict import LOOK_AGAIN, SUCCEEDED
from tests.support.requests import new_run
from tests.support.steps import carry

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger
    from curation.models import Run
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


def sent_of(ledger: Ledger, clock: Clock) -> tuple[list[str], list[tuple[str, StepName]]]:
    """One round over all runs: what was done, and which messages were sent."""
    sent: list[tuple[str, StepName]] = []

    def send(run: Run, step: StepName) -> None:
        sent.append((run.run_id, step))

    done = reap_runs(ledger.runs, now=clock.now, silent_s=10, send=send)
    return done, sent


def test_reap_runs__fails_what_is_overdue_and_sends_it_on(ledger: Ledger, clock: Clock) -> None:
    """A run past its deadline is failed, and its release is sent when it stays silent."""
    run_id = new_run(ledger, deadline_s=100)
    clock.forward(95)
    overdue, _ = sent_of(ledger, clock)
    clock.forward(10)
    _, sent = sent_of(ledger, clock)

    run = ledger.runs.get(run_id)
    assert overdue == [f"overdue {run_id}"]
    assert run.outcome is Outcome.FAILED
    assert run.error is not None
    assert run.error.code == "run:deadline"
    assert "RUN_DEADLINE_S (100 s)" in run.error.message
    assert sent == [(run_id, StepName.RELEASE_INSTANCE)]


def test_reap_runs__sends_a_silent_run_on(ledger: Ledger, clock: Clock) -> None:
    """A run without a sign of life gets the messages of its next steps again; a live one none."""
    run_id = new_run(ledger)
    clock.forward(5)
    quiet = sent_of(ledger, clock)
    clock.forward(5)
    _, sent = sent_of(ledger, clock)

    assert quiet == ([], [])
    assert sent == [(run_id, StepName.INGEST_VIDEO), (run_id, StepName.START_INSTANCE)]


def test_next_steps__follow_the_canvas(ledger: Ledger) -> None:
    """Wherever a run is, its next steps are those that the canvas would send."""
    run = ledger.runs.get(new_run(ledger))

    def at(**states: StepState) -> Run:
        steps = {
            name: run.steps.get(StepName(name)).model_copy(update={"state": state})
            for name, state in states.items()
        }
        return run.model_copy(update={"steps": run.steps.model_copy(update=steps)})

    prepared = at(ingest_video=StepState.SUCCEEDED, start_instance=StepState.SKIPPED)
    half = at(ingest_video=StepState.SUCCEEDED, start_instance=StepState.WAITING)
    looking = at(run_selection=StepState.WAITING).model_copy(update={"outcome": Outcome.CANCELED})
    failed = at().model_copy(update={"outcome": Outcome.FAILED})
    ended = at().model_copy(update={"state": RunState.COMPLETED})
    assert next_steps(prepared) == [StepName.RUN_SELECTION]
    assert next_steps(half) == [StepName.START_INSTANCE]
    assert next_steps(looking) == [StepName.RUN_SELECTION]
    assert next_steps(failed) == [StepName.RELEASE_INSTANCE]
    assert next_steps(ended) == []
