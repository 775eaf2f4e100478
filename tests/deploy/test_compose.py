"""The rules that every service of the compose file obeys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from curation.settings import GROUPS, variables
from pipeline.celery import app
from tests.support.compose import ROOT, MissingVariableError, seconds, services

if TYPE_CHECKING:
    from tests.support.compose import Entry

REQUIRED = {
    "REDIS_PASSWORD": "canary-redis",
    "FLOWER_BASIC_AUTH": "canary:flower",
    "WEB_BASIC_AUTH": "canary:web",
    "S3_INPUT_BUCKET": "s3://input/videos/",
    "S3_LIGHTLY_BUCKET": "s3://lightly/",
}
WORKERS = {"ingest", "compute", "selection", "engine", "reaper", "reports"}
OURS = WORKERS | {"beat", "flower", "web", "curate"}
SERVICES = services(REQUIRED)
# Who is given which secret; Redis's password is for all, as a part of REDIS_URL.
AWS_USERS = WORKERS | {"web", "curate"}
SECRETS = {
    "API_TOKEN": {"web", "curate"},
    "AWS_ACCESS_KEY_ID": AWS_USERS,
    "AWS_SECRET_ACCESS_KEY": AWS_USERS,
    "AWS_SESSION_TOKEN": AWS_USERS,
    "FLOWER_BASIC_AUTH": {"flower", "curate"},
    "LIGHTLY_TOKEN": {"selection", "curate"},
    "NOTIFY_URLS": {"reports", "curate"},
    "PEXELS_API_KEY": {"ingest", "curate"},
    "REDIS_PASSWORD": {"redis"},
    "S3_EXTERNAL_ID": {"selection", "curate"},
    "WEB_BASIC_AUTH": {"web", "curate"},
}
every_service = pytest.mark.parametrize("entry", SERVICES.values(), ids=SERVICES)


def test_services__are_one_for_each_queue_and_what_serves_them() -> None:
    """Every queue that a task uses has its service, and nobody depends on the engine's."""
    queues = {app.amqp.router.route({}, name)["queue"].name for name in our_tasks()}

    assert set(SERVICES) == OURS | {"redis"}
    assert queues == WORKERS
    assert {name: queue_of(SERVICES[name]) for name in WORKERS} == {name: name for name in WORKERS}
    assert {name for name, entry in SERVICES.items() if "profiles" in entry} == {"engine", "curate"}
    assert {who for entry in SERVICES.values() for who in entry.get("depends_on", {})} == {"redis"}


@every_service
def test_service__is_confined(entry: Entry) -> None:
    """No root, no writable image, no capabilities, no new privileges, no machine's files."""
    user = entry["user"].split(":")[0]
    volumes = [volume.split(":")[0] for volume in entry.get("volumes", [])]

    assert int(user) > 0
    assert entry["read_only"] is True
    assert entry["cap_drop"] == ["ALL"]
    assert entry["security_opt"] == ["no-new-privileges:true"]
    assert all("noexec" in place for place in entry["tmpfs"])
    assert set(volumes) <= {"redis", "beat"}
    assert {"privileged", "cap_add", "devices", "pid", "network_mode", "env_file"} & set(
        entry
    ) == set()


@every_service
def test_service__does_not_fill_the_disk_with_logs(entry: Entry) -> None:
    """Old lines of a log make room for new ones."""
    assert entry["logging"]["options"] == {"max-size": "10m", "max-file": "5"}


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "curate"])
def test_service__comes_back_and_is_watched(name: str) -> None:
    """Whoever runs all the time is started again and has a health check."""
    entry = SERVICES[name]

    assert entry["restart"] == "always"
    assert set(entry["healthcheck"]) == {"test", "interval", "timeout", "retries", "start_period"}
    assert seconds(entry["healthcheck"]["timeout"]) < seconds(entry["healthcheck"]["interval"])


@every_service
def test_service__uses_a_pinned_image(entry: Entry) -> None:
    """What runs is known: our own image, or another's with its whole version."""
    assert re.fullmatch(r"video-curation:local|valkey/valkey:\d+\.\d+\.\d+-alpine", entry["image"])


