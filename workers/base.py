"""StepTask: what all four steps share. Admission by the ledger, retry, failure."""

from __future__ import annotations

import logging
import random
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, NoReturn

from celery import Task, current_app
from celery.exceptions import Ignore, SoftTimeLimitExceeded

from curation import traces
from curation.errors import CurationError, OperatorError, RunEnded, RunUnknown, TransientError
from curation.ledger.runs import LONGEST_WAIT_S
from curation.ledger.steps import Admission, Turn
from curation.ledger.store import LedgerUnavailable
from curation.models import RunError
from curation.settings import MAX_SHARE_OF_VISIBILITY, Settings
from curation.states import Outcome, RunState, StepName, StepState
from curation.steps.deadline import deadline_error, is_over, remaining_s
from curation.wiring import Wiring
from workers.owners import is_dead, new_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from curation.models import Run
    from curation.steps.verdict import Verdict

log = logging.getLogger(__name__)

_LOOKS_PER_LEASE = 3
# A wait that ends with the run's time ends a little after it, so that it is over then.
_DEADLINE_SLACK_S = 0.1
_MOST_DOUBLINGS = 10
# Pause before a delivery whose ledger was away is tried again.
_LEDGER_PAUSE_S = 1.0
# Deliveries of one step that may die before the run is failed: a poison message never ends.
_MOST_DEATHS = 5


@cache
def wiring() -> Wiring:
    """Returns this process's wiring. Made on first use, so each pool child has its own."""
    return Wiring(Settings.load(), send_engine_task=_send_engine_task)


@dataclass(frozen=True)
class Delivery:
    """One delivery of a step's message that the ledger has let in."""

    run: Run
    turn: Turn
    wiring: Wiring
    now: float

    def keep_alive(self) -> None:
        """Renews the claim on the step.

        Raises:
            RunEnded: If the run has its outcome, or another delivery has taken the step over.
        """
        self.wiring.ledger.steps.hold(self.turn)

    def is_alone(self) -> bool:
        """Whether no other delivery has taken the step over."""
        try:
            self.wiring.ledger.steps.hold(self.turn, after_outcome=True)
        except RunEnded:
            return False
        return True


@contextmanager
def bearing_the_ledger(task: Task, run_id: str) -> Iterator[None]:  # type: ignore[type-arg]  # as below
    """Lets a task bear a ledger that is away, which is asked again, or one that was wiped.

    Raises:
        Retry: If the ledger does not answer.
        Ignore: If it does not know the run: one line in the log, and no more. As a result or an
            error the task's end would count for a chord or call an errback.
    """
    try:
        yield
    except LedgerUnavailable:
        raise task.retry(countdown=_LEDGER_PAUSE_S, max_retries=None) from None
    except RunUnknown:
        log.warning(
            "Message dropped: run %s is not known any more", run_id, extra={"run_id": run_id}
        )
        raise Ignore from None


