"""Celery's settings; ours are in `curation/settings.py`. Each unusual one says why."""

from __future__ import annotations

from datetime import timedelta

from celery.schedules import crontab
from kombu import Queue

from curation.errors import OperatorError
from curation.settings import Settings

_settings = Settings.load()
_visibility_s = _settings.broker.visibility_timeout_s

# --- broker and results ---------------------------------------------------------------------------

broker_url = _settings.broker.redis_url.get_secret_value()
result_backend = broker_url
broker_transport_options = {
    # An unacknowledged message comes back after this long. One value for all queues: the hash of
    # unacknowledged messages is one per broker, so a short value would restore another queue's.
    "visibility_timeout": _visibility_s,
    # kombu's defaults look for such messages every 100 s; this brings a dead Celery worker's
    # messages back within the visibility timeout and 5 s (measured: 105 s against 6.5 s at 6 s).
    "unacked_restore_interval": min(5, _visibility_s / 3),
    "unacked_restore_throttle": 1,
    # Without it a publish over a dead connection hangs. Above kombu's blocking pop of 1 s.
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 25,
}
broker_connection_retry_on_startup = True
broker_connection_max_retries = None
# The chord's counter lives in the results, so they must outlast the longest header.
result_expires = timedelta(days=7)
task_publish_retry_policy = {"max_retries": 3, "interval_start": 0.2, "interval_step": 0.5}

# --- messages: ids only, JSON only ----------------------------------------------------------------

accept_content = ["json"]
task_serializer = "json"
result_serializer = "json"
enable_utc = True
timezone = "UTC"

# --- queues ---------------------------------------------------------------------------------------

task_queues = [
    Queue(name) for name in ("ingest", "compute", "selection", "engine", "reaper", "reports")
]
# A misspelt queue is an error at once, instead of a message that nobody ever reads.
task_create_missing_queues = False
task_default_queue = "reaper"
task_routes = {f"{queue.name}.*": {"queue": queue.name} for queue in task_queues} | {
    "schedule.*": {"queue": "reaper"},
    # A path is one of the ingest worker's machine, so that is where it is looked at.
    "schedule.enqueue_new": {"queue": "ingest"},
}

# --- delivery -------------------------------------------------------------------------------------

# A message is acknowledged when its task has ended, and comes back when its process has died.
# That means twice now and then, and every task bears it. The engine's tasks are the exception.
task_acks_late = True
task_reject_on_worker_lost = True
# Take one message at a time, so that none waits behind a long one.
worker_prefetch_multiplier = 1
# Both limits stay well below the visibility timeout, or a slow task would start a second time.
# One delivery of ingest is a slice; one of the others is a few calls to AWS or Lightly. The engine
# has none (so there is no limit for all tasks): it works for as long as its video takes, and a
# run's deadline ends it through the ledger.
_ingest_limit_s = 0.6 * _visibility_s
_step_limit_s = min(120.0, _ingest_limit_s)
task_annotations = {
    name: {"time_limit": limit_s, "soft_time_limit": 0.8 * limit_s}
    for name, limit_s in {
        "ingest.ingest_video": _ingest_limit_s,
        "compute.start_instance": _step_limit_s,
        "compute.release_instance": _step_limit_s,
        "selection.run_selection": _step_limit_s,
        "reaper.reap": _step_limit_s,
        "reaper.fail_run": _step_limit_s,
        "schedule.enqueue_scheduled": _step_limit_s,
        "schedule.look": _step_limit_s,
        "schedule.enqueue_new": _ingest_limit_s,
        "reports.notify": _step_limit_s,
        "reports.build_report": _step_limit_s,
    }.items()
}
# An errback on a header task would run while the other header task is still at work.
task_allow_error_cb_on_chord_header = False
# Give back what is held before a cold shutdown.
worker_soft_shutdown_timeout = 10.0
# Children grow from 38 to about 120 MiB within some hundred runs (measured); start them afresh.
worker_max_tasks_per_child = 500

# --- Flower and beat ------------------------------------------------------------------------------

worker_send_task_events = True
task_send_sent_event = True
# Beat keeps no schedule that changes: it asks for a look, and the ledger has them (docs/adr/0026).
_look_every_s = min(10.0, _settings.run.reap_interval_s)
beat_schedule: dict[str, dict[str, object]] = {
    "reap": {
        "task": "reaper.reap",
        "schedule": _settings.run.reap_interval_s,
        # A round that was not taken before the next one is due need not be taken at all.
        "options": {"expires": _settings.run.reap_interval_s},
    },
    "look": {
        "task": "schedule.look",
        "schedule": _look_every_s,
        "options": {"expires": _look_every_s},
    },
}
if _settings.run.schedule_cron:
    try:
        _slots = crontab.from_string(_settings.run.schedule_cron)
    except ValueError as error:
        raise OperatorError(
            f"SCHEDULE_CRON: {_settings.run.schedule_cron!r} is not usable: {error}. Expected five "
            "fields in cron syntax, UTC, for example 0 6 * * *",
            code="config:invalid",
        ) from error
    beat_schedule["enqueue"] = {"task": "schedule.enqueue_scheduled", "schedule": _slots}
