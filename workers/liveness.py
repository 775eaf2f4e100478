"""Shows that a Celery worker or beat works, so that a health check need not ask it."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

from celery.signals import after_task_publish, beat_init, heartbeat_sent

from curation.settings import Settings

# A Celery worker's event loop sends a heartbeat through the broker every 2 s.
_FRESH_S = 10.0


@heartbeat_sent.connect
def show_worker(**_: object) -> None:
    """Keeps the file fresh: the event loop turns, and the broker is there."""
    _stay_fresh(_FRESH_S)


@beat_init.connect
def watch_beat(**_: object) -> None:
    """Has beat show itself; others that publish tasks need not."""
    after_task_publish.connect(show_beat)


def show_beat(**_: object) -> None:
    """Keeps the file fresh: the broker took a task, and the reaper's is due all the time."""
    _stay_fresh(2 * _settings().run.reap_interval_s + _FRESH_S)


@cache
def _settings() -> Settings:
    return Settings.load()


def _stay_fresh(seconds: float) -> None:
    """Writes until when this process may be believed to work, in seconds of Unix time.

    Whoever checks compares that with the clock, which takes a millisecond; `celery inspect ping`
    takes more than a second of CPU.
    """
    name = _settings().run.liveness_file
    if name is None:
        return
    # In one step, so that a reader never sees half of it.
    draft = Path(f"{name}.draft")
    draft.write_text(f"{time.time() + seconds:.0f}\n")
    draft.replace(name)
