"""The Celery app; `celery -A pipeline …` finds it by this module's name."""

from __future__ import annotations

import sys
from pathlib import Path

from celery import Celery

from curation.errors import OperatorError

app = Celery(
    "pipeline",
    include=[
        "pipeline.schedule",
        "workers.compute",
        "workers.engine",
        "workers.ingest",
        "workers.liveness",
        "workers.reaper",
        "workers.reports",
        "workers.selection",
        "workers.signals",
    ],
)
app.config_from_object("celeryconfig")
# Shared tasks belong to the default app, also in threads that have made no app current.
app.set_default()

if "celery" in Path(sys.argv[0]).parts[-2:]:
    # Whoever starts a process by hand is told in one sentence what to mend, not by a traceback.
    try:
        app.conf.get("broker_url")
    except OperatorError as error:
        sys.exit(f"curation: {error}")
