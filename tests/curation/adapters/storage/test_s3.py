"""What becomes of the answers that no good server gives."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from curation.adapters.storage.s3 import S3Storage
from curation.errors import CurationError, OperatorError, RequestError, TransientError
from curation.ports import UPLOAD_GONE, Part
from tests.support.scripted_server import Answer, ScriptedServer, scripted_server
from tests.support.servers import S3_SECRET_KEY, s3_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

URI = "s3://bucket/videos/clip.mp4"
PART = Part(1, '"etag"', 10, "")
HEAD = {"ETag": '"one"', "Content-Type": "video/mp4"}


def refusal(status: int, code: str, **headers: str) -> Answer:
    """Returns an error as S3 writes it."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>said</Message></Error>"
    return Answer(status, body.encode(), {"Content-Type": "application/xml", **headers})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A server to which boto3's variables lead."""
    with scripted_server() as running:
        for name, value in s3_environment(running.url).items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def storage(server: ScriptedServer) -> S3Storage:
    """The adapter that asks it."""
    assert server.url
    return S3Storage()


@pytest.mark.parametrize(
    ("refused", "error", "ours", "words"),
    [
        (
            refusal(403, "AccessDenied"),
            OperatorError,
            "aws:s3:denied",
            "Grant s3:PutObject on arn:aws:s3",
        ),
        (
            refusal(400, "KMS.DisabledException"),
            OperatorError,
            "aws:s3:denied",
            "KMS.DisabledException",
        ),
        (
            refusal(404, "NoSuchBucket"),
            OperatorError,
            "aws:s3:no-bucket",
            "no such bucket",
        ),
        (refusal(403, "InvalidAccessKeyId"), OperatorError, "aws:credentials", "AWS_ACCESS_KEY_ID"),
        (
            refusal(403, "SignatureDoesNotMatch"),
            OperatorError,
            "aws:credentials",
            "AWS_SECRET_ACCESS_KEY",
        ),
        (refusal(400, "AuthorizationHeaderMalformed"), OperatorError, "aws:s3:region", "S3_REGION"),
        (
            refusal(400, "InvalidArgument"),
            OperatorError,
            "aws:s3:InvalidArgument",
            "InvalidArgument",
        ),
        (refusal(404, "NoSuchUpload"), TransientError, UPLOAD_GONE, "begin anew"),
        (refusal(400, "BadDigest"), TransientError, "aws:s3:BadDigest", "right now"),
        (refusal(400, "RequestTimeout"), TransientError, "aws:s3:RequestTimeout", "right now"),
        (refusal(500, "InternalError"), TransientError, "aws:s3:InternalError", "HTTP 500"),
        (
            refusal(503, "ServiceUnavailable"),
            TransientError,
            "aws:s3:ServiceUnavailable",
            "HTTP 503",
        ),
    ],
)
def test_errors__say_who_can_mend_them(
    storage: S3Storage,
    server: ScriptedServer,
    refused: Answer,
    error: type[CurationError],
    ours: str,
    words: str,
) -> None:
    """Each refusal becomes the error of whoever can mend it, and says what to do."""
    server.answers = [refused]

    with pytest.raises(error) as caught:
        storage.put_part(URI, "upload-1", number=1, data=b"data")

    assert caught.value.code == ours
    assert words in caught.value.message
    assert "bucket" in caught.value.message
    assert S3_SECRET_KEY not in caught.value.message


def test_slow_down__passes_on_how_long_to_wait(storage: S3Storage, server: ScriptedServer) -> None:
    """After botocore's own three tries the task waits as long as S3 asks for."""
    server.answers = [refusal(503, "SlowDown", **{"Retry-After": "9"})]

    with pytest.raises(TransientError) as caught:
        storage.begin(URI, content_type="video/mp4")

    assert caught.value.code == "aws:s3:SlowDown"
    assert caught.value.retry_after_s == 9.0
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(0), "aws:s3:unreachable"),
        (Answer(200, b"<html>"), "aws:s3:500"),  # botocore makes it a fault of the server
        (Answer(200, b"<other/>"), "aws:s3:unreadable"),
    ],
)
def test_no_answer_or_nonsense__is_tried_again(
    storage: S3Storage, server: ScriptedServer, answer: Answer, code: str
) -> None:
    """A connection that is closed, or an answer that is none, may be better next time."""
    server.answers = [answer]

    with pytest.raises(TransientError) as caught:
        storage.begin(URI, content_type="video/mp4")

    assert caught.value.code == code


@pytest.mark.parametrize("refused", [refusal(400, "ExpiredToken"), Answer(400)])
def test_expired_credentials__are_fetched_anew_once(
    storage: S3Storage,
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    refused: Answer,
) -> None:
    """Temporary credentials end in the middle of a long run; fresh ones are used at once."""
    server.answers = [Answer(200, b"", HEAD)]
    storage.head(URI)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "fresh-key")
    server.answers = [refused, Answer(200, b"", HEAD)]

    storage.head(URI)

    keys = [asked.headers["authorization"].split("=")[1].split("/")[0] for asked in server.asked]
    # In between botocore may ask once more with the old ones, for the bucket's region.
    assert set(keys[:-1]) == {"test-access-key"}
    assert keys[-1] == "fresh-key"


