"""The pipeline on one machine against the real settings: `python -m sandbox.stack up` or `down`.

A broker unless there is one, a Celery worker for each queue, beat, Flower and the pages, in the
background and each restarted when it dies. What they leave is in `var/` of the current folder.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dotenv import dotenv_values, find_dotenv

from sandbox.launch import Part, launch
from sandbox.processes import HOST, Process, SandboxError, Supervisor
from sandbox.readiness import broker_answers, http_answers, worker_answers
from sandbox.valkey import valkey

if TYPE_CHECKING:
    from collections.abc import Mapping

QUEUES = ("ingest", "compute", "selection", "reaper", "reports")
DEFAULT_REDIS_URL = f"redis://{HOST}:6379/0"
# Names and defaults of Flower's own setting and of ours.
FLOWER_PORT = ("FLOWER_PORT", "5555")
WEB_PORT = ("WEB_PORT", "8080")


def main() -> None:
    """Brings the stack up or down."""
    parser = argparse.ArgumentParser(prog="sandbox.stack", description=__doc__)
    parser.add_argument("command", choices=("up", "down"))
    folder = Path("var").resolve()
    try:
        report = up(folder) if parser.parse_args().command == "up" else down(folder)
    except SandboxError as error:
        sys.exit(str(error))
    sys.stdout.write(f"{report}\n")


def up(folder: Path) -> str:
    """Starts the stack in the background and returns what runs, for people.

    Args:
        folder: Where logs and the broker's data go.

    Raises:
        SandboxError: If the stack is up already, or a process does not start.
    """
    (folder / "logs").mkdir(parents=True, exist_ok=True)
    settings = _settings()
    layers = _layers(folder, settings)
    supervisor = Supervisor(folder)
    supervisor.start(os.environ)
    try:
        for layer in layers:
            launch(supervisor, layer)
    except BaseException:
        supervisor.stop()
        raise
    supervisor.leave()
    names = [part.process.name for layer in layers for part in layer]
    return (
        f"Running: {', '.join(names)}\n"
        f"Pages:   {_place('WEB_BASIC_AUTH', WEB_PORT, settings)}\n"
        f"Flower:  {_place('FLOWER_BASIC_AUTH', FLOWER_PORT, settings)}\n"
        f"Logs:    {folder / 'logs'}\n"
        "Stop it: make down"
    )


def down(folder: Path) -> str:
    """Ends the stack and returns what was done, for people."""
    if not folder.is_dir() or not Supervisor(folder).running():
        return "Nothing was running."
    Supervisor(folder).stop()
    return "Everything has ended."


def _place(login: str, port: tuple[str, str], settings: Mapping[str, str]) -> str:
    if login not in settings:
        return f"not started. Set {login}=user:password to have it."
    return f"http://{HOST}:{settings.get(*port)}/"


def _settings() -> dict[str, str]:
    """Returns the variables that are set, as the processes will see them."""
    file = dotenv_values(find_dotenv(usecwd=True))
    return {name: value for name, value in {**file, **os.environ}.items() if value}


def _layers(folder: Path, settings: Mapping[str, str]) -> list[list[Part]]:
    """Describes the broker, and what stands on it: whoever finds none waits before a next try."""
    url = settings.get("REDIS_URL", DEFAULT_REDIS_URL)
    # With an instance the engine's worker runs there; a second one here would take its work away.
    queues = QUEUES if "EC2_INSTANCE_ID" in settings else (*QUEUES, "engine")
    celery = [*(_worker(folder, queue, url) for queue in queues), _beat(folder)]
    if "FLOWER_BASIC_AUTH" in settings:
        celery.append(_flower(folder, settings))
    if "WEB_BASIC_AUTH" in settings:
        celery.append(_web(folder, settings))
    return [_broker(folder, url), celery]


def _broker(folder: Path, url: str) -> list[Part]:
    """Describes a broker at `url`, if that is on this machine and nobody is there."""
    place = urlsplit(url)
    here = place.scheme == "redis" and place.hostname in {"127.0.0.1", "localhost"}
    if not here or broker_answers(url):
        return []
    process = valkey(
        folder / "valkey",
        port=place.port or 6379,
        password=place.password or "",
        log=_log(folder, "valkey"),
    )
    return [Part(process, lambda: broker_answers(url))]


def _worker(folder: Path, queue: str, url: str) -> Part:
    node = f"{queue}@stack"
    # The engine embeds the segments of a long video side by side, one on each core.
    concurrency = str(os.cpu_count() or 1) if queue == "engine" else "2"
    process = _celery(
        folder, queue, *("worker", "-Q", queue, "-n", node, "-c", concurrency, "-l", "INFO")
    )
    return Part(process, lambda: worker_answers(url, node))


def _beat(folder: Path) -> Part:
    schedule = str(folder / "beat")
    process = _celery(folder, "beat", *("beat", "-s", schedule, "--pidfile", "", "-l", "INFO"))
    return Part(process, lambda: True)


def _flower(folder: Path, settings: Mapping[str, str]) -> Part:
    port = int(settings.get(*FLOWER_PORT))
    process = _celery(folder, "flower", *("flower", f"--address={HOST}", f"--port={port}"))
    if "WEB_BASIC_AUTH" in settings and "WEB_URL" not in settings:
        link = _place("WEB_BASIC_AUTH", WEB_PORT, settings)
        process = replace(process, environment={"WEB_URL": link})
    return Part(process, lambda: http_answers(port, "/healthcheck", status=200))


def _web(folder: Path, settings: Mapping[str, str]) -> Part:
    port = int(settings.get(*WEB_PORT))
    process = _python(folder, "web", "pipeline.cli", "serve", "--port", str(port))
    if "FLOWER_BASIC_AUTH" in settings and "FLOWER_URL" not in settings:
        link = _place("FLOWER_BASIC_AUTH", FLOWER_PORT, settings)
        process = replace(process, environment={"FLOWER_URL": link})
    return Part(process, lambda: http_answers(port, "/health", status=200))


def _celery(folder: Path, name: str, *arguments: str) -> Process:
    return _python(folder, name, "celery", "-A", "pipeline", *arguments)


def _python(folder: Path, name: str, *arguments: str) -> Process:
    return Process(
        name=name,
        command=[sys.executable, "-m", *arguments],
        # Where the user is, because that is where `.env` is looked for.
        folder=str(Path.cwd()),
        log=str(_log(folder, name)),
        layer=1,
        grace_s=60.0,
    )


def _log(folder: Path, name: str) -> Path:
    return folder / "logs" / f"{name}.log"


if __name__ == "__main__":
    main()
