"""Looks at Celery: its settings, and whether its workers, beat and Flower can do their part."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from celery.schedules import crontab
from flower.options import default_options

from curation.doctor.check import Answer, Check, Health, NotChecked, Once, fail, ok, warn
from curation.doctor.settings import wrong_setting
from curation.errors import OperatorError
from curation.settings import MAX_SHARE_OF_VISIBILITY, check_waits
from curation.states import Backend
from pipeline.celery import app
from workers.signals import time_limits_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from curation.doctor.check import Finding
    from curation.wiring import Wiring

# Flower reads each of its options from the environment, too.
FLOWER_VARIABLES = frozenset(f"FLOWER_{name.upper()}" for name in default_options)

# Celery takes these before what its configuration says.
_OVERRIDES = (
    "CELERY_BROKER_URL",
    "CELERY_BROKER_READ_URL",
    "CELERY_BROKER_WRITE_URL",
    "CELERY_RESULT_BACKEND",
)
_QUEUES = ("ingest", "compute", "selection", "reaper")
# Whoever listens answers at once, but a machine may be busy.
_ASK_S = 2.0
# Beat's ticks are not exact, and a round takes its time.
_MOST_MISSED_ROUNDS = 3
_LATE_S = 10.0
_REDIS_HINT = "Start Redis, or correct REDIS_URL."


def wrong_celery_settings(wiring: Wiring) -> Iterator[Finding]:
    """Yields a finding for each setting that Celery could not use, or that leads it astray."""
    problem = _wrong_schedule(wiring)
    if problem:
        yield wrong_setting("SCHEDULE_CRON", problem)
    for name in _OVERRIDES:
        if _leads_astray(wiring, os.environ.get(name)):
            yield wrong_setting(
                name,
                f"{name} goes before REDIS_URL, so that messages and ledger are apart. Unset it.",
            )


class ProcessChecks:
    """The checks on Celery's processes."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        # For all checks, because Celery reads its configuration when it is first asked for it.
        self._limits_s = Once(self._read_limits)

    def all(self) -> list[Check]:
        """Returns them."""
        return [
            Check("celery waits", self._waits, "Correct these settings."),
            Check("celery workers", self._workers, _REDIS_HINT, worst=Health.WARN),
            Check("celery beat", self._beat, _REDIS_HINT, worst=Health.WARN),
            Check("flower password", self._flower, "Set FLOWER_BASIC_AUTH."),
        ]

    def _waits(self) -> Answer:
        settings = self._wiring.settings
        check_waits(settings, self._limits_s())
        hidden_s = settings.broker.visibility_timeout_s
        return ok(
            f"Every wait and time limit is at most {MAX_SHARE_OF_VISIBILITY:.0%} of "
            f"VISIBILITY_TIMEOUT_S ({hidden_s:g} s)."
        )

    def _workers(self) -> Answer:
        settings = self._wiring.settings
        self._limits_s()
        self._wiring.ledger.store.now()  # or Celery would look for Redis on and on
        is_engine_here = (
            settings.run.selection_backend is Backend.ENGINE
            and settings.ec2.ec2_instance_id is None
        )
        needed = (*_QUEUES, "engine") if is_engine_here else _QUEUES
        answers = app.control.inspect(timeout=_ASK_S).active_queues() or {}
        served = {queue["name"] for queues in answers.values() for queue in queues}
        missing = [queue for queue in needed if queue not in served]
        if not missing:
            return ok(f"A Celery worker takes from each of {', '.join(needed)}.")
        return warn(
            f"No Celery worker that takes from {', '.join(missing)} has answered.",
            f"make up, or docker compose up -d, or: celery -A pipeline worker -Q "
            f"{','.join(missing)}",
        )

    def _beat(self) -> Answer:
        interval_s = self._wiring.settings.run.reap_interval_s
        ledger = self._wiring.ledger
        mend = "make up, or docker compose up -d, or: celery -A pipeline beat"
        last = ledger.last_round()
        if last is None:
            return warn(
                "Beat has never had the reaper do a round; the first comes REAP_INTERVAL_S "
                f"({interval_s:g} s) after its start.",
                mend,
            )
        ago_s = ledger.store.now() - last
        found = f"The reaper's last round, which beat asks for, was {ago_s:.0f} s ago."
        if ago_s > _MOST_MISSED_ROUNDS * interval_s + _LATE_S:
            return warn(found, mend)
        return ok(found)

    def _flower(self) -> Answer:
        login = self._wiring.settings.flower.basic_auth
        mend = "Set FLOWER_BASIC_AUTH to user:password."
        if login is None:
            return warn("Flower does not start without a password.", mend)
        user, _, password = login.get_secret_value().partition(":")
        if not (user and password):
            return fail("FLOWER_BASIC_AUTH is not user:password.", mend)
        return ok("Flower asks for a password.")

    def _read_limits(self) -> list[float]:
        if _wrong_schedule(self._wiring):
            raise NotChecked("setting SCHEDULE_CRON")
        return time_limits_s(app.conf)


def _wrong_schedule(wiring: Wiring) -> str:
    """Returns what is wrong with the schedule, as far as it can be told, or an empty string."""
    try:
        cron = wiring.settings.run.schedule_cron
    except OperatorError:
        return ""  # another finding says so
    try:
        crontab.from_string(cron or "* * * * *")
    except ValueError:
        return (
            f"SCHEDULE_CRON: {cron!r} is no schedule. Give minute, hour, day, month and weekday, "
            "such as 0 4 * * *."
        )
    return ""


def _leads_astray(wiring: Wiring, url: str | None) -> bool:
    try:
        return bool(url) and url != wiring.settings.broker.redis_url.get_secret_value()
    except OperatorError:
        return False