@pytest.mark.parametrize("name", sorted(WORKERS - {"engine"}))
def test_worker__has_time_to_end_its_tasks(name: str) -> None:
    """A stop waits for longer than any task of the queue may take."""
    limits = [
        app.tasks[task].time_limit or app.conf.task_time_limit
        for task in our_tasks()
        if app.amqp.router.route({}, task)["queue"].name == name
    ]

    assert seconds(SERVICES[name]["stop_grace_period"]) > max(limits)


def test_ports__are_those_of_pages_on_this_machine_alone() -> None:
    """Nothing is reached from outside the machine; Redis not even from the machine."""
    ports = {name: entry["ports"] for name, entry in SERVICES.items() if "ports" in entry}

    assert ports == {"flower": ["127.0.0.1:5555:5555"], "web": ["127.0.0.1:8080:8080"]}
    assert SERVICES["redis"]["networks"] == SERVICES["beat"]["networks"] == ["broker"]


def test_secrets__reach_only_those_who_need_them() -> None:
    """Each secret is given to the services that use it, and to no other."""
    given = {
        secret: {name for name, entry in SERVICES.items() if secret in entry["environment"]}
        for secret in SECRETS
    }

    assert given == SECRETS


def test_secrets__are_in_no_command_and_not_in_the_file() -> None:
    """A command line is for everybody to read; so are health checks."""
    seen = [
        str([entry.get("entrypoint"), entry.get("command"), entry.get("healthcheck")])
        for entry in SERVICES.values()
    ]

    assert "canary" not in str(seen)
    assert "canary" in str(SERVICES)


def test_settings__all_reach_the_command_line() -> None:
    """Every setting that there is can be set, and `curate doctor` sees what the others see."""
    ours = {name for group in GROUPS for name in variables(group)}

    assert ours <= set(SERVICES["curate"]["environment"])


@pytest.mark.parametrize("name", sorted(OURS))
def test_settings__are_the_same_for_all(name: str) -> None:
    """No service differs from another in a setting that is no secret."""
    others = {
        key: value for key, value in SERVICES["beat"]["environment"].items() if key not in SECRETS
    }

    assert others.items() <= SERVICES[name]["environment"].items()


@pytest.mark.parametrize("name", REQUIRED)
def test_settings__that_must_be_are_asked_for(name: str) -> None:
    """Without one of them compose does nothing, and says what to set."""
    missing = {key: value for key, value in REQUIRED.items() if key != name}

    with pytest.raises(MissingVariableError, match=f"{name}: Set {name}"):
        services(missing)


def test_settings__that_are_not_set_are_not_passed_on() -> None:
    """A default stays a default, and an empty credential is not mistaken for one."""
    given = services({**REQUIRED, "POLL_INTERVAL_S": "5"})["compute"]["environment"]

    assert given["POLL_INTERVAL_S"] == "5"
    assert given["LEASE_TTL_S"] is given["AWS_ACCESS_KEY_ID"] is None


def test_image__holds_no_secret_and_nothing_unhashed() -> None:
    """The image is built from a list of our own files, as another user than root."""
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    installs = [line for line in re.split(r"&&|\nRUN", dockerfile) if " install --no-cache" in line]

    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)

    assert re.fullmatch(r"python:3\.1[1-3]\.\d+-slim-\w+", bases[0])
    assert bases[1:] == ["base", "base"]
    assert re.findall(r"^USER (.+)$", dockerfile, re.MULTILINE) == [SERVICES["beat"]["user"]]
    assert all("--require-hashes" in line or "/wheel/*.whl" in line for line in installs)
    assert all("--no-deps" in line for line in installs)
    assert "PYTHONDONTWRITEBYTECODE" not in dockerfile
    assert [line for line in ignored if not line.startswith(("#", "!"))] == ["*", "**/__pycache__"]
    assert ".env" not in str([line for line in ignored if line.startswith("!")])


def our_tasks() -> list[str]:
    """Returns the names of our tasks."""
    app.loader.import_default_modules()
    return [name for name in app.tasks if not name.startswith("celery.")]


def queue_of(entry: Entry) -> str:
    """Returns the queue that a Celery worker consumes."""
    match = re.search(r" -Q (\w+) ", entry["command"])
    return match[1] if match else ""
