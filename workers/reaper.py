"""Queue `reaper`: closes what callbacks could not, from what the ledger and EC2 say."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from celery import Task, shared_task

from curation.errors import CurationError
from curation.ledger.steps import HOLD_S
from curation.steps import reap as reaping
from curation.steps import reap_instance as reaping_instance
from workers.base import bearing_the_ledger, wiring
from workers.messages import send_step

if TYPE_CHECKING:
    from curation.wiring import Wiring

log = logging.getLogger(__name__)

# A mark must be nearly one round old; not quite, because beat's ticks are not exact.
_MARK_SHARE = 0.8
# `fail_run` waits for a sign of life this often before it leaves a silent run to the reaper.
_MOST_WAITS = 10


@shared_task(name="reaper.reap", ignore_result=True)
def reap() -> None:
    """Stops what nobody holds, fails what is overdue, revives what is silent.

    Twice is safe: each act is claimed in the ledger, and EC2's stop is idempotent.
    """
    done: list[str] = []
    for part in (reap_runs, reap_uploads, lambda: [f"instance {reap_instance()}"], _note_round):
        try:
            done += part()
        except CurationError as error:  # one part's error does not stop the others
            log.error("Not all could be reaped: %s", error)  # noqa: TRY400  # an expected kind
    log.info("Reaped", extra={"done": done})


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
        mark_s=_MARK_SHARE * settings.reap_interval_s,
        boot_grace_s=settings.boot_grace_s,
    )


def _note_round() -> list[str]:
    """Lets `curate doctor` see that beat and this queue's Celery worker are alive."""
    wiring().ledger.note_round()
    return []


def _silent_s(here: Wiring) -> float:
    """Seconds without a sign of life after which a run's message is taken for lost."""
    settings = here.settings.run
    return HOLD_S + 2 * max(settings.poll_interval_s, settings.instance_poll_interval_s)
