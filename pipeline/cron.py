"""Slots of a schedule in cron syntax: the latest, the next, and what is wrong with one."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING

from celery.schedules import crontab

from curation.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator

# A slot further away than this is not looked for. Every day of the calendar comes within 8 years.
_FURTHEST = timedelta(days=8 * 366)

_N_FIELDS = 5


def last_slot(cron: str, now: datetime) -> datetime:
    """Returns the latest minute, not after `now`, that the schedule names.

    Args:
        cron: Cron syntax with five fields, in UTC.
        now: An aware time in UTC.
    """
    minute = now.replace(second=0, microsecond=0)
    return next((slot for slot in _slots(cron, minute, step=-1) if slot <= minute), minute)


def next_slot(cron: str, now: datetime) -> datetime | None:
    """Returns the first minute after `now` that the schedule names, or None if it never does.

    Args:
        cron: Cron syntax with five fields, in UTC.
        now: An aware time in UTC.
    """
    return next((slot for slot in _slots(cron, now, step=1) if slot > now), None)


def check_cron(cron: str, now: datetime) -> None:
    """Refuses what is no schedule.

    Raises:
        RequestError: If it is no cron syntax, or names a minute that never comes.
    """
    advice = "Give minute, hour, day, month and weekday, in UTC, such as 0 6 * * *."
    try:
        upcoming = next_slot(cron, now)
    except (ValueError, KeyError) as error:
        # The library speaks of what it could not unpack.
        n_fields = len(cron.split())
        fault = (
            f"it has {n_fields} fields, not 5" if n_fields != _N_FIELDS else str(error).rstrip(".")
        )
        raise RequestError(
            f"--cron {cron!r} is no schedule: {fault}. {advice}", code="schedule:cron"
        ) from None
    if upcoming is None:
        raise RequestError(f"--cron {cron!r} never comes. {advice}", code="schedule:cron")


def _slots(cron: str, start: datetime, *, step: int) -> Iterator[datetime]:
    """Yields the slots of the days from `start` on, forwards or backwards."""
    months, days, weekdays, hours, minutes = _fields(crontab.from_string(cron))
    times = list(product(sorted(hours), sorted(minutes)))[::step]
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    for number in range(_FURTHEST.days):
        day = midnight + step * timedelta(days=number)
        if day.month in months and day.day in days and day.isoweekday() % 7 in weekdays:
            yield from (day.replace(hour=hour, minute=minute) for hour, minute in times)


def _fields(schedule: crontab) -> list[set[int]]:
    names = ("month_of_year", "day_of_month", "day_of_week", "hour", "minute")
    return [getattr(schedule, name) for name in names]
