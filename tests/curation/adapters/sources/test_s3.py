"""Objects and prefixes in S3."""

from __future__ import annotations

import functools
import random
from typing import TYPE_CHECKING

import pytest

from curation.adapters.sources.s3 import S3Source
from curation.adapters.storage.s3 import S3Storage
from curation.errors import OperatorError, RequestError, TransientError
from tests.support.reading import fetch
from tests.support.scripted_server import Answer, ScriptedServer, scripted_server
from tests.support.servers import s3_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_s3 import S3Client

XML = {"Content-Type": "application/xml"}
MANY = random.Random(0).randbytes(9_000_000)


@functools.cache  # building boto3's client takes longer than most tests
def storage_at(_endpoint: str) -> S3Storage:
    """Returns S3 at the server that boto3's variables lead to at its first call."""
    return S3Storage()


def source_of(s3: S3Client, uri: str) -> S3Source:
    """Returns a source at a client's server."""
    return S3Source(uri, storage_at(s3.meta.endpoint_url).contents, max_bytes=10_000_000)


def put(s3: S3Client, bucket: str, *keys: str) -> None:
    """Puts small objects."""
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())


def names(source: S3Source) -> list[str]:
    """Returns the names of all videos on offer."""
    return [video.name for video in source.candidates()]


def test_candidates__of_a_prefix__are_its_videos_by_name(s3_client: S3Client, bucket: str) -> None:
    """Videos at any depth, whatever the case of their ending, and nothing that is none."""
    put(s3_client, bucket, "in/b.mp4", "in/a/z.MOV", "in/c.webm", "in/notes.txt", "other/d.mp4")

    source = source_of(s3_client, f"s3://{bucket}/in/")

    assert names(source) == ["z.MOV", "b.mp4", "c.webm"]
    assert source.exclusive


@pytest.mark.parametrize("prefix", ["", "/", "/i", "/in", "/in/b"])
def test_candidates__of_any_beginning(s3_client: S3Client, bucket: str, prefix: str) -> None:
    """A prefix is the beginning of keys, as everywhere in S3."""
    put(s3_client, bucket, "in/b.mp4")

    source = source_of(s3_client, f"s3://{bucket}{prefix}")

    [video] = source.candidates()
    assert video.url == video.public_url == f"s3://{bucket}/in/b.mp4"
    assert source.exclusive


@pytest.mark.parametrize("key", ["in/b.mp4", "in/clip", "a b+c%20\u00ef.mp4"])
def test_candidates__of_a_key__are_that_object(s3_client: S3Client, bucket: str, key: str) -> None:
    """A key that exists is that one video, whatever its name; every run that names it gets it."""
    put(s3_client, bucket, key, f"{key}.mp4")

    source = source_of(s3_client, f"s3://{bucket}/{key}")

    assert not source.exclusive
    [video] = source.candidates()
    assert fetch(source, video) == key.encode()


@pytest.mark.parametrize("prefix", ["", "/none", "/none/", "/in/clip.mp4x"])
def test_candidates__nothing__is_refused(s3_client: S3Client, bucket: str, prefix: str) -> None:
    """Neither an object nor a video: the URI is named."""
    put(s3_client, bucket, "in/notes.txt")
    uri = f"s3://{bucket}{prefix}"

    with pytest.raises(RequestError, match=f"neither an object {uri} nor") as caught:
        names(source_of(s3_client, uri))

    assert caught.value.code == "source:not-found"


@pytest.mark.parametrize("key", ["clip.mp4", "in/"])
def test_candidates__no_bucket__is_refused(s3_client: S3Client, key: str) -> None:
    """A bucket that is not there is a mistake of whoever named it, not of the settings."""
    with pytest.raises(RequestError, match="no bucket 'missing-bucket'") as caught:
        names(source_of(s3_client, f"s3://missing-bucket/{key}"))

    assert caught.value.code == "source:not-found"


