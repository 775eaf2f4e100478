"""Life cycle of a Celery process and of its tasks: refuse a bad start; lines and spans of runs."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import celery
from celery.signals import (
    after_setup_logger,
    after_setup_task_logger,
    celeryd_init,
    task_postrun,
    task_prerun,
    worker_init,
    worker_process_shutdown,
    worker_shutdown,
)

from curation import at_work, traces
from curation.errors import CurationError
from curation.models import RUN_ID_PATTERN
from curation.settings import Settings, check_waits
from curation.states import StepName
from curation.telemetry import set_up
from curation.wiring import load_lightly
from workers.base import StepTask, wiring

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence

    from celery import Task
    from celery.app.utils import Settings as Configuration
    from celery.worker import WorkController

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


@worker_init.connect
def load_before_the_pool(sender: WorkController, **_: object) -> None:
    """Loads the Lightly client, if it will be needed, before there are processes for tasks.

    A task's time limit may cut the import off on a busy machine, and half an import cannot be made
    again: the client's models refuse to be declared twice. And the pool's processes share it.
    """
    if Settings.load().lightly.token and "selection" in sender.app.amqp.queues.consume_from:
        load_lightly()


def time_limits_s(conf: Configuration) -> list[float]:
    """Returns the hard time limits of the tasks that are acknowledged late, in seconds."""
    return [own["time_limit"] for own in conf.task_annotations.values()]


@after_setup_logger.connect
@after_setup_task_logger.connect
def write_facts(logger: logging.Logger, **_: object) -> None:
    """Gives every line the facts that came with it, so that a run can be followed by its id."""
    set_up(logger.handlers, Settings.load().log.format)


@task_prerun.connect
def begin_work(task_id: str, task: Task[..., object], args: Sequence[object], **_: object) -> None:
    """Lets every line and span of this delivery say what it is about."""
    facts = {"task": task.name}
    if isinstance(task, StepTask):
        facts["step"] = task.step.value
    run_id = _run_id(args)
    if run_id:
        facts = {"run_id": run_id, **facts}
        queue = str((task.request.delivery_info or {}).get("routing_key"))
        name = facts.get("step", task.name)
        traces.begin(run_id, name, facts | {"queue": queue, "delivery": task.request.retries + 1})
    at_work.begin(task_id, facts)


@task_postrun.connect
def end_work(task_id: str, state: str | None, **_: object) -> None:
    """Sends the delivery's span off; the run's too, if this was the delivery that ended it."""
    try:
        facts = traces.end(outcome=(state or "unknown").lower())
        # Copies that came late were not let in, so they made no attempt.
        if facts.get("step") == StepName.RELEASE_INSTANCE and "attempt" in facts:
            run = wiring().ledger.runs.get(str(facts["run_id"]))
            if run.state.is_end:
                traces.end_run(run)
    finally:
        at_work.end(task_id)


@worker_process_shutdown.connect
@worker_shutdown.connect
def send_last_spans(**_: object) -> None:
    """Sends the spans that this process still has; its pool may have no other end."""
    traces.flush()


def _run_id(args: Sequence[object]) -> str | None:
    first = args[0] if args else None
    return first if isinstance(first, str) and re.fullmatch(RUN_ID_PATTERN, first) else None
