"""Calls EC2 and SSM: the client, its one renewal, and AWS's errors as ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004  # botocore's own, which is not the built-in one
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from curation.errors import OperatorError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from curation.errors import CurationError

C = TypeVar("C")
R = TypeVar("R")

_CONNECT_TIMEOUT_S = 5
_READ_TIMEOUT_S = 30
# For calls that nobody should wait for: what they are about goes on without them.
_BRIEF_TIMEOUT_S = 4
_SERVER_ERROR = 500
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "RequestExpired"})


@dataclass(frozen=True)
class Meaning:
    """What one of AWS's error codes means for us.

    Attributes:
        error: Who can mend it.
        code: Our code, after the name of the service.
        advice: What to do; may name {permission}.
    """

    error: type[OperatorError | TransientError]
    code: str
    advice: str


THROTTLED = Meaning(TransientError, "throttled", "Too many calls at this time; it is tried again.")
INTERNAL = Meaning(TransientError, "internal", "A fault on AWS's side; it is tried again.")
DENIED = Meaning(
    OperatorError, "denied", "Grant {permission} for this instance to the credentials in use."
)
UNKNOWN_CREDENTIALS = Meaning(
    OperatorError,
    "denied",
    "AWS does not accept the credentials in use, which need {permission}. Check "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the role of this machine, and its clock.",
)
EXPIRED_CREDENTIALS = Meaning(
    OperatorError,
    "denied",
    "The temporary credentials have expired, and fresh ones could not be had. Renew them; they "
    "need {permission}.",
)
REFUSED = Meaning(
    OperatorError, "refused", "It does not help to try again; look the code up in AWS's manual."
)
# The codes that both services answer.
_COMMON = {
    "AccessDenied": DENIED,
    "AccessDeniedException": DENIED,
    "AuthFailure": UNKNOWN_CREDENTIALS,
    "IncompleteSignature": UNKNOWN_CREDENTIALS,
    "InvalidClientTokenId": UNKNOWN_CREDENTIALS,
    "InvalidSignatureException": UNKNOWN_CREDENTIALS,
    "MissingAuthenticationToken": UNKNOWN_CREDENTIALS,
    "SignatureDoesNotMatch": UNKNOWN_CREDENTIALS,
    "UnauthorizedOperation": DENIED,
    "UnrecognizedClientException": UNKNOWN_CREDENTIALS,
    "RequestLimitExceeded": THROTTLED,
    "Throttling": THROTTLED,
    "ThrottlingException": THROTTLED,
    "TooManyRequestsException": THROTTLED,
    **dict.fromkeys(_EXPIRED, EXPIRED_CREDENTIALS),
}


def code_of(error: ClientError) -> str:
    """Returns AWS's error code."""
    return str(error.response.get("Error", {}).get("Code", "no code"))


def client_config(*, attempts: int) -> Config:
    """Returns the configuration of a client that sends a request at most `attempts` times.

    More than a few seconds of trouble is the business of the calling task, which retries.
    """
    return Config(
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": attempts},
    )


def brief_config() -> Config:
    """Returns the configuration of a client for calls that must hold nobody up."""
    return Config(
        connect_timeout=_BRIEF_TIMEOUT_S,
        read_timeout=_BRIEF_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": 1},
    )


class Service(Generic[C]):
    """One AWS service in one region, as the adapters call it."""

    def __init__(
        self,
        name: str,
        *,
        region: str | None,
        meanings: Mapping[str, Meaning],
        connect: Callable[[], C],
    ) -> None:
        """Remembers how to connect; the first call does it.

        Args:
            name: `ec2` or `ssm`: prefix of our codes and of IAM's permissions.
            region: For messages; None is boto3's own default.
            meanings: The service's own error codes.
            connect: Builds a client with fresh credentials.
        """
        self._name = name
        self._region = region or "the default region"
        self._meanings = {**_COMMON, **meanings}
        self._connect = connect
        self._client: C | None = None

    def call(self, operation: str, instance_id: str, send: Callable[[C], R]) -> R:
        """Returns what `send` makes of AWS's answer.

        Args:
            operation: Name of the API operation, for messages.
            instance_id: Whom it is about, for messages.
            send: Calls the client and reads the answer.

        Raises:
            TransientError: If AWS cannot do it now.
            OperatorError: If a person must mend something first.
        """
        what = f"{self._name.upper()} {operation} for {instance_id} in {self._region}"
        try:
            return self._send(send)
        except ClientError as error:
            self._raise_refusal(error, what, permission=f"{self._name}:{operation}")
        except BotoCoreError as error:
            raise self._without_answer(error, what) from error
        except (ResponseParserError, LookupError) as error:
            message = f"{what} was answered with something that is no answer; it is tried again."
            raise TransientError(message, code=f"{self._name}:internal") from error

    def _send(self, send: Callable[[C], R]) -> R:
        try:
            return send(self._connected())
        except ClientError as error:
            if code_of(error) not in _EXPIRED:
                raise
        # A new client reads the credentials again, wherever they come from. Once is enough.
        self._client = None
        return send(self._connected())

    def _connected(self) -> C:
        if self._client is None:
            try:
                self._client = self._connect()
            except ValueError as error:  # botocore's way to refuse an endpoint
                message = (
                    f"{error}. Expected an http or https address in AWS_ENDPOINT_URL_"
                    f"{self._name.upper()} and AWS_ENDPOINT_URL, or neither of them."
                )
                raise OperatorError(message, code="config:aws") from error
        return self._client

    def _raise_refusal(self, error: ClientError, what: str, *, permission: str) -> NoReturn:
        code = code_of(error)
        status: Any = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        rest = INTERNAL if status >= _SERVER_ERROR else REFUSED
        meaning = self._meanings.get(code, rest)
        advice = meaning.advice.format(permission=permission)
        ours = meaning.error(
            f"{what} failed ({code}). {advice}", code=f"{self._name}:{meaning.code}"
        )
        # AWS repeats parts of the signed request when it refuses a signature, so its text must
        # not get into a traceback.
        raise ours from (None if meaning.code == "denied" else error)

    def _without_answer(self, error: BotoCoreError, what: str) -> CurationError:
        if isinstance(error, (ConnectionError, HTTPClientError)):
            message = f"{what} got no answer ({type(error).__name__}); it is tried again."
            return TransientError(message, code=f"{self._name}:unreachable")
        if isinstance(error, NoRegionError):
            message = f"{what}: no region is set. Set EC2_REGION to the region of the instance."
            return OperatorError(message, code="config:aws")
        if isinstance(
            error, (CredentialRetrievalError, NoCredentialsError, PartialCredentialsError)
        ):
            message = (
                f"{what}: no complete AWS credentials were found. Set AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY, or give this machine a role."
            )
            return OperatorError(message, code=f"{self._name}:denied")
        return OperatorError(f"{what} could not be sent: {error}", code="config:aws")
