from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.ledger.leases import LAUNCH_HOLD_S, START_LAG_S, STOP_HOLD_S, Lease, Release
from curation.states import InstanceState, Outcome
from tests.support.requests import new_run

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger
    from tests.support.clock import Clock

BOX = "i-0123456789abcdef0"
TTL_S = 100.0  # of the fixture


def test_acquire__ended_run_gets_none(ledger: Ledger) -> None:
    """From the outcome on, no lease is granted."""
    run_id = new_run(ledger)
    ledger.runs.decide(run_id, Outcome.CANCELED)

    assert ledger.leases.acquire(run_id, BOX) is Lease.ENDED
    assert ledger.leases.holders(BOX) == {}


def test_release__last_one_out_stops(ledger: Ledger) -> None:
    """While others hold the instance it is shared; the last one out must stop it."""
    first, second = new_run(ledger), new_run(ledger)
    ledger.leases.acquire(first, BOX)
    ledger.leases.acquire(second, BOX)

    assert ledger.leases.release(first, BOX) is Release.SHARED
    assert ledger.leases.release(second, BOX) is Release.STOP


def test_release__waits_for_runs_that_will_need_it(ledger: Ledger, clock: Clock) -> None:
    """A run that is enqueued but has not asked yet keeps the instance running, for a while."""
    first = new_run(ledger)
    ledger.leases.acquire(first, BOX)
    new_run(ledger, instance_id=BOX)

    assert ledger.leases.release(first, BOX) is Release.SHARED
    clock.forward(TTL_S + 1)
    assert ledger.leases.release("reaper", BOX) is Release.STOP


def test_release__unused_instance_is_left_alone(ledger: Ledger) -> None:
    """An instance that no run has used is not stopped, unless asked for."""
    run_id = new_run(ledger)

    assert ledger.leases.release(run_id, BOX) is Release.UNUSED
    assert ledger.leases.release(run_id, BOX, unused_too=True) is Release.STOP


def test_release__expired_leases_do_not_count(ledger: Ledger, clock: Clock) -> None:
    """A lease that was not renewed in time holds nothing."""
    dead = new_run(ledger)
    ledger.leases.acquire(dead, BOX)
    clock.forward(TTL_S + 1)
    live = new_run(ledger)
    ledger.leases.acquire(live, BOX)

    assert ledger.leases.release(live, BOX) is Release.STOP


def test_stop__keeps_new_leases_out_until_it_is_confirmed(ledger: Ledger) -> None:
    """While the instance is being stopped nobody gets a lease; afterwards everybody may."""
    first, second = new_run(ledger), new_run(ledger)
    ledger.leases.acquire(first, BOX)
    ledger.leases.release(first, BOX)

    assert ledger.leases.acquire(second, BOX) is Lease.STOPPING
    assert ledger.leases.release(second, BOX) is Release.SHARED
    assert ledger.leases.confirm_stopped(first, BOX)
    assert ledger.leases.acquire(second, BOX) is Lease.HELD


def test_stop__of_a_dead_stopper_is_over_after_a_while(ledger: Ledger, clock: Clock) -> None:
    """A stopper that died does not lock the instance; its late confirmation is refused."""
    first, second = new_run(ledger), new_run(ledger)
    ledger.leases.acquire(first, BOX)
    ledger.leases.release(first, BOX)
    clock.forward(STOP_HOLD_S + 1)

    assert ledger.leases.acquire(second, BOX) is Lease.HELD
    assert not ledger.leases.confirm_stopped(first, BOX)
    assert ledger.leases.release(first, BOX) is Release.SHARED


def test_renew__prolongs_only_what_is_there(ledger: Ledger, clock: Clock) -> None:
    """A look prolongs the lease; one that was taken away stays lost."""
    run_id = new_run(ledger)
    ledger.leases.acquire(run_id, BOX)
    clock.forward(TTL_S - 1)

    assert ledger.leases.renew(run_id, BOX) is Lease.HELD
    assert ledger.leases.holders(BOX) == {run_id: clock.now + TTL_S}
    clock.forward(TTL_S + 1)
    assert ledger.leases.release("reaper", BOX) is Release.STOP
    assert ledger.leases.renew(run_id, BOX) is Lease.LOST


def test_claim_start__one_start_per_boot(ledger: Ledger, clock: Clock) -> None:
    """One run sends the start; the others wait as long as EC2 may lag; a refusal frees it."""
    assert ledger.leases.claim_start("first", BOX)
    assert not ledger.leases.claim_start("second", BOX)
    ledger.leases.forget_start(BOX)
    assert ledger.leases.claim_start("second", BOX)
    clock.forward(START_LAG_S + 1)
    assert ledger.leases.claim_start("first", BOX)


