"""What beat sends: one run for each slot of the schedule, however many beats there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING

from celery import shared_task
from celery.schedules import crontab

from curation.models import RunRequest
from pipeline.client import enqueue, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# A slot further back than this is not looked for; the minute of the call stands in for it.
_FURTHEST = timedelta(days=366)


@shared_task(name="schedule.enqueue_scheduled", ignore_result=True)
def enqueue_scheduled() -> None:
    """Enqueues the run of the present slot of `SCHEDULE_CRON`.

    Twice is safe, and so are two beats or a late one: the idempotency key is schedule and slot.
    """
    cron = settings().run.schedule_cron
    if cron:
        slot = last_slot(cron, datetime.now(UTC))
        enqueue(RunRequest(idempotency_key=f"schedule:{cron}:{slot:%Y-%m-%dT%H:%MZ}"))


def last_slot(cron: str, now: datetime) -> datetime:
    """Returns the latest minute, not after `now`, that the schedule names.

    Args:
        cron: Cron syntax with five fields, in UTC.
        now: An aware time in UTC.
    """
    schedule = crontab.from_string(cron)
    minute = now.replace(second=0, microsecond=0)
    return next((slot for slot in _slots_before(schedule, minute)), minute)


def _slots_before(schedule: crontab, minute: datetime) -> Iterator[datetime]:
    months, days, weekdays, hours, minutes = _fields(schedule)
    for ago in range(_FURTHEST.days):
        day = (minute - timedelta(days=ago)).replace(hour=0, minute=0)
        if day.month in months and day.day in days and day.isoweekday() % 7 in weekdays:
            times = product(sorted(hours, reverse=True), sorted(minutes, reverse=True))
            slots = (day.replace(hour=hour, minute=at) for hour, at in times)
            yield from (slot for slot in slots if slot <= minute)


def _fields(schedule: crontab) -> list[set[int]]:
    names = ("month_of_year", "day_of_month", "day_of_week", "hour", "minute")
    return [getattr(schedule, name) for name in names]
