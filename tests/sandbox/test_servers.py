from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError
from redis.retry import Retry

from sandbox.readiness import broker_answers, http_answers
from sandbox.world import World
from tests.support.waiting import wait_until
from tests.support.worlds import redis_of, s3_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_s3 import S3Client


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The servers alone."""
    with World(celery=False) as world:
        yield world


def kill(world: World, name: str) -> None:
    """Kills a process as a crash does, and returns when its successor runs."""
    before = world.processes[name]
    assert before.pid
    os.kill(before.pid, signal.SIGKILL)
    wait_until(lambda: world.processes[name].restarts > before.restarts)


def test_valkey__wants_a_password(world: World) -> None:
    """Nobody without the URL reads or changes the sandbox's runs."""
    once = Retry(NoBackoff(), retries=0)
    stranger = Redis(host="127.0.0.1", port=world.ports["valkey"], retry=once)

    with stranger, pytest.raises(AuthenticationError):
        stranger.ping()


def test_valkey__comes_back_with_its_data(world: World) -> None:
    """A killed broker is started again on the same port and has lost nothing."""
    with redis_of(world) as client:
        client.set("kept", "yes")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}

    kill(world, "valkey")

    wait_until(lambda: broker_answers(world.environment["REDIS_URL"]))
    with redis_of(world) as client:
        assert client.get("kept") == "yes"


def test_s3__comes_back_with_its_objects(world: World) -> None:
    """A killed S3 server is started again on the same port and has lost nothing."""
    s3 = s3_of(world)
    s3.put_object(Bucket="input", Key="videos/kept.mp4", Body=b"kept", ContentType="video/mp4")

    kill(world, "s3")

    wait_until(lambda: http_answers(world.ports["s3"], "/", status=400))
    head = s3.head_object(Bucket="input", Key="videos/kept.mp4")
    assert (head["ContentLength"], head["ContentType"]) == (4, "video/mp4")


def test_s3__keeps_objects_as_plain_files(world: World) -> None:
    """A person finds an object as a file, and S3 finds a file that a person puts there."""
    s3 = s3_of(world)
    folder = world.data / "buckets" / "lightly" / "results" / "a run"

    s3.put_object(Bucket="lightly", Key="results/a run/frame.jpg", Body=b"one")
    assert (folder / "frame.jpg").read_bytes() == b"one"

    (folder / "by-hand.jpg").write_bytes(b"two")
    assert wait_until(lambda: keys_of(s3) == ["by-hand.jpg", "frame.jpg"])


def keys_of(s3: S3Client) -> list[str]:
    """Returns the names of the objects of "a run"."""
    listing = s3.list_objects_v2(Bucket="lightly", Prefix="results/a run/")
    return [entry["Key"].rpartition("/")[2] for entry in listing["Contents"]]


def test_s3__does_multipart_uploads(world: World) -> None:
    """An upload in parts is listed while it is open, and whole or gone afterwards."""
    s3 = s3_of(world)
    part = b"x" * 5 * 1024**2

    whole = s3.create_multipart_upload(Bucket="input", Key="whole")["UploadId"]
    etag = s3.upload_part(Bucket="input", Key="whole", UploadId=whole, PartNumber=1, Body=part)[
        "ETag"
    ]
    gone = s3.create_multipart_upload(Bucket="input", Key="gone")["UploadId"]
    assert len(s3.list_multipart_uploads(Bucket="input")["Uploads"]) == 2
    s3.complete_multipart_upload(
        Bucket="input",
        Key="whole",
        UploadId=whole,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]},
    )
    s3.abort_multipart_upload(Bucket="input", Key="gone", UploadId=gone)

    assert s3.list_multipart_uploads(Bucket="input").get("Uploads", []) == []
    found = s3.get_object(Bucket="input", Key="whole", Range="bytes=5242878-")
    assert found["Body"].read() == b"xx"
    with pytest.raises(ClientError, match="404"):
        s3.head_object(Bucket="input", Key="gone")


def test_s3__wants_its_key(world: World) -> None:
    """Requests with another key are refused."""
    stranger = boto3.client(
        "s3",
        endpoint_url=world.environment["AWS_ENDPOINT_URL_S3"],
        aws_access_key_id="stranger",
        aws_secret_access_key="stranger",
        region_name="eu-central-1",
    )

    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        stranger.list_buckets()