def test_claim_start__again_at_once_for_a_run_whose_sender_died(ledger: Ledger) -> None:
    """Who has not heard of an answer sends it again; who has, waits for its effect."""
    assert ledger.leases.claim_start("first", BOX)
    assert ledger.leases.claim_start("first", BOX)
    ledger.leases.record_start(BOX)
    assert not ledger.leases.claim_start("first", BOX)


def test_claim_launch__once_per_boot(ledger: Ledger) -> None:
    """One run sends a boot's launch, the others learn its command; a new boot needs another."""
    assert ledger.leases.claim_launch("first", BOX, 1.5) == ("send", "")
    assert ledger.leases.claim_launch("second", BOX, 1.5) == ("busy", "")
    ledger.leases.record_launch(BOX, "command-1")
    for run_id in ("first", "second"):
        assert ledger.leases.claim_launch(run_id, BOX, 1.5) == ("sent", "command-1")
    assert ledger.leases.claim_launch("second", BOX, 2.5) == ("send", "")
    ledger.leases.record_launch(BOX, "command-2")
    ledger.leases.forget_launch(BOX)
    assert ledger.leases.claim_launch("first", BOX, 2.5) == ("send", "")


def test_claim_launch__unsure_after_a_lost_answer(ledger: Ledger, clock: Clock) -> None:
    """Who comes after a sender that got no answer, or died, is told to find out first."""
    ledger.leases.claim_launch("first", BOX, 1.5)
    ledger.leases.doubt_launch(BOX)
    assert ledger.leases.claim_launch("second", BOX, 1.5) == ("unsure", "")
    assert ledger.leases.claim_launch("first", BOX, 1.5) == ("busy", "")
    clock.forward(LAUNCH_HOLD_S + 1)
    assert ledger.leases.claim_launch("first", BOX, 1.5) == ("unsure", "")


def test_claim_launch__unsure_at_once_for_a_run_whose_sender_died(ledger: Ledger) -> None:
    """The next delivery of the same run does not wait until the claim of the dead one is over."""
    ledger.leases.claim_launch("first", BOX, 1.5)

    assert ledger.leases.claim_launch("first", BOX, 1.5) == ("unsure", "")


def test_observe__billed_seconds_are_shared_equally(ledger: Ledger, clock: Clock) -> None:
    """Each second of pending or running is shared by the runs that hold the instance then."""
    first, second = new_run(ledger), new_run(ledger)
    ledger.leases.acquire(first, BOX)
    ledger.leases.observe(BOX, InstanceState.PENDING)
    clock.forward(10)
    ledger.leases.acquire(second, BOX)
    clock.forward(20)
    ledger.runs.decide(first, Outcome.COMPLETED)
    ledger.leases.release(first, BOX)
    clock.forward(5)
    ledger.leases.observe(BOX, InstanceState.STOPPING)
    clock.forward(100)
    ledger.leases.observe(BOX, InstanceState.STOPPED)

    assert ledger.runs.get(first).cost.instance_seconds == pytest.approx(20)
    assert ledger.runs.get(second).cost.instance_seconds == pytest.approx(15)


def test_observe__seconds_that_nobody_holds_are_counted_too(ledger: Ledger, clock: Clock) -> None:
    """What an instance costs while no run holds it is not lost."""
    ledger.leases.observe(BOX, InstanceState.RUNNING)
    clock.forward(7)
    ledger.leases.observe(BOX, InstanceState.STOPPED)

    assert ledger.leases.look(BOX).unheld_s == pytest.approx(7)


EVENTS = st.tuples(
    st.sampled_from(["acquire", "renew", "release", "confirm", "pass", "outcome"]),
    st.integers(min_value=0, max_value=2),
)


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(EVENTS, max_size=40))
def test_leases__instance_is_stopped_only_when_nobody_holds_it(
    ledger: Ledger, clock: Clock, events: list[tuple[str, int]]
) -> None:
    """Whatever the order of events, nobody is told to stop while another run's lease is live."""
    box = f"i-{new_run(ledger)}"  # a fresh instance for each example
    runs = [new_run(ledger) for _ in range(3)]
    held_until: dict[str, float] = {}

    for event, who in events:
        run_id = runs[who]
        if event in ("acquire", "renew"):
            ask = ledger.leases.acquire if event == "acquire" else ledger.leases.renew
            if ask(run_id, box) is Lease.HELD:
                held_until[run_id] = clock.now + TTL_S
        elif event == "release":
            answer = ledger.leases.release(run_id, box)
            own = held_until.pop(run_id, 0.0)
            if answer is Release.STOP:
                assert max(held_until.values(), default=0.0) <= clock.now
                held_until[run_id] = own
        elif event == "confirm" and ledger.leases.confirm_stopped(run_id, box):
            held_until.pop(run_id, None)
        elif event == "outcome":
            ledger.runs.decide(run_id, Outcome.FAILED)
        clock.forward(30)
