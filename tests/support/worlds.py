"""A look into an open world: clients of its servers, and its processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import boto3
import psutil
from redis import Redis

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

    from sandbox.world import World


def redis_of(world: World) -> Redis:
    """Returns a client of the world's broker."""
    return Redis.from_url(world.environment["REDIS_URL"], decode_responses=True)


def s3_of(world: World) -> S3Client:
    """Returns a client of the world's S3."""
    return boto3.client(
        "s3",
        endpoint_url=world.environment["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id=world.environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=world.environment["AWS_SECRET_ACCESS_KEY"],
        region_name=world.environment["AWS_DEFAULT_REGION"],
    )


def family(world: World) -> list[psutil.Process]:
    """Returns the supervisor and everything below it."""
    pid = next(iter(world.processes.values())).pid
    supervisor = psutil.Process(pid).parent()
    assert supervisor
    return [supervisor, *supervisor.children(recursive=True)]


def is_gone(process: psutil.Process) -> bool:
    """Tells whether a process has ended."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
