"""Queue `reaper`: closes what callbacks could not, from what the ledger and EC2 say."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from celery import Task, shared_task

from curation.budget import this_month
from curation.errors import CurationError
from curation.ledger.hosted import HostedLedger
from curation.ledger.locks import is_due, locked
from curation.ledger.notices import DIGEST
from curation.ledger.steps import HOLD_S
from curation.ledger.store import LedgerUnavailable
from curation.states import Backend, Event
from curation.steps import engine, orphans
from curation.steps import reap as reaping
from curation.steps import reap_instance as reaping_instance
from curation.steps.deadline import is_near
from curation.wiring import ENGINE_SILENT_S
from workers.base import bearing_the_ledger, wiring
from workers.messages import send_notice, send_step

if TYPE_CHECKING:
    from curation.wiring import Wiring

log = logging.getLogger(__name__)

# A mark must be nearly one round old; not quite, because beat's ticks are not exact.
_MARK_SHARE = 0.8
# After so many rounds in a row that did not take place, the reaper comes back after a pause.
_PAUSED_ROUNDS = 3
# Open uploads are listed once in so many rounds.
_ROUNDS_PER_LISTING = 10
# `fail_run` waits for a sign of life this often before it leaves a silent run to the reaper.
_MOST_WAITS = 10
# Rounds that stop an instance within this time are about the same stop.
_ONE_STOP_S = 900.0


@shared_task(name="reaper.reap", ignore_result=True)
def reap() -> None:
    """Stops what nobody holds, fails what is overdue, revives what is silent.

    Twice is safe: each act is claimed in the ledger, and EC2's stop is idempotent. Two at once (two
    beats, a message that came again) are one round: the second leaves the work to the first, whose
    claim is over by the time the next round is due, should it have died.
    """
    here = wiring()
    try:
        with locked(here.ledger.store, "reaper", hold_s=here.settings.run.reap_interval_s) as alone:
            if alone:
                log.info("Reaped", extra={"done": _do_round(here)})
            else:
                log.info("Nothing reaped: another round is going on")
    except LedgerUnavailable as error:
        log.error("Nothing reaped: %s", error)  # noqa: TRY400  # an expected kind


@shared_task(bind=True, name="reaper.fail_run", ignore_result=True)
def fail_run(self: Task, run_id: str) -> None:  # type: ignore[type-arg]  # as in workers/base.py
    """Errback of a run. Believes the ledger, not the callback.

    A run with an outcome is left to `release_instance`. One without may still be alive (Celery
    also calls errbacks when a retry could not be published); if it stays silent it is sent on.
    Twice is safe: a revival is claimed in the ledger.
    """
    here = wiring()
    with bearing_the_ledger(self, run_id):
        if here.ledger.runs.has_outcome(run_id):
            return
        revived = reaping.revive(run_id, here.ledger.runs, silent_s=_silent_s(here), send=send_step)
    if not revived and self.request.retries < _MOST_WAITS:
        raise self.retry(countdown=_silent_s(here), max_retries=None)


def reap_runs() -> list[str]:
    """Does a round's work on the runs; returns one word and run id for each thing done."""
    here = wiring()
    return reaping.reap_runs(
        here.ledger.runs,
        now=here.ledger.store.now(),
        silent_s=_silent_s(here),
        send=send_step,
    )


def reap_uploads() -> list[str]:
    """Removes what ended runs have left in the bucket; returns one word and run id for each."""
    here = wiring()
    if not here.upload_ledger.unfinished():
        return []
    return reaping.reap_uploads(
        here.upload_ledger, here.ledger.runs, uploads=here.storage, objects=here.storage
    )


def reap_selections() -> list[str]:
    """Cancels selection runs that came too late for their run; returns words for each."""
    here = wiring()
    hosted = HostedLedger(here.ledger.store)
    if not hosted.called():
        return []
    return reaping.reap_selections(
        hosted,
        here.ledger.runs,
        now=here.ledger.store.now(),
        cancel=here.backend(Backend.LIGHTLY).cancel,
    )


def reap_orphans() -> list[str]:
    """Aborts uploads that the ledger has forgotten; returns one word and run id for each.

    They are looked for in the bucket, and not in every round, because each listing is paid for.
    """
    here = wiring()
    every_s = _ROUNDS_PER_LISTING * here.settings.run.reap_interval_s
    if not is_due(here.ledger.store, "orphans", every_s=every_s):
        return []
    return orphans.reap_orphans(
        here.settings.s3.input_bucket,
        ledger=here.upload_ledger,
        runs=here.ledger.runs,
        uploads=here.storage,
        mark_s=_MARK_SHARE * every_s,
    )


