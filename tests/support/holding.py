"""Two tasks that hold their message, under the pipeline's own Celery settings.

`celery -A tests.support.holding worker -Q reaper`; each execution notes what it does, and when, in
the file that NOTES names.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from celery import Celery, Task

app = Celery("holding")
app.config_from_object("celeryconfig")


def note(name: str, event: str) -> None:
    """Appends a line; a short one is written in one piece."""
    line = json.dumps({"name": name, "event": event, "pid": os.getpid(), "time": time.time()})
    with Path(os.environ["NOTES"]).open("a") as file:
        file.write(f"{line}\n")


@app.task(name="holding.work")
def work(name: str, seconds: float) -> None:
    """Is acknowledged late, so it holds its message while it runs."""
    note(name, "began")
    time.sleep(seconds)
    note(name, "ended")


@app.task(bind=True, name="holding.look")
def look(self: Task, name: str, seconds: float) -> None:  # type: ignore[type-arg]  # as in workers/
    """Retries itself once; the Celery worker holds the message for the countdown."""
    note(name, "ended" if self.request.retries else "began")
    if not self.request.retries:
        raise self.retry(countdown=seconds)
