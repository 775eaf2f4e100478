"""Video curation: enqueue a run, look at it, wait for it, cancel it, resume it."""

try:
    from curation.models import Run, RunRequest
    from pipeline.client import cancel, enqueue, resume, status, wait
except ImportError as error:
    raise ImportError(
        f"A package that the pipeline needs is missing or broken: {error}. Install the locked "
        "ones: pip install --no-deps --require-hashes -r requirements.txt"
    ) from error

__all__ = ["Run", "RunRequest", "cancel", "enqueue", "resume", "status", "wait"]