class StepTask(Task):  # type: ignore[type-arg]  # celery's Task takes type arguments only in stubs
    """Base of the four step tasks. Nothing about a run is kept on `self`: instances are shared.

    Attributes:
        step: The step that the task carries out.
        implies: Run state that its first delivery leads to.
        after_outcome: Whether it has work to do when the run has its outcome.
        tries: Errors after which it gives up; None goes on until the run's deadline.
        interval: Name of the setting with the seconds between two looks.
        longest_wait_s: No wait is longer, whatever the other side asks for.
    """

    abstract = True
    max_retries = None  # the ledger counts, and the run's deadline ends it
    throws = (CurationError,)  # expected: logged without a traceback
    step: StepName
    implies: RunState | None = None
    after_outcome = False
    tries: int | None = None
    interval = "instance_poll_interval_s"
    longest_wait_s = LONGEST_WAIT_S

    def perform(self, run_id: str, work: Callable[[Delivery], Verdict]) -> None:
        """Does one delivery's work on the step, if the ledger lets it in.

        Args:
            run_id: The run.
            work: The step; it answers with a verdict or raises.
        """
        turn = Turn(run_id, self.step, owner=new_owner(), number=self.request.retries)
        with bearing_the_ledger(self, run_id):
            delivery = self._admit(turn)
            if delivery:
                traces.note(attempt=delivery.run.steps.get(self.step).attempts)
                self._work(delivery, work)

    def give_up(self, run_id: str) -> None:
        """Removes what the step has half done, because no delivery will go on with it."""

    def _admit(self, turn: Turn) -> Delivery | None:
        ledger = wiring().ledger
        admission, number = ledger.steps.begin(
            turn, implies=self.implies, after_outcome=self.after_outcome, is_dead=is_dead
        )
        if admission is Admission.BUSY:
            raise self.retry(countdown=number + random.random())  # noqa: S311  # spreads copies
        if admission is Admission.GONE:
            raise RunUnknown(f"There is no run {turn.run_id}.")
        if admission is Admission.STALE:
            # Not a return: as a header task's result it would count for the chord.
            raise Ignore
        if admission is Admission.ENDED:
            self._clean_up(turn.run_id)
        if admission is not Admission.GO:
            log.info("Nothing to do", extra={"run_id": turn.run_id, "admission": admission})
            return None
        delivery = Delivery(ledger.runs.get(turn.run_id), turn, wiring(), ledger.store.now())
        if number >= _MOST_DEATHS:
            self._fail(delivery, _deadly(delivery, int(number)))
        return self._check_deadline(delivery)

    def _check_deadline(self, delivery: Delivery) -> Delivery | None:
        run, runs = delivery.run, delivery.wiring.ledger.runs
        if run.outcome or not is_over(run, now=delivery.now):
            return delivery
        runs.decide(run.run_id, Outcome.FAILED, deadline_error(run))
        if self.after_outcome:
            return replace(delivery, run=runs.get(run.run_id))
        self._clean_up(run.run_id)
        self._leave(delivery, StepState.CANCELED)
        return None

    def _work(self, delivery: Delivery, work: Callable[[Delivery], Verdict]) -> None:
        try:
            verdict = work(delivery)
        except RunUnknown:
            raise  # the ledger was wiped meanwhile
        except RunEnded as error:
            log.info("Step given up: %s", error, extra=delivery.run.log_context())
            self._leave(delivery, StepState.CANCELED)
        except SoftTimeLimitExceeded:
            self._try_again(delivery, TransientError(f"{self.name} took too long.", "time-limit"))
        except TransientError as error:
            self._try_again(delivery, error)
        except CurationError as error:
            self._fail(delivery, error)
        except Exception as error:
            log.exception("Step failed unexpectedly", extra=delivery.run.log_context())
            self._fail(delivery, _unexpected(delivery, error))
        else:
            self._conclude(delivery, verdict)

    def _conclude(self, delivery: Delivery, verdict: Verdict) -> None:
        if verdict.state is not StepState.WAITING:
            self._leave(delivery, verdict.state)
            return
        interval_s = getattr(delivery.wiring.settings.run, self.interval)
        self._send_again(delivery, 0.0 if verdict.at_once else interval_s)

    def _try_again(self, delivery: Delivery, error: TransientError) -> NoReturn:
        if isinstance(error, LedgerUnavailable):
            raise error
        run = delivery.run
        attempts = run.steps.get(self.step).attempts or 1
        if self.tries and attempts >= self.tries:
            self._fail(delivery, error)
        interval_s = getattr(delivery.wiring.settings.run, self.interval)
        wait_s = interval_s * 2 ** min(attempts - 1, _MOST_DOUBLINGS)
        log.warning("Step will be tried again: %s", error, extra=run.log_context())
        self._send_again(delivery, error.retry_after_s or wait_s, problem=error.message)

    def _send_again(self, delivery: Delivery, wait_s: float, *, problem: str = "") -> NoReturn:
        """Publishes the next message, then moves the step's number on: never the other way round.

        If this process dies in between, the next message and a copy of this one both come; the
        ledger lets one of them go on.
        """
        countdown = min(wait_s, self._longest_wait_s(delivery))
        retry = self.retry(countdown=countdown, throw=False)
        number = delivery.turn.number + 1
        self._leave(
            delivery, StepState.WAITING, next_number=number, due_s=countdown, problem=problem
        )
        raise retry

    def _longest_wait_s(self, delivery: Delivery) -> float:
        """Returns the seconds after which a step must look, whatever the other side asks for."""
        settings = delivery.wiring.settings
        hidden_s = MAX_SHARE_OF_VISIBILITY * settings.broker.visibility_timeout_s
        longest_s = min(self.longest_wait_s, hidden_s)
        if delivery.run.outcome:
            # A release that EC2 refuses looks once more when the deadline is over, and ends.
            left_s = delivery.run.deadline_at - delivery.now
            return min(longest_s, left_s + _DEADLINE_SLACK_S) if left_s > 0 else longest_s
        left_s = max(remaining_s(delivery.run, now=delivery.now), 0.0) + _DEADLINE_SLACK_S
        # Looks renew the lease, so a few of them must fit into its life.
        return min(longest_s, left_s, settings.run.lease_ttl_s / _LOOKS_PER_LEASE)

    def _fail(self, delivery: Delivery, error: CurationError) -> NoReturn:
        """Writes the outcome before the task fails: Celery's errback comes late, or never."""
        if not delivery.is_alone():
            # Frozen and thawed: what it met says nothing about the delivery that took over.
            raise Ignore
        failure = RunError(code=error.code, message=error.message, step=self.step)
        delivery.wiring.ledger.runs.decide(delivery.run.run_id, Outcome.FAILED, failure)
        level = logging.ERROR if isinstance(error, OperatorError) else logging.INFO
        log.log(level, "Step failed: %s", error, extra=delivery.run.log_context())
        self._clean_up(delivery.run.run_id)
        self._leave(delivery, StepState.FAILED)
        # Celery sends the frames along, to a main process that reads no more once it has begun to
        # shut down; with all of them the pipe was full, and the Celery worker never ended.
        raise error.with_traceback(None)

    def _clean_up(self, run_id: str) -> None:
        try:
            self.give_up(run_id)
        except CurationError as left_over:
            log.warning("Left to the reaper: %s", left_over, extra={"run_id": run_id})

    def _leave(
        self,
        delivery: Delivery,
        state: StepState,
        *,
        next_number: int | None = None,
        due_s: float = 0.0,
        problem: str = "",
    ) -> None:
        traces.note(outcome=state.value)
        steps = delivery.wiring.ledger.steps
        if not steps.leave(
            delivery.turn, state, next_number=next_number, due_s=due_s, problem=problem
        ):
            # Another delivery has it, or the run has ended with it.
            log.debug("Step is no longer held", extra=delivery.run.log_context())


def _unexpected(delivery: Delivery, error: Exception) -> CurationError:
    # Only the type: the text of an unknown error may hold anything, a token too.
    return CurationError(
        f"{delivery.turn.step} failed unexpectedly with {type(error).__name__}. "
        "The log of its Celery worker has the details; please report it.",
        code="internal",
    )


def _deadly(delivery: Delivery, deaths: int) -> OperatorError:
    return OperatorError(
        f"{deaths} Celery workers died while they worked on {delivery.turn.step}. "
        "See their logs; the usual reason is too little memory.",
        code="worker:lost",
    )


def _send_engine_task(run_id: str) -> None:
    current_app.send_task("engine.select_frames", args=(run_id,))