def test_expired_credentials__that_stay_so__are_for_the_operator(
    storage: S3Storage, server: ScriptedServer
) -> None:
    """Nothing is gained by asking a third time."""
    server.answers = [refusal(400, "ExpiredToken")]

    with pytest.raises(OperatorError) as caught:
        storage.put(URI, b"x", content_type="text/plain")

    assert caught.value.code == "aws:credentials"
    assert len(server.asked) == 2


def test_no_credentials__is_for_the_operator(
    storage: S3Storage, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without credentials nothing is sent, and the variables are named."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")

    with pytest.raises(OperatorError, match="AWS_ACCESS_KEY_ID") as caught:
        storage.head(URI)

    assert caught.value.code == "aws:credentials"
    assert server.asked == []


@pytest.mark.parametrize("endpoint", ["nonsense", "http://"])
def test_endpoint__malformed__is_for_the_operator(
    endpoint: str, storage: S3Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped endpoint is named by its variable."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)

    with pytest.raises(OperatorError, match="AWS_ENDPOINT_URL_S3") as caught:
        storage.head(URI)

    assert caught.value.code == "aws:s3:config"


def test_put_part__sends_only_what_every_server_knows(
    storage: S3Storage, server: ScriptedServer
) -> None:
    """The part goes out as it is, with its MD5 and without the newer checksum trailers."""
    server.answers = [Answer(200, b"", {"ETag": '"etag"'})]

    part = storage.put_part(URI, "upload-1", number=3, data=b"data")

    [asked] = server.asked
    assert asked.body == b"data"
    assert asked.headers["content-md5"] == "jXd/OF09/siBXSD3SWAm3A=="
    assert not [name for name in asked.headers if "checksum" in name or "trailer" in name]
    assert "aws-chunked" not in asked.headers.get("content-encoding", "")
    assert (part.number, part.etag, part.size_bytes) == (3, '"etag"', 4)


def test_complete__gone_and_another_size__is_gone(
    storage: S3Storage, server: ScriptedServer
) -> None:
    """An object of another size under the key is no proof that this upload was completed."""
    server.answers = [
        refusal(404, "NoSuchUpload"),
        Answer(200, b"", {**HEAD, "Content-Length": "11"}),
    ]

    with pytest.raises(TransientError) as caught:
        storage.complete(URI, "upload-1", [PART])

    assert caught.value.code == UPLOAD_GONE


def test_complete__fails_while_it_is_answered(storage: S3Storage, server: ScriptedServer) -> None:
    """S3 may answer 200 first and tell of its failure in the body."""
    server.answers = [refusal(200, "InternalError")]

    with pytest.raises(TransientError):
        storage.complete(URI, "upload-1", [PART])


@pytest.mark.parametrize("code", ["AccessDenied", "NotImplemented"])
def test_unfinished__that_cannot_be_listed__is_said(
    storage: S3Storage, server: ScriptedServer, caplog: pytest.LogCaptureFixture, code: str
) -> None:
    """The list only finds what a crash left over; a run does not fail for want of it."""
    server.answers = [refusal(403 if code == "AccessDenied" else 501, code)]

    with caplog.at_level(logging.WARNING):
        found = storage.unfinished(URI)

    assert found == []
    assert "Open uploads cannot be listed" in caplog.text


def test_read__short__is_tried_again(storage: S3Storage, server: ScriptedServer) -> None:
    """An object that ends before its length is never taken for the whole."""
    server.answers = [Answer(200, b"x" * 50, {**HEAD, "Content-Length": "100"})]

    with storage.read(URI) as chunks, pytest.raises(TransientError):
        list(chunks)


def test_open__cut__asks_again(storage: S3Storage, server: ScriptedServer) -> None:
    """A block whose answer is cut is fetched again, so that the decoder does not notice."""
    whole = {**HEAD, "Content-Length": "100"}
    server.answers = [Answer(200, b"", whole), Answer(206, b"y" * 50, whole), Answer(0)]
    server.answers += [Answer(206, b"x" * 100, whole)]

    with storage.open(URI) as file:
        data = file.read()

    assert data == b"x" * 100
    assert server.asked[-1].headers["range"] == "bytes=0-99"
    assert server.asked[-1].headers["if-match"] == '"one"'


def test_open__cut_for_good__is_no_end_of_file(storage: S3Storage, server: ScriptedServer) -> None:
    """Bytes that cannot be had are an error, never an early end."""
    whole = {**HEAD, "Content-Length": "100"}
    server.answers = [Answer(200, b"", whole), Answer(206, b"y" * 50, whole)]

    with storage.open(URI) as file, pytest.raises(TransientError):
        file.read()


def test_open__other_etag__is_refused(storage: S3Storage, server: ScriptedServer) -> None:
    """A server that does not know If-Match is caught by the ETag of its answer."""
    server.answers = [
        Answer(200, b"", {**HEAD, "Content-Length": "1"}),
        Answer(206, b"x", {**HEAD, "ETag": '"two"'}),
    ]

    with storage.open(URI) as file, pytest.raises(RequestError, match="changed"):
        file.read()
