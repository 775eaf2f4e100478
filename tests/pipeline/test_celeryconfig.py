from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pytest

from curation.setting_groups import DEFAULT_VISIBILITY_TIMEOUT_S
from pipeline.celery import app

ROOT = Path(__file__).parents[2]
QUEUE_OF = {
    "ingest.ingest_video": "ingest",
    "compute.start_instance": "compute",
    "compute.release_instance": "compute",
    "selection.run_selection": "selection",
    "engine.select_frames": "engine",
    "engine.embed_segment": "engine",
    "engine.choose_frames": "engine",
    "reaper.reap": "reaper",
    "reaper.fail_run": "reaper",
    "reports.notify": "reports",
    "reports.build_report": "reports",
    "schedule.enqueue_scheduled": "reaper",
    "schedule.look": "reaper",
    "schedule.enqueue_new": "ingest",
}


def test_tasks__are_the_known_ones_each_in_its_queue() -> None:
    """Task names are a wire contract, and each goes to the queue of its module."""
    app.loader.import_default_modules()

    ours = {name for name in app.tasks if not name.startswith("celery.")}
    routes = {name: app.amqp.router.route({}, name)["queue"].name for name in ours}
    assert routes == QUEUE_OF


def test_tasks__unknown_queue_is_an_error() -> None:
    """No message waits in a queue that nobody reads."""
    with pytest.raises(Exception, match="nowhere"):
        app.amqp.router.route({"queue": "nowhere"}, "ingest.ingest_video")


def test_limits__stay_below_the_visibility_timeout() -> None:
    """No task that is acknowledged late may last as long as its message stays hidden."""
    app.loader.import_default_modules()
    late = [task for name, task in app.tasks.items() if name in QUEUE_OF and task.acks_late]

    limits = [task.time_limit or math.inf for task in late]

    assert len(late) == len(QUEUE_OF) - 4
    assert max(limits) <= 0.7 * DEFAULT_VISIBILITY_TIMEOUT_S


@pytest.mark.parametrize("name", [name for name in QUEUE_OF if name.startswith("engine.")])
def test_limits__the_engine_has_none(name: str) -> None:
    """A video takes as long as it takes, so the engine's tasks are neither late nor limited."""
    app.loader.import_default_modules()

    engine = app.tasks[name]
    limits = (engine.time_limit, engine.soft_time_limit, app.conf.task_time_limit)
    assert (engine.acks_late, *limits) == (False, None, None, None)


def test_content__is_json_only() -> None:
    """Neither tasks nor results may be pickled."""
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_serializer == app.conf.result_serializer == "json"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("POLL_INTERVAL_S", "800", "POLL_INTERVAL_S is 800 s"),
        ("POLL_INTERVAL_S", "often", "POLL_INTERVAL_S: 'often' is not usable"),
        ("SCHEDULE_CRON", "0 6 * *", "SCHEDULE_CRON: '0 6 * *' is not usable"),
    ],
)
def test_worker__refuses_wrong_settings_in_one_sentence(
    valkey: str, name: str, value: str, said: str
) -> None:
    """A Celery worker does not start with a setting that cannot work, and says which it is."""
    environment = {"REDIS_URL": valkey, name: value, "PATH": "/usr/bin:/bin"}

    started = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "pipeline", "worker", "-Q", "reaper"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert started.returncode != 0
    assert f"curation: {said}" in started.stderr
    assert "Traceback" not in started.stderr
