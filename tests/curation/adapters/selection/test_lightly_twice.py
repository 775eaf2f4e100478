from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from curation.adapters.selection.lightly_api import LightlyApi
from curation.errors import TransientError
from curation.ledger.hosted import LOCK_HOLD_S, HostedLedger
from curation.states import Outcome, StepState
from curation.steps.reap import LATE_CALL_S, reap_selections
from tests.support.lightly import LIST, SCHEDULE, TOKEN

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from curation.adapters.selection.lightly_api import Scheduled
    from curation.models import Run
    from tests.support.clock import Clock
    from tests.support.hosted import Hosted


class KilledError(BaseException):
    """A process that is killed does nothing more, whatever it catches."""


class FrozenBeforeCall(LightlyApi):
    """Lightly for a process that is frozen just before it schedules, while something happens."""

    def __init__(self, server: str, meanwhile: Callable[[], None], *, dies: bool = False) -> None:
        super().__init__(SecretStr(TOKEN), server=server)
        self._meanwhile = meanwhile
        self._dies = dies

    def schedule(self, dataset_id: str, config_id: str, runs_on: Sequence[str]) -> str:
        """Schedules when the other thing has happened."""
        self._meanwhile()
        scheduled_run_id = super().schedule(dataset_id, config_id, runs_on)
        if self._dies:
            raise KilledError
        return scheduled_run_id


class FrozenAfterList(LightlyApi):
    """Lightly for a process that is frozen when it has seen that nothing is scheduled yet."""

    def __init__(self, server: str, meanwhile: Callable[[], None]) -> None:
        super().__init__(SecretStr(TOKEN), server=server)
        self._meanwhile = meanwhile

    def scheduled(self, dataset_id: str) -> list[Scheduled]:
        """Lists, and lets the other thing happen."""
        found = super().scheduled(dataset_id)
        self._meanwhile()
        return found


def schedule_frozen(hosted: Hosted, run: Run, api: LightlyApi) -> str:
    """Schedules as a process whose calls go through `api`."""
    frozen = hosted.backend()
    vars(frozen)["_api"] = api
    return frozen.schedule(run)


def schedule_late(hosted: Hosted, run: Run, clock: Clock) -> None:
    """Another delivery schedules while one stands still in its call, and dies when it has acted."""

    def others() -> None:
        clock.forward(LOCK_HOLD_S + 1)
        hosted.backend().schedule(run)

    with pytest.raises(KilledError):
        schedule_frozen(hosted, run, FrozenBeforeCall(hosted.lightly.url, others, dies=True))
    assert states(hosted, run) == ["OPEN", "OPEN"]


def states(hosted: Hosted, run: Run) -> list[str]:
    """Returns the states of all selection runs of a run, sorted."""
    known = hosted.known(run)
    scheduled = hosted.lightly.scheduled(known.dataset_id or "")
    return sorted(item["state"] for item in scheduled if item["configId"] == known.config_id)


def end(hosted: Hosted, run: Run) -> None:
    """Brings the run into its end state."""
    hosted.ledger.runs.decide(run.run_id, Outcome.COMPLETED)
    ended = hosted.ledger.runs.get(run.run_id)
    hosted.ledger.runs.end(ended, released=StepState.SUCCEEDED)


def reap(hosted: Hosted, clock: Clock) -> list[str]:
    """Does a round of the reaper, about selection runs."""
    ledger = hosted.ledger
    calls = HostedLedger(ledger.store)
    return reap_selections(calls, ledger.runs, now=clock.now, cancel=hosted.backend().cancel)


def test_schedule__thawed_when_its_lock_is_over(hosted: Hosted, clock: Clock) -> None:
    """Who stood still between its look and its call does not send the call."""
    run = hosted.new_run()
    scheduled: list[str] = []

    def others() -> None:
        clock.forward(LOCK_HOLD_S + 1)
        scheduled.append(hosted.backend().schedule(run))

    with pytest.raises(TransientError) as caught:
        schedule_frozen(hosted, run, FrozenAfterList(hosted.lightly.url, others))

    assert caught.value.code == "lightly:busy"
    assert hosted.lightly.n_acted(SCHEDULE) == 1
    assert hosted.backend().schedule(run) == scheduled[0]


def test_schedule__thawed_with_little_left_of_its_lock(hosted: Hosted, clock: Clock) -> None:
    """A call that may last longer than the lock is not begun."""
    run = hosted.new_run()
    api = FrozenAfterList(hosted.lightly.url, lambda: clock.forward(LOCK_HOLD_S - 1))

    with pytest.raises(TransientError):
        schedule_frozen(hosted, run, api)

    assert hosted.lightly.n_acted(SCHEDULE) == 0


