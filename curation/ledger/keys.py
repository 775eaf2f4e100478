"""Every Redis key of the ledger and how long it lives; Celery's own keys are not here.

Deadlines and leases are values inside these keys, compared with a time that is passed in.
A key's TTL only collects garbage.
"""

from __future__ import annotations

import hashlib

PREFIX = "curation:"

# A record of something short-lived (an engine task, an upload) may not outlive a lost run by more.
WORK_TTL_S = 30 * 24 * 3600

RUNS = f"{PREFIX}runs"
"""Sorted set: run id by the time it was created; the list of all runs."""

ACTIVE = f"{PREFIX}active"
"""Sorted set: id of each run that has not ended, by its deadline."""

UPLOADS = f"{PREFIX}uploads"
"""Sorted set: id of each run whose upload is neither finished nor cleared away, by its begin."""

ENGINE_WORK = f"{PREFIX}engine-work"
"""Sorted set: id of each run whose engine may have left work files, by when it planned them."""

HOSTED_CALLS = f"{PREFIX}hosted-calls"
"""Sorted set: id of each run for which the hosted service was told to schedule, by when."""

ORPHANS = f"{PREFIX}orphans"
"""Hash: since when an open upload seems to be left over, by its upload id. Lives `WORK_TTL_S`."""

REAPER = f"{PREFIX}reaper"
"""Hash: when beat last asked for a round of the reaper, and after a pause. Lives for ever."""

COUNTERS = f"{PREFIX}counters"
"""Hash: sums for the metrics, which name no run. Lives for ever."""

BILLED = f"{PREFIX}billed"
"""Hash: billed seconds of each day, held by runs and not. Lives for ever."""


SCHEDULES = f"{PREFIX}schedules"
"""Hash: each schedule as JSON, by its name. Lives for ever."""

NOTICES = f"{PREFIX}notices"
"""Hash: when a message of each kind was last let out, and how many were held back since. Lives for
ever."""


def run_key(run_id: str) -> str:
    """Hash: all that is known of a run. Lives until `RUN_RETENTION_DAYS` after the run's end."""
    return f"{PREFIX}run:{run_id}"


def idempotency_key(key: str) -> str:
    """String: the run that was made for this idempotency key. Lives as long as the run."""
    return f"{PREFIX}idempotency:{key}"


def curated_key(content_id: str) -> str:
    """String: the latest run that has curated this content. Lives `RUN_RETENTION_DAYS`."""
    return f"{PREFIX}curated:{content_id}"


def leases_key(instance_id: str) -> str:
    """Sorted set: id of each run that holds the instance, by the time its lease is over."""
    return f"{PREFIX}leases:{instance_id}"


def expected_key(instance_id: str) -> str:
    """Sorted set: id of each run that will soon ask for the instance, by when that is over."""
    return f"{PREFIX}expected:{instance_id}"


def instance_key(instance_id: str) -> str:
    """Hash: what was last seen and done with the instance."""
    return f"{PREFIX}instance:{instance_id}"


def engine_key(run_id: str) -> str:
    """Hash: the engine's task of a run. Lives `WORK_TTL_S`."""
    return f"{PREFIX}engine:{run_id}"


def engine_parts_key(run_id: str) -> str:
    """Hash: how far each part of a run's engine task is. Lives `WORK_TTL_S`."""
    return f"{PREFIX}engine-parts:{run_id}"


def upload_key(run_id: str) -> str:
    """Hash: how far the upload of a run's video has come. Lives `WORK_TTL_S`."""
    return f"{PREFIX}upload:{run_id}"


def taken_key(video_url: str) -> str:
    """Hash: which run has taken which video of a folder or prefix. Lives for ever.

    The run stands there by its id, or by its idempotency key where it had none yet.
    It belongs to the folder that the video lies in, however the source was written.
    """
    folder = video_url.rpartition("/")[0]
    return f"{PREFIX}taken:{hashlib.sha256(folder.encode()).hexdigest()[:32]}"


def hosted_key(run_id: str) -> str:
    """Hash: ids of a run on the hosted service. Lives `WORK_TTL_S`."""
    return f"{PREFIX}hosted:{run_id}"


def lock_key(name: str) -> str:
    """Hash: who is at something that one may do at a time, until when. Lives `WORK_TTL_S`."""
    return f"{PREFIX}lock:{name}"


def schedule_key(name: str) -> str:
    """Hash: what has become of a schedule so far. Lives as long as the schedule."""
    return f"{PREFIX}schedule:{name}"


def schedule_videos_key(name: str) -> str:
    """Hash: run id by the URL of each video of a watch or backfill. Lives as long as that."""
    return f"{PREFIX}schedule-videos:{name}"
