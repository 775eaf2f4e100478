"""What several test folders share: real servers, started once in a session."""

from __future__ import annotations

import shutil
import signal
import uuid
from typing import TYPE_CHECKING

import hypothesis
import pytest
from moto.server import ThreadedMotoServer
from playwright.sync_api import expect, sync_playwright
from redis import Redis

from tests.support.cloud import cloud_server
from tests.support.lightly import lightly_server
from tests.support.servers import (
    bare_s3_client,
    rclone_server,
    s3_environment,
    valkey_server,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser
    from types_boto3_s3 import S3Client

    from tests.support.cloud import Cloud
    from tests.support.lightly import Lightly


# A shell starts what it puts into the background with Ctrl-C ignored, and children inherit that. A
# handler of our own is not inherited, so the commands under test hear Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says something about the machine, nothing about the code.
hypothesis.settings.register_profile("house", hypothesis.settings(), deadline=None)
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def valkey() -> Iterator[str]:
    """URL of a Valkey server that this session has for itself."""
    with valkey_server() as url:
        yield url


@pytest.fixture
def redis_client(valkey: str) -> Iterator[Redis]:
    """A client of an empty Valkey."""
    with Redis.from_url(valkey, decode_responses=True) as client:
        client.flushall()
        yield client


@pytest.fixture(scope="session")
def rclone_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """S3 as rclone serves it: checks signatures and MD5 sums."""
    with rclone_server(tmp_path_factory.mktemp("buckets")) as url:
        yield url


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    """S3 as moto serves it: knows conditions and bucket policies."""
    # Without the address moto listens on every interface.
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def s3_endpoint(rclone_endpoint: str) -> str:
    """The S3 server of every test that needs just one."""
    return rclone_endpoint


@pytest.fixture
def s3_client(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> S3Client:
    """A bare boto3 client, to look at buckets with; boto3's variables point to the same server."""
    for name, value in s3_environment(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    return bare_s3_client(s3_endpoint)


@pytest.fixture
def bucket(s3_client: S3Client) -> str:
    """Name of a new, empty bucket."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    s3_client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def cloud(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cloud]:
    """EC2 and SSM of this test alone, both instances stopped; boto3's variables point to it.

    Its parameter, if any, says how slow it is, for example `{"boot_s": 60.0}`.
    """
    with cloud_server(tmp_path / "cloud", **getattr(request, "param", {})) as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        yield server


@pytest.fixture(scope="session")
def lightly_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lightly]:
    """Hosted Lightly of all tests; what one leaves there does no harm to another."""
    with lightly_server(tmp_path_factory.mktemp("lightly")) as server:
        yield server


@pytest.fixture
def lightly(lightly_stand_in: Lightly, monkeypatch: pytest.MonkeyPatch) -> Lightly:
    """Hosted Lightly, without the faults and plans of other tests; the client finds it."""
    for name, value in lightly_stand_in.environment.items():
        monkeypatch.setenv(name, value)
    lightly_stand_in.begin()
    return lightly_stand_in


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium, without any traffic of its own.

    Not the session's: until Playwright is closed, this thread has a running event loop, in which
    neither a second Playwright nor a library that calls `asyncio.run` works.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("No Chromium is installed; .ci/run installs it.")
    quiet = ["--no-sandbox", "--disable-background-networking", "--disable-quic"]
    expect.set_options(timeout=60_000)  # a slow machine's
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=quiet)
        yield chromium
        chromium.close()
