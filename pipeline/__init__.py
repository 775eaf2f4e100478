"""Video curation: enqueue a run, look at it, wait for it, cancel it, resume it."""

from curation.models import Run, RunRequest
from pipeline.client import cancel, enqueue, resume, status, wait

__all__ = ["Run", "RunRequest", "cancel", "enqueue", "resume", "status", "wait"]
