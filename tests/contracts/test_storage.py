"""What object storage promises, on two independent S3 servers."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import random
from typing import TYPE_CHECKING

import pytest

from curation.adapters.storage.s3 import S3Storage
from curation.errors import OperatorError, RequestError, TransientError
from curation.ports import UPLOAD_GONE, ObjectInfo, OpenUpload, Part

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

BYTES = random.Random(0).randbytes(9_000_000)
# Every part but the last has at least 5 MiB.
FIRST, LAST = BYTES[: 5 * 1024 * 1024], BYTES[5 * 1024 * 1024 :]


@pytest.fixture(params=["moto", "rclone"])
def s3_endpoint(request: pytest.FixtureRequest) -> str:
    """Each test runs on both servers."""
    endpoint: str = request.getfixturevalue(f"{request.param}_endpoint")
    return endpoint


@pytest.fixture
def storage(s3_client: S3Client) -> S3Storage:
    """The adapter; boto3's variables lead to the server."""
    return storage_at(s3_client.meta.endpoint_url)


@functools.cache  # building boto3's client takes longer than most tests
def storage_at(endpoint: str) -> S3Storage:
    """Returns the adapter for the server that boto3's variables lead to at its first call."""
    assert os.environ["AWS_ENDPOINT_URL_S3"] == endpoint
    return S3Storage()


@pytest.fixture
def uri(bucket: str) -> str:
    """Where the test's object goes."""
    return f"s3://{bucket}/videos/run-1/clip.mp4"


def upload(storage: S3Storage, uri: str) -> tuple[str, list[Part]]:
    """Begins an upload and puts both parts."""
    upload_id = storage.begin(uri, content_type="video/mp4")
    parts = [
        storage.put_part(uri, upload_id, number=1, data=FIRST),
        storage.put_part(uri, upload_id, number=2, data=LAST),
    ]
    return upload_id, parts


def test_multipart__makes_the_object(storage: S3Storage, uri: str) -> None:
    """The parts in order are the object, with the type that was said."""
    upload_id, parts = upload(storage, uri)

    storage.complete(uri, upload_id, parts)

    assert storage.head(uri) == ObjectInfo(uri, len(BYTES), "video/mp4")
    with storage.read(uri) as chunks:
        assert b"".join(chunks) == BYTES
    assert storage.unfinished(uri) == []


def test_put_part__describes_the_part(storage: S3Storage, uri: str) -> None:
    """A part is known by number, length and SHA-256."""
    _, [first, last] = upload(storage, uri)

    assert (first.number, first.size_bytes) == (1, len(FIRST))
    assert first.sha256 == hashlib.sha256(FIRST).hexdigest()
    assert (last.number, last.size_bytes) == (2, len(LAST))


def test_put_part__again__replaces_the_part(storage: S3Storage, uri: str) -> None:
    """A part whose answer was lost is simply put again."""
    upload_id, [_, last] = upload(storage, uri)

    first = storage.put_part(uri, upload_id, number=1, data=FIRST)
    storage.complete(uri, upload_id, [first, last])

    with storage.read(uri) as chunks:
        assert b"".join(chunks) == BYTES


def test_complete__again__succeeds(storage: S3Storage, uri: str) -> None:
    """A completion whose answer was lost may be asked for again."""
    upload_id, parts = upload(storage, uri)
    storage.complete(uri, upload_id, parts)

    storage.complete(uri, upload_id, parts)

    assert storage.head(uri) == ObjectInfo(uri, len(BYTES), "video/mp4")


def test_complete__with_a_part_that_is_not_there(storage: S3Storage, uri: str) -> None:
    """Parts that the server does not have make the upload one to begin anew."""
    upload_id, parts = upload(storage, uri)
    wrong = [parts[0], Part(3, '"0"', 1, "")]

    with pytest.raises(TransientError) as caught:
        storage.complete(uri, upload_id, wrong)

    assert caught.value.code == UPLOAD_GONE
    assert storage.head(uri) is None


def test_abort__leaves_nothing(storage: S3Storage, uri: str, s3_client: S3Client) -> None:
    """An aborted upload is gone; to abort it again is no error."""
    upload_id, _ = upload(storage, uri)

    storage.abort(uri, upload_id)
    storage.abort(uri, upload_id)

    bucket = uri.split("/")[2]
    assert "Uploads" not in s3_client.list_multipart_uploads(Bucket=bucket)
    assert storage.head(uri) is None


def test_abort__after_completion__leaves_the_object(storage: S3Storage, uri: str) -> None:
    """Whoever aborts too late does no harm."""
    upload_id, parts = upload(storage, uri)
    storage.complete(uri, upload_id, parts)

    storage.abort(uri, upload_id)

    assert storage.head(uri) == ObjectInfo(uri, len(BYTES), "video/mp4")


def test_unfinished__lists_the_object_alone(storage: S3Storage, uri: str) -> None:
    """Open uploads of objects whose keys begin alike are not taken for ours."""
    mine = {storage.begin(uri, content_type="video/mp4") for _ in range(2)}
    storage.begin(f"{uri}.bak", content_type="video/mp4")

    assert set(storage.unfinished(uri)) == mine


