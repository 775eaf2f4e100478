"""The Lightly client, tamed: the only module that imports it, more than 3 CPU-seconds of work.

It is used for its token, its connection and its models of what is sent. Answers are not given to
its models: those refuse every field and every state that a newer service may have.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import os
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

# Or the import itself would call home. The client reads it again for each process.
os.environ["LIGHTLY_DID_VERSION_CHECK"] = "True"

from lightly.api import ApiWorkflowClient
from lightly.openapi_generated.swagger_client.models import (
    Creator,
    DatasetCreateRequest,
    DatasetType,
    DatasourceConfig,
    DockerRunScheduledCreateRequest,
    DockerRunScheduledPriority,
    DockerWorkerConfigOmniVXCreateRequest,
)
from urllib3.util import Retry

from curation.adapters.selection.lightly_errors import (
    RAISED,
    Redaction,
    translated,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from curation.adapters.selection.lightly_api import Query

# Seconds for one try; the client's own 180 would hold a Celery worker for minutes.
TIMEOUT_S = 10.0
# A connection that was closed while idle is made anew, and what may be sent twice is sent again.
# More is the calling task's business, waits that a server asks for too. A redirect would carry the
# token away.
_RETRY = Retry(
    total=1, redirect=0, status=0, raise_on_redirect=False, respect_retry_after_header=False
)
# To both of these each new configuration of the client adds a handler that prints to stderr.
_LOUD_LOGGERS = ("urllib3", "lightly.openapi_generated.swagger_client")
_PROXIES = ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY")
_THUMBNAILS = ".lightly/thumbnails/[filename]_thumb.[extension]"
_CREATOR = Creator.USER_PIP


class Connection:
    """A client with a token, and a way to send with it. It holds a secret, so it stays here.

    Attributes:
        redaction: Cleans texts of the token.
    """

    def __init__(self, token: str, *, server: str) -> None:
        """Makes the client, which asks the server for one thing: the oldest version it accepts."""
        self.redaction = Redaction(token)
        self.redaction.guard()
        with _handlers_as_they_were(), _proxies_only_where_wanted(server):
            client = ApiWorkflowClient(token=token)
        self._api = client.api_client
        self._api.rest_client.timeout = TIMEOUT_S
        self._api.rest_client.pool_manager.connection_pool_kw["retries"] = _RETRY

    def send(
        self, method: str, path: str, *, what: str, body: object = None, query: Query = ()
    ) -> str:
        """Sends a request and returns the body of the answer.

        Args:
            method: HTTP's.
            path: Behind the server's address; made of ids and of nothing that needs quoting.
            what: What is asked, as an infinitive, for the message of an error.
            body: A model of the client's.
            query: Fields behind the question mark; a list of values is sent as so many fields.

        Raises:
            TransientError: If there is no answer, or one that may be another next time.
            OperatorError: If Lightly refuses.
        """
        try:
            answer = self._api.call_api(
                path,
                method,
                query_params=list(query),
                header_params={"Accept": "application/json, text/plain"}
                | ({"Content-Type": "application/json"} if body else {}),
                body=body,
                response_types_map={},
                auth_settings=["ApiKeyAuth"],
                collection_formats={"states": "multi"},
            )
        except RAISED as error:
            failure = translated(error, what, self.redaction)
        else:
            return str(answer.raw_data)
        raise failure

    def __reduce__(self) -> NoReturn:
        """Refuses to be pickled: the token would be in it."""
        message = "A connection to Lightly holds its token, so it is not to be pickled."
        raise TypeError(message)


def dataset_request(name: str) -> Any:  # noqa: ANN401  # the client has no types
    """Returns what creates a dataset of videos."""
    return DatasetCreateRequest(name=name, type=DatasetType.VIDEOS, creator=_CREATOR)


def datasource_request(
    purpose: str, uri: str, *, region: str, role_arn: str, external_id: str
) -> Any:  # noqa: ANN401  # the same
    """Returns what lets Lightly read or write a bucket, by a role that it assumes.

    Raises:
        ValueError: If the client refuses a value.
    """
    return DatasourceConfig.from_dict(
        {
            "type": "S3DelegatedAccess",
            "purpose": purpose,
            "fullPath": uri,
            "thumbSuffix": _THUMBNAILS,
            "s3Region": region,
            "s3ARN": role_arn,
            "s3ExternalId": external_id,
        }
    )


def config_request(config: dict[str, object]) -> Any:  # noqa: ANN401  # the same
    """Returns what creates the configuration of a selection run."""
    return DockerWorkerConfigOmniVXCreateRequest.from_dict(
        {"version": "V4", "config": config, "creator": _CREATOR}
    )


def schedule_request(config_id: str, runs_on: Sequence[str]) -> Any:  # noqa: ANN401  # the same
    """Returns what schedules a selection run."""
    return DockerRunScheduledCreateRequest(
        config_id=config_id,
        priority=DockerRunScheduledPriority.MID,
        runs_on=list(runs_on),
        creator=_CREATOR,
    )


@contextlib.contextmanager
def _handlers_as_they_were() -> Iterator[None]:
    """Takes away the handlers that are added within: they would print past our redaction.

    The level that the client gives these loggers, WARNING, stays.
    """
    loggers = [logging.getLogger(name) for name in _LOUD_LOGGERS]
    before = [list(logger.handlers) for logger in loggers]
    try:
        yield
    finally:
        for logger, handlers in zip(loggers, before, strict=True):
            logger.handlers[:] = handlers


@contextlib.contextmanager
def _proxies_only_where_wanted(server: str) -> Iterator[None]:
    """Hides the proxy variables from the client, which knows no NO_PROXY, if there is to be none.

    Without this, a server on this machine would be asked for through the proxy, which would then
    have the token.
    """
    hidden = {}
    if _goes_without_proxy(urlsplit(server).hostname or ""):
        hidden = {name: os.environ.pop(name) for name in _PROXIES if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


def _goes_without_proxy(host: str) -> bool:
    try:
        is_here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = host == "localhost"
    return is_here or bool(proxy_bypass(host))
