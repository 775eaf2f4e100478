"""Life cycle of a Celery worker process: refuse a start that cannot go well; how it logs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import celery
from celery.signals import after_setup_logger, after_setup_task_logger, celeryd_init

from curation.errors import CurationError
from curation.settings import Settings, check_waits
from curation.telemetry import set_up

if TYPE_CHECKING:
    import logging

    from celery.app.utils import Settings as Configuration

_BROKEN_CELERY = "5.7.0"


@celeryd_init.connect
def check_settings(conf: Configuration, **_: object) -> None:
    """Ends the process with one sentence when it would not go well."""
    try:
        settings = Settings.load()
        check_waits(settings, time_limits_s(conf))
        # Refused here, because Celery swallows what goes wrong in a signal later.
        set_up([], settings.log.format)
    except CurationError as error:
        sys.exit(f"curation: {error}")
    if celery.__version__ == _BROKEN_CELERY:
        sys.exit(
            f"curation: celery {_BROKEN_CELERY} ends when Redis blinks (docs/adr/0015). Install "
            "the locked one: pip install --no-deps --require-hashes -r requirements.txt"
        )


def time_limits_s(conf: Configuration) -> list[float]:
    """Returns the hard time limits of the tasks that are acknowledged late, in seconds."""
    return [own["time_limit"] for own in conf.task_annotations.values()]


@after_setup_logger.connect
@after_setup_task_logger.connect
def write_facts(logger: logging.Logger, **_: object) -> None:
    """Gives every line the facts that came with it, so that a run can be followed by its id."""
    set_up(logger.handlers, Settings.load().log.format)