def test_unfinished__of_a_new_bucket__is_empty(storage: S3Storage, uri: str) -> None:
    """A bucket that never had an upload has no open one."""
    assert storage.unfinished(uri) == []


def test_open_under__lists_all_below_the_prefix(storage: S3Storage, uri: str) -> None:
    """Open uploads below a prefix are named by object and id, those beside it are not."""
    mine = OpenUpload(uri, storage.begin(uri, content_type="video/mp4"))
    other = uri.replace("run-1", "run-2")
    second = OpenUpload(other, storage.begin(other, content_type="video/mp4"))
    beside = uri.replace("videos", "films")
    storage.begin(beside, content_type="video/mp4")

    found = storage.open_under(uri.partition("run-1")[0])

    assert {mine, second} == set(found)
    assert len(found) == 2


def test_head__missing__is_none(storage: S3Storage, uri: str) -> None:
    """No object is no error."""
    assert storage.head(uri) is None


def test_read__missing__is_refused(storage: S3Storage, uri: str) -> None:
    """To read what is not there is an error that names it."""
    with pytest.raises(RequestError, match="no object s3://bucket-") as caught:
        storage.read(uri).__enter__()

    assert caught.value.code == "aws:s3:no-object"


def test_put_and_delete(storage: S3Storage, uri: str) -> None:
    """A small object is written, replaced and deleted; to delete it again is no error."""
    storage.put(uri, b"old", content_type="text/plain")
    storage.put(uri, b"new words", content_type="text/plain")
    info = storage.head(uri)

    storage.delete(uri)
    storage.delete(uri)

    assert info == ObjectInfo(uri, 9, "text/plain")
    assert storage.head(uri) is None


def test_under__lists_by_name(storage: S3Storage, bucket: str) -> None:
    """A listing has what begins with the prefix, of any depth, and nothing else."""
    for name in ("pool/b/2.frames", "pool/a.frames", "pools.txt"):
        storage.put(f"s3://{bucket}/{name}", name.encode(), content_type="text/plain")

    listed = list(storage.under(f"s3://{bucket}/pool/"))

    assert listed == [
        ObjectInfo(f"s3://{bucket}/pool/a.frames", 13, None),
        ObjectInfo(f"s3://{bucket}/pool/b/2.frames", 15, None),
    ]


def test_under__nothing_is_empty(storage: S3Storage, bucket: str) -> None:
    """A prefix without an object is no error."""
    assert list(storage.under(f"s3://{bucket}/pool/")) == []


@pytest.mark.parametrize("name", ["clip one.mp4", "cl\u00efp+&=%20.mp4", "\u52d5\u753b.mp4"])
def test_put__any_name(storage: S3Storage, bucket: str, name: str) -> None:
    """Names need no escaping by the caller."""
    uri = f"s3://{bucket}/{name}"

    storage.put(uri, b"x", content_type="text/plain")

    assert storage.head(uri) == ObjectInfo(uri, 1, "text/plain")


def test_open__reads_like_a_file(storage: S3Storage, uri: str) -> None:
    """Whatever is sought and read, the bytes are those of a file with the same content."""
    storage.put(uri, BYTES, content_type="video/mp4")
    dice = random.Random(1)

    with storage.open(uri) as remote, io.BytesIO(BYTES) as local:
        for _ in range(50):
            place, size = dice.randrange(len(BYTES) + 10), dice.choice([0, 1, 70_000, 5_000_000])
            assert remote.seek(place) == local.seek(place)
            assert remote.read(size) == local.read(size)
        assert remote.seek(-5, os.SEEK_END) == local.seek(-5, os.SEEK_END)
        assert remote.read() == local.read()
        assert remote.seek(-1, os.SEEK_CUR) == remote.tell() == len(BYTES) - 1


def test_open__replaced_since__is_refused(storage: S3Storage, uri: str) -> None:
    """A decoder never sees bytes of two objects."""
    storage.put(uri, BYTES, content_type="video/mp4")
    with storage.open(uri) as remote:
        remote.read(10)
        storage.put(uri, BYTES[::-1], content_type="video/mp4")
        remote.seek(8_000_000)

        with pytest.raises(RequestError, match="changed") as caught:
            remote.read(10)

    assert caught.value.code == "aws:s3:changed"


def test_open__missing__is_refused(storage: S3Storage, uri: str) -> None:
    """To open what is not there is an error that names it."""
    with pytest.raises(RequestError, match="no object"):
        storage.open(uri)


def test_no_bucket__is_named(storage: S3Storage) -> None:
    """A bucket that does not exist is for the operator to create, and is named."""
    with pytest.raises(OperatorError, match=r"'missing-bucket' failed \(NoSuchBucket\)") as caught:
        storage.begin("s3://missing-bucket/clip.mp4", content_type="video/mp4")

    assert caught.value.code == "aws:s3:no-bucket"


def test_name_of_a_host__has_the_bucket_in_the_path(
    s3_endpoint: str, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server of one's own needs no DNS name for each bucket."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_endpoint.replace("127.0.0.1", "localhost"))
    uri = f"s3://{bucket}/clip.mp4"
    storage = S3Storage()

    storage.put(uri, b"x", content_type="video/mp4")

    assert storage.head(uri) == ObjectInfo(uri, 1, "video/mp4")