@pytest.mark.parametrize("offset", [0, 1, 8_388_608, 8_999_999])
def test_open__over_several_ranges(s3_client: S3Client, bucket: str, offset: int) -> None:
    """What does not fit one range comes in several, without a gap."""
    s3_client.put_object(Bucket=bucket, Key="many.mp4", Body=MANY)
    source = source_of(s3_client, f"s3://{bucket}/many.mp4")
    [video] = source.candidates()

    assert fetch(source, video, offset=offset) == MANY[offset:]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """In place of S3."""
    with scripted_server() as running:
        for name, value in s3_environment(running.url).items():
            monkeypatch.setenv(name, value)
        yield running


def scripted(uri: str) -> S3Source:
    """Returns a source at the scripted server."""
    return S3Source(uri, S3Storage().contents, max_bytes=1000)


def page(*keys: str, following: str = "") -> Answer:
    """Returns a page of a listing as S3 writes it."""
    items = "".join(
        f'<Contents><Key>{key}</Key><Size>5</Size><ETag>"one"</ETag></Contents>' for key in keys
    )
    more = f"<NextContinuationToken>{following}</NextContinuationToken>" if following else ""
    truncated = f"<IsTruncated>{'true' if following else 'false'}</IsTruncated>"
    return Answer(
        200, f"<ListBucketResult>{truncated}{more}{items}</ListBucketResult>".encode(), XML
    )


def refusal(status: int, code: str) -> Answer:
    """Returns an error as S3 writes it."""
    return Answer(status, f"<Error><Code>{code}</Code></Error>".encode(), XML)


def test_candidates__over_several_pages(server: ScriptedServer) -> None:
    """A listing goes on where the page before it ended, and only as far as it is wanted."""
    server.answers = [page("a.mp4", "b.txt", following="next+page"), page("c.mp4")]

    videos = scripted("s3://bucket/").candidates()

    assert next(videos).name == "a.mp4"
    assert len(server.asked) == 1
    assert [video.name for video in videos] == ["c.mp4"]
    assert "continuation-token=next%2Bpage" in server.asked[1].path


def test_candidates__listing_denied__names_the_permission(server: ScriptedServer) -> None:
    """Whoever may not list is told what to grant, and on what."""
    server.answers = [refusal(403, "AccessDenied")]

    with pytest.raises(
        OperatorError, match=r"Grant s3:ListBucket on arn:aws:s3:::bucket to"
    ) as error:
        names(scripted("s3://bucket/in/"))

    assert error.value.code == "aws:s3:denied"


def test_candidates__look_denied__names_both_permissions(server: ScriptedServer) -> None:
    """S3 denies what is not there to those who may not list, so both reasons are said."""
    server.answers = [Answer(403)]

    with pytest.raises(OperatorError, match=r"s3:GetObject on 'in/a'.*'bucket'") as caught:
        names(scripted("s3://bucket/in/a"))

    assert caught.value.code == "aws:s3:denied"
    assert "s3:ListBucket on arn:aws:s3:::bucket:" in caught.value.message


@pytest.mark.parametrize("uri", ["s3://bucket/in/", "s3://bucket/a.mp4"])
def test_candidates__busy__is_tried_again(server: ScriptedServer, uri: str) -> None:
    """A server that is busy says nothing about what is there."""
    server.answers = [Answer(503)]

    with pytest.raises(TransientError):
        names(scripted(uri))


def test_open__denied__names_the_permission(server: ScriptedServer) -> None:
    """Whoever may list but not read is told so."""
    server.answers = [page("in/a.mp4"), refusal(403, "AccessDenied")]
    source = scripted("s3://bucket/in/")
    [video] = source.candidates()

    with pytest.raises(OperatorError, match=r"s3:GetObject on 'in/a\.mp4' in bucket 'bucket'"):
        fetch(source, video)


def test_open__asks_for_what_was_listed(server: ScriptedServer) -> None:
    """The range is bound to the ETag that the listing showed."""
    server.answers = [page("a.mp4"), Answer(206, b"56789"[2:], {"ETag": '"one"'})]
    source = scripted("s3://bucket/")
    [video] = source.candidates()

    data = fetch(source, video, offset=2)

    assert data == b"789"
    headers = server.asked[-1].headers
    assert (headers["range"], headers["if-match"]) == ("bytes=2-4", '"one"')
