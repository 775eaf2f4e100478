"""What beat sends: one run for each slot of a schedule, however many beats there are."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from celery import current_app, shared_task

from curation.errors import CurationError
from curation.ledger import keys
from curation.models import RunRequest
from pipeline import each
from pipeline.client import enqueue, ledger, settings
from pipeline.cron import last_slot

if TYPE_CHECKING:
    from curation.schedules import Schedule

log = logging.getLogger(__name__)


@shared_task(name="schedule.enqueue_scheduled", ignore_result=True)
def enqueue_scheduled() -> None:
    """Enqueues the run of the present slot of `SCHEDULE_CRON`.

    Twice is safe, and so are two beats or a late one: the idempotency key is schedule and slot.
    """
    cron = settings().run.schedule_cron
    if cron:
        slot = _name_of(last_slot(cron, datetime.now(UTC)))
        enqueue(RunRequest(idempotency_key=f"schedule:{cron}:{slot}"))


@shared_task(name="schedule.look", ignore_result=True)
def look() -> None:
    """Looks which schedules are due, and does what they ask for.

    Twice is safe: a slot's key makes one run, and a source is looked at by one at a time.
    """
    now = ledger().store.now()
    for schedule in ledger().schedules.all():
        try:
            if not schedule.paused:
                _serve(schedule, now)
        except CurationError as error:  # one schedule's error does not stop the others
            facts = {"schedule": schedule.name}
            log.error("Schedule not served: %s", error, extra=facts)  # noqa: TRY400  # an expected kind
            ledger().schedules.note(schedule.name, problem=error.message)


@shared_task(name="schedule.enqueue_new", ignore_result=True)
def enqueue_new(name: str) -> None:
    """Enqueues runs for new videos of a schedule's source, where paths are those of the ingest.

    Twice is safe: one looks at a time, and a video's key makes one run.
    """
    each.look(name)


def ask_for_look(name: str) -> None:
    """Has the ingest worker look at a schedule's source now."""
    current_app.send_task("schedule.enqueue_new", args=(name,), expires=each.FORGET_LOOK_S)


def first_state(schedule: Schedule) -> dict[str, str]:
    """Returns the state that a new schedule begins with: slots that are past do not count."""
    if schedule.cron is None:
        return {}
    return {"slot": _name_of(last_slot(schedule.cron, datetime.now(UTC)))}


def _serve(schedule: Schedule, now: float) -> None:
    if schedule.each:
        _serve_each(schedule, schedule.each.every_s, now)
    elif schedule.cron:
        _serve_cron(schedule, schedule.cron, now)


def _serve_cron(schedule: Schedule, cron: str, now: float) -> None:
    schedules = ledger().schedules
    slot = _name_of(last_slot(cron, datetime.fromtimestamp(now, tz=UTC)))
    # The names of slots sort by time. One that is past already was left behind by a clock set back.
    if slot <= (schedules.state(schedule.name).slot or ""):
        return
    key = f"schedule:{schedule.name}:{slot}"
    run_id = enqueue(schedule.request.model_copy(update={"idempotency_key": key}))
    schedules.note(schedule.name, slot=slot, looked_at=repr(now), problem="")
    log.info("Run enqueued", extra={"schedule": schedule.name, "run_id": run_id})


def _serve_each(schedule: Schedule, every_s: float, now: float) -> None:
    state = ledger().schedules.state(schedule.name)
    if state.done_at is not None:
        if now - state.done_at > keys.WORK_TTL_S:
            ledger().schedules.remove(schedule.name)
        return
    if abs(now - (state.looked_at or 0.0)) >= every_s:
        ask_for_look(schedule.name)


def _name_of(slot: datetime) -> str:
    return f"{slot:%Y-%m-%dT%H:%MZ}"