def reap_work() -> list[str]:
    """Removes work files of engine tasks that ended badly; returns words for each."""
    here = wiring()
    if not here.ledger.engine.unclean():
        return []
    return engine.reap_work(
        here.ledger.engine,
        here.storage,
        here.settings.s3.lightly_bucket,
        now=here.ledger.store.now(),
        silent_s=ENGINE_SILENT_S,
    )


def reap_instance() -> str:
    """Does a round's work on the instance; returns what was found or done, `none` without one.

    Raises:
        CurationError: If EC2 refused or could not answer.
    """
    here, settings = wiring(), wiring().settings.run
    if here.machine is None:
        return "none"
    return reaping_instance.reap_instance(
        here.machine,
        now=here.ledger.store.now(),
        mark_s=_mark_s(here),
        boot_grace_s=settings.boot_grace_s,
    )


def send_notices() -> list[str]:
    """Asks for messages about runs with little time left, and about what was held back."""
    here, now = wiring(), wiring().ledger.store.now()
    wanted, every_s = here.settings.notify.events, here.settings.notify.every_s
    for run in here.ledger.runs.active() if Event.DEADLINE in wanted else []:
        if run.outcome is None and is_near(run, now=now):
            left_s = max(run.deadline_at - now, 0.0)
            send_notice(Event.DEADLINE, run.run_id, f"{left_s / 60:.0f} min are left.")
    for event in sorted(wanted):
        if here.ledger.notices.overdue(event, every_s=every_s):
            send_notice(event, DIGEST, once=f"{DIGEST} {now // every_s:.0f}")
    return []


def tell_budget() -> list[str]:
    """Asks for a message at each milestone of the month's budget; returns which is reached."""
    here = wiring()
    budget = this_month(here.ledger.store, here.settings.cost)
    if budget is None or budget.milestone is None:
        return []
    reached = f"{budget.month} {budget.milestone}"
    send_notice(Event.BUDGET, budget.month, f"{budget}.", once=reached)
    return [f"budget {budget.milestone}%"]


def report_strangers() -> list[str]:
    """Reports what runs with our tags although the ledger does not know it."""
    here = wiring()
    if here.machine is None:
        return []
    return reaping_instance.report_strangers(here.machine, now=here.ledger.store.now())


def _do_round(here: Wiring) -> list[str]:
    # Noted first, so that `curate doctor` sees beat and this queue's Celery worker alive whatever
    # comes of the round.
    here.ledger.note_round(pause_s=_PAUSED_ROUNDS * here.settings.run.reap_interval_s)
    parts = (
        reap_runs,
        reap_uploads,
        reap_work,
        reap_selections,
        lambda: [f"instance {_reap_and_tell(here)}"],
        report_strangers,
        reap_orphans,
        tell_budget,
        send_notices,
    )
    done: list[str] = []
    for part in parts:
        try:
            done += part()
        except CurationError as error:  # one part's error does not stop the others
            log.error("Not all could be reaped: %s", error)  # noqa: TRY400  # an expected kind
    return done


def _reap_and_tell(here: Wiring) -> str:
    found = reap_instance()
    if found in ("stopping", "stopped") and here.machine:
        instance_id, store = here.machine.instance_id, here.ledger.store
        # A stop takes several rounds, which are one piece of news.
        if is_due(store, f"reaped:{instance_id}", every_s=_ONE_STOP_S):
            send_notice(Event.REAPED, instance_id, once=f"{instance_id} {store.now()}")
    return found


def _mark_s(here: Wiring) -> float:
    """Seconds for which an instance must have been marked as unheld.

    Nearly a round. After a pause, or when the clock was set forward, every lease may be over
    although its run lives: then each run must first have had the time to look, and so to renew it.
    """
    run = here.settings.run
    first_look_s = run.lease_ttl_s / 2  # a run looks three times in the life of a lease
    return max(
        _MARK_SHARE * run.reap_interval_s,
        first_look_s if here.ledger.since_pause_s() < first_look_s else 0.0,
    )


def _silent_s(here: Wiring) -> float:
    """Seconds without a sign of life after which a run's message is taken for lost."""
    settings = here.settings.run
    return HOLD_S + 2 * max(settings.poll_interval_s, settings.instance_poll_interval_s)
