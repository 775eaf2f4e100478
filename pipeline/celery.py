"""The Celery app; `celery -A pipeline …` finds it by this module's name."""

from __future__ import annotations

from celery import Celery

app = Celery(
    "pipeline",
    include=[
        "pipeline.schedule",
        "workers.compute",
        "workers.engine",
        "workers.ingest",
        "workers.liveness",
        "workers.reaper",
        "workers.selection",
        "workers.signals",
    ],
)
app.config_from_object("celeryconfig")
# Shared tasks belong to the default app, also in threads that have made no app current.
app.set_default()
