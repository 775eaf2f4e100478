"""Translates what boto3 raises for S3 into our errors; the only place that knows S3's codes."""

from __future__ import annotations

from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004  # botocore's own class of this name
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from curation.errors import CurationError, OperatorError, RequestError, TransientError
from curation.models import split_bucket_uri
from curation.ports import UPLOAD_GONE

if TYPE_CHECKING:
    from collections.abc import Iterator

_DENIED = frozenset({"AccessDenied", "AllAccessDisabled", "403", "AccountProblem"})
_CREDENTIALS = frozenset(
    {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "ExpiredToken"}
)
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)
_REGION = frozenset(
    {"PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraint"}
)
_NO_OBJECT = frozenset({"NoSuchKey", "404"})
_CHANGED = frozenset({"PreconditionFailed", "412"})
# InvalidPart: the upload has other parts than ours, as after a copy of us that began anew.
_UPLOAD_GONE = frozenset({"NoSuchUpload", "InvalidPart", "InvalidPartOrder"})
# Passing troubles that S3 answers with a status below 500.
_PASSING = frozenset(
    {"SlowDown", "RequestTimeout", "BadDigest", "OperationAborted", "Throttling", "429"}
)
_LOST = (ConnectionError, HTTPClientError, IncompleteReadError)


def code_of(error: ClientError) -> str:
    """Returns S3's error code; for answers without a body the HTTP status."""
    return error.response.get("Error", {}).get("Code", "unknown")


@contextmanager
def translated(uri: str, permission: str) -> Iterator[None]:
    """Raises our error for one of boto3's.

    Args:
        uri: `s3://bucket/key` that was asked for.
        permission: IAM action that the call needs, e.g. `s3:PutObject`.
    """
    try:
        yield
    except (ResponseParserError, KeyError) as error:
        raise TransientError(
            f"S3 answered something unreadable for {uri}.", code="aws:s3:unreadable"
        ) from error
    except (ClientError, BotoCoreError, ValueError) as error:
        raise _translate(error, uri, permission) from error


def _translate(
    error: ClientError | BotoCoreError | ValueError, uri: str, permission: str
) -> CurationError:
    if isinstance(error, ClientError):
        return _refused(error, uri, permission)
    if isinstance(error, _NO_CREDENTIALS):
        return OperatorError(
            f"No usable AWS credentials for {uri} ({type(error).__name__}). Set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the worker a role.",
            code="aws:credentials",
        )
    if isinstance(error, _LOST) and not isinstance(error, SSLError):
        return TransientError(
            f"S3 did not answer for {uri} ({type(error).__name__}).", code="aws:s3:unreachable"
        )
    return OperatorError(
        f"boto3 cannot ask S3 for {uri} ({type(error).__name__}). Check AWS_ENDPOINT_URL_S3, "
        "S3_REGION and the bucket's name.",
        code="aws:s3:config",
    )


def _refused(error: ClientError, uri: str, permission: str) -> CurationError:
    code = code_of(error)
    passing = _passing(error, code, uri)
    if passing:
        return passing
    if code in _UPLOAD_GONE:
        return TransientError(
            f"The multipart upload of {uri} is gone ({code}); it will begin anew.",
            code=UPLOAD_GONE,
        )
    if code in _NO_OBJECT:
        return RequestError(f"There is no object {uri}.", code="aws:s3:no-object")
    if code in _CHANGED:
        return RequestError(f"{uri} changed while it was being read.", code="aws:s3:changed")
    return _misconfigured(code, uri, permission)


def _passing(error: ClientError, code: str, uri: str) -> TransientError | None:
    facts = error.response.get("ResponseMetadata", {})
    status = facts.get("HTTPStatusCode", 0)
    is_their_fault = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if code not in _PASSING and (not is_their_fault or status == HTTPStatus.NOT_IMPLEMENTED):
        return None
    wait = facts.get("HTTPHeaders", {}).get("retry-after", "")
    return TransientError(
        f"S3 could not serve {uri} right now ({code}, HTTP {status}).",
        code=f"aws:s3:{code}",
        retry_after_s=float(wait) if wait.isdecimal() else None,
    )


def _misconfigured(code: str, uri: str, permission: str) -> OperatorError:
    bucket, key = split_bucket_uri(uri)
    ours, message = f"aws:s3:{code}", "S3 refused it. Look the code up in S3's documentation."
    if code == "NoSuchBucket":
        ours = "aws:s3:no-bucket"
        message = (
            "There is no such bucket. Create it, or correct S3_INPUT_BUCKET or S3_LIGHTLY_BUCKET."
        )
    elif code in _DENIED or code.startswith("KMS"):
        ours = "aws:s3:denied"
        # What concerns a bucket as a whole is granted on it, not on its objects.
        whose = f"{bucket}/*" if key else bucket
        message = f"Grant {permission} on arn:aws:s3:::{whose} to the worker's role."
    elif code in _CREDENTIALS:
        ours = "aws:credentials"
        message = (
            "S3 does not accept the credentials. Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY "
            "and AWS_SESSION_TOKEN, or the worker's role."
        )
    elif code in _REGION:
        ours = "aws:s3:region"
        message = "The bucket is in another region. Correct S3_REGION."
    what = f"{permission} on {key!r} in bucket {bucket!r} failed ({code})."
    return OperatorError(f"{what} {message}", code=ours)