def test_schedule__thawed_in_the_middle_of_its_call(hosted: Hosted, clock: Clock) -> None:
    """Frozen for longer than a lock lasts, it takes back what it scheduled a second time."""
    run = hosted.new_run()
    scheduled: list[str] = []

    def others() -> None:
        clock.forward(LOCK_HOLD_S + 1)
        scheduled.append(hosted.backend().schedule(run))

    ours = schedule_frozen(hosted, run, FrozenBeforeCall(hosted.lightly.url, others))

    assert ours == scheduled[0]
    assert states(hosted, run) == ["CANCELED", "OPEN"]


def test_look__cancels_what_a_dead_delivery_scheduled_too_late(
    hosted: Hosted, clock: Clock
) -> None:
    """Of two selection runs the noted one stays, though nobody is left who knows of the other."""
    run = hosted.new_run()
    schedule_late(hosted, run, clock)

    look = hosted.backend().look(run)

    assert look.state == "OPEN"
    assert states(hosted, run) == ["CANCELED", "OPEN"]


def test_look__cancels_it_while_the_right_one_is_worked_on(hosted: Hosted, clock: Clock) -> None:
    """The one that was picked up is looked at by its id, and the other is found all the same."""
    run = hosted.new_run()
    schedule_late(hosted, run, clock)
    hosted.take(run)

    hosted.backend().look(run)

    assert states(hosted, run) == ["CANCELED", "LOCKED"]


def test_look__lists_nothing_without_a_doubt(hosted: Hosted, clock: Clock) -> None:
    """A look costs one call, and again so when the doubt is over."""
    certain, doubtful = hosted.new_run(), hosted.new_run()
    hosted.backend().schedule(certain)
    schedule_late(hosted, doubtful, clock)
    for run in (certain, doubtful):
        hosted.take(run)
    hosted.backend().look(doubtful)
    hosted.lightly.begin()

    for run in (certain, doubtful):
        hosted.backend().look(run)

    assert hosted.lightly.calls(LIST) == []


def test_look__does_not_fail_for_a_surplus(hosted: Hosted, clock: Clock) -> None:
    """What cannot be canceled now is tried again at the next look, and never the run's failure."""
    run = hosted.new_run()
    schedule_late(hosted, run, clock)
    hosted.take(run)
    hosted.lightly.faults({"operation": LIST, "code": "403"})

    first = hosted.backend().look(run)
    hosted.backend().look(run)

    assert not first.is_end
    assert states(hosted, run) == ["CANCELED", "LOCKED"]


def test_cancel__ends_all_of_them(hosted: Hosted, clock: Clock) -> None:
    """A run that is canceled leaves none of its selection runs to a later boot."""
    run = hosted.new_run()
    schedule_late(hosted, run, clock)

    hosted.backend().cancel(run)

    assert states(hosted, run) == ["CANCELED", "CANCELED"]


def test_reap_selections__cancels_what_came_after_the_end(hosted: Hosted, clock: Clock) -> None:
    """What is scheduled for a run that has ended is found by the reaper, and then forgotten."""
    run = hosted.new_run()
    schedule_late(hosted, run, clock)
    end(hosted, run)

    rounds = [reap(hosted, clock), reap(hosted, clock)]

    assert rounds == [[f"selection {run.run_id}"], []]
    assert states(hosted, run) == ["CANCELED", "CANCELED"]
    assert HostedLedger(hosted.ledger.store).called() == {}


def test_reap_selections__asks_nobody_about_a_good_run(hosted: Hosted, clock: Clock) -> None:
    """A run whose one call was answered costs the reaper no call."""
    run = hosted.new_run()
    hosted.backend().schedule(run)
    end(hosted, run)
    hosted.lightly.begin()

    assert reap(hosted, clock) == []
    assert hosted.lightly.calls() == []


def test_reap_selections__gives_up_after_a_while(hosted: Hosted, clock: Clock) -> None:
    """A call that never reached the service is not waited for without an end."""
    run = hosted.new_run()
    hosted.lightly.faults({"operation": SCHEDULE, "kind": "cut-before"})
    with pytest.raises(TransientError):
        hosted.backend().schedule(run)
    end(hosted, run)

    first = reap(hosted, clock)
    clock.forward(LATE_CALL_S + 1)

    assert first == [f"selection {run.run_id}"]
    assert reap(hosted, clock) == []
    assert HostedLedger(hosted.ledger.store).called() == {}
