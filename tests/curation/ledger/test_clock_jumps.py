from __future__ import annotations

from typing import TYPE_CHECKING

from curation.ledger.leases import LAUNCH_HOLD_S, STOP_HOLD_S, Lease, Release
from curation.ledger.runs import LONGEST_WAIT_S
from curation.ledger.steps import HOLD_S, Admission, Turn
from curation.states import InstanceState, Outcome, StepName, StepState
from tests.support.requests import new_run

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger
    from tests.support.clock import Clock

BOX = "i-0123456789abcdef0"
TTL_S = 100.0  # of the fixture
HOUR_S = 3600.0


def set_back(ledger: Ledger, clock: Clock) -> None:
    """Sets the clock back by an hour; somebody looks at the instance."""
    clock.forward(-HOUR_S)
    ledger.leases.observe(BOX, InstanceState.RUNNING)


def test_set_back__a_dead_runs_lease_does_not_live_longer(ledger: Ledger, clock: Clock) -> None:
    """Leases and claims are cut to a lease's life: no instance stays on for as long as the jump."""
    ledger.leases.acquire(new_run(ledger), BOX)
    new_run(ledger, instance_id=BOX)

    set_back(ledger, clock)

    assert set(ledger.leases.holders(BOX).values()) == {clock.now + TTL_S}
    assert set(ledger.leases.expected(BOX).values()) == {clock.now + TTL_S}


def test_set_back__a_dead_stoppers_stop_is_over_in_its_time(ledger: Ledger, clock: Clock) -> None:
    """A stop whose holder died keeps the reaper out for one hold, not for an hour."""
    run_id = new_run(ledger)
    ledger.leases.acquire(run_id, BOX)
    assert ledger.leases.release(run_id, BOX) is Release.STOP

    set_back(ledger, clock)
    clock.forward(STOP_HOLD_S + 1)

    assert ledger.leases.release("reaper", BOX) is Release.STOP


def test_set_back__an_accepted_stop_and_a_mark_keep_their_age(ledger: Ledger, clock: Clock) -> None:
    """What is measured from a time that now lies ahead is measured from now on."""
    ledger.leases.record_stop(BOX)
    ledger.leases.mark_unheld(BOX, unheld=True)

    set_back(ledger, clock)
    clock.forward(10)

    assert ledger.leases.look(BOX).stop_sent_at == clock.now - 10
    assert ledger.leases.mark_unheld(BOX, unheld=True) == 10


def test_set_back__start_and_launch_are_sent_again_in_their_time(
    ledger: Ledger, clock: Clock
) -> None:
    """A start or launch that was claimed before holds back the next for as long as ever."""
    ledger.leases.claim_start("first", BOX)
    ledger.leases.claim_launch("first", BOX, 1.5)

    set_back(ledger, clock)
    busy = ledger.leases.claim_launch("second", BOX, 1.5)
    clock.forward(LAUNCH_HOLD_S + 1)

    assert busy == ("busy", "")
    assert ledger.leases.claim_start("second", BOX)
    assert ledger.leases.claim_launch("second", BOX, 1.5) == ("unsure", "")


def test_set_back__the_bill_goes_on_from_now(ledger: Ledger, clock: Clock) -> None:
    """The seconds that the clock took back are billed to nobody; those after it are."""
    run_id = new_run(ledger)
    ledger.leases.acquire(run_id, BOX)
    ledger.leases.observe(BOX, InstanceState.RUNNING)

    set_back(ledger, clock)
    clock.forward(7)
    ledger.leases.observe(BOX, InstanceState.RUNNING)

    assert ledger.runs.get(run_id).cost.instance_seconds == 7


def test_set_back__the_tag_is_renewed_all_the_same(ledger: Ledger, clock: Clock) -> None:
    """The lease that the instance itself sees does not run out because ours was noted ahead."""
    assert ledger.leases.claim_renewal(BOX, "tag") == "send"
    assert ledger.leases.claim_renewal(BOX, "tag") == "no"

    set_back(ledger, clock)

    assert ledger.leases.claim_renewal(BOX, "tag") == "send"


def test_set_back__a_dead_deliverys_step_is_free_in_its_time(ledger: Ledger, clock: Clock) -> None:
    """A delivery that finds the step held is told to wait for one hold at most."""
    run_id = new_run(ledger)
    dead = Turn(run_id, StepName.INGEST_VIDEO, owner="a", number=0)
    next_one = Turn(run_id, StepName.INGEST_VIDEO, owner="b", number=0)
    ledger.steps.begin(dead, implies=None, after_outcome=False)

    clock.forward(-HOUR_S)
    busy = ledger.steps.begin(next_one, implies=None, after_outcome=False)
    clock.forward(HOLD_S + 1)

    assert busy == (Admission.BUSY, HOLD_S)
    assert ledger.steps.begin(next_one, implies=None, after_outcome=False) == (Admission.GO, 1)


def test_set_back__a_silent_run_is_revived_all_the_same(ledger: Ledger, clock: Clock) -> None:
    """A run whose message is lost waits no longer than the longest wait of any step."""
    run_id = new_run(ledger)

    clock.forward(-HOUR_S)
    too_early = ledger.runs.claim_revival(run_id, silent_s=10)
    clock.forward(LONGEST_WAIT_S + 10)

    assert not too_early
    assert ledger.runs.claim_revival(run_id, silent_s=10)


def test_set_forward__a_live_run_keeps_its_lease(ledger: Ledger, clock: Clock) -> None:
    """A lease that is over by the clock alone is renewed by the run's next look."""
    run_id = new_run(ledger, deadline_s=100_000)
    ledger.leases.acquire(run_id, BOX)

    clock.forward(HOUR_S)

    assert ledger.leases.renew(run_id, BOX) is Lease.HELD
    assert ledger.leases.release("reaper", BOX) is Release.SHARED


def test_note_round__knows_when_the_clock_was_set_or_rounds_were_missed(
    ledger: Ledger, clock: Clock
) -> None:
    """A round after a pause is noted as such: leases may be over although their runs live."""
    pauses: list[bool] = []
    for forward_s in (0, 60, HOUR_S, 60, -HOUR_S):
        clock.forward(forward_s)
        ledger.note_round(pause_s=180)
        pauses.append(ledger.since_pause_s() == 0)

    assert pauses == [False, False, True, False, True]


def test_end__an_ended_run_stays_as_it_is(ledger: Ledger, clock: Clock) -> None:
    """Whichever way the clock is set, an end state and its time never change."""
    run_id = new_run(ledger)
    turn = Turn(run_id, StepName.START_INSTANCE, owner="a", number=0)
    ledger.runs.decide(run_id, Outcome.COMPLETED)
    ledger.runs.end(ledger.runs.get(run_id), released=StepState.SKIPPED)
    ended = ledger.runs.get(run_id)

    for jump_s in (HOUR_S, -2 * HOUR_S):
        clock.forward(jump_s)
        ledger.steps.begin(turn, implies=None, after_outcome=True)
        ledger.runs.end(ledger.runs.get(run_id), released=StepState.FAILED)
        assert not ledger.runs.claim_revival(run_id, silent_s=0)

    assert ledger.runs.get(run_id) == ended
