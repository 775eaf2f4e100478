"""The calls of the Lightly API that we need: each sent once, answers read with tolerance."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import quote

from curation.errors import OperatorError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic import SecretStr

    from curation.adapters.selection.lightly_client import Connection

T = TypeVar("T")
Query: TypeAlias = "Sequence[tuple[str, object]]"

DENIED = "lightly:denied"
NOT_FOUND = "lightly:not-found"
_SCHEDULED_STATES = ("OPEN", "LOCKED", "DONE", "CANCELED")
_VIDEOS = "Videos"
_PAGE = 5000
_SHAPES = (ValueError, TypeError, LookupError, AttributeError)


@dataclass(frozen=True)
class _Dataset:
    dataset_id: str
    name: str
    kind: str


@dataclass(frozen=True)
class Scheduled:
    """A scheduled run: `OPEN`, picked up (`LOCKED`), or at its end (`DONE`, `CANCELED`)."""

    scheduled_run_id: str
    config_id: str
    state: str


@dataclass(frozen=True)
class LightlyRun:
    """A run that a Lightly Worker has picked up.

    Attributes:
        lightly_run_id: Its id.
        state: Lightly's word, also one that is not known here.
        message: What the Lightly Worker said last.
        artifacts: Id of each artifact by its type.
    """

    lightly_run_id: str
    state: str
    message: str
    artifacts: dict[str, str]


@dataclass(frozen=True)
class LightlyWorker:
    """A Lightly Worker that is registered; its state is Lightly's word, e.g. `OFFLINE`."""

    name: str
    state: str
    labels: frozenset[str]


class LightlyApi:
    """Hosted Lightly, as far as a run needs it.

    Args:
        token: Of a user of the platform.
        server: Root of the API, as LIGHTLY_SERVER_LOCATION says; the client reads that itself.
    """

    def __init__(self, token: SecretStr, *, server: str) -> None:
        self._token = token
        self._server = server

    def find_dataset(self, name: str) -> str | None:
        """Returns the id of the dataset of that name, or None.

        Raises:
            OperatorError: If it holds something else than videos.
        """
        what = f"find the dataset {name!r}"
        query = (("shared", False), ("exact", True), ("pageSize", _PAGE), ("pageOffset", 0))
        path = f"/v1/datasets/query/name/{quote(name, safe='')}"
        datasets = self._get(what, path, _list_of(_to_dataset), query)
        found = next((dataset for dataset in datasets if dataset.name == name), None)
        if found and found.kind != _VIDEOS:
            raise OperatorError(
                f"The dataset {name!r} is one of {found.kind}, not of {_VIDEOS}. Set "
                "LIGHTLY_DATASET_NAME to another name; the dataset is created if there is none.",
                code="lightly:dataset-type",
            )
        return found.dataset_id if found else None

    def create_dataset(self, name: str) -> str:
        """Creates a dataset of videos and returns its id. Twice makes two."""
        body = self._client.dataset_request(name)
        return self._post(f"create the dataset {name!r}", "/v1/datasets", body)

    def set_datasource(
        self, dataset_id: str, purpose: str, uri: str, *, region: str, role: tuple[str, str]
    ) -> None:
        """Says where the dataset's videos are (`INPUT`), or its results go (`LIGHTLY`).

        Args:
            dataset_id: The dataset.
            purpose: One of these two.
            uri: `s3://bucket/prefix/`.
            region: Of the bucket.
            role: ARN and external id of the role that Lightly assumes.

        Raises:
            OperatorError: If the client refuses a value.
        """
        try:
            body = self._client.datasource_request(
                purpose, uri, region=region, role_arn=role[0], external_id=role[1]
            )
        except ValueError:
            body = None
        if body is None:
            raise OperatorError(
                f"Lightly's client refuses the datasource {uri}. Check S3_REGION ({region!r}), "
                "S3_ROLE_ARN and S3_EXTERNAL_ID.",
                code="config:lightly",
            )
        what = f"use {uri} as the {purpose} datasource"
        self._connection.send("PUT", f"/v1/datasets/{dataset_id}/datasource", what=what, body=body)

    def create_config(self, config: dict[str, object]) -> str:
        """Stores the configuration of a selection run and returns its id. Twice makes two."""
        body = self._client.config_request(config)
        return self._post("store a configuration", "/v1/docker/worker/config/vX", body)

    def schedule(self, dataset_id: str, config_id: str, runs_on: Sequence[str]) -> str:
        """Schedules a selection run and returns its scheduled run id. Twice makes two."""
        body = self._client.schedule_request(config_id, runs_on)
        path = f"/v1/datasets/{dataset_id}/docker/worker/schedule"
        return self._post("schedule a selection run", path, body)

    def scheduled(self, dataset_id: str) -> list[Scheduled]:
        """Returns all scheduled runs of the dataset, in whatever state."""
        return self._get(
            "list scheduled runs",
            f"/v1/datasets/{dataset_id}/docker/worker/schedule",
            _list_of(_to_scheduled),
            [("states", list(_SCHEDULED_STATES))],
        )

    def cancel(self, dataset_id: str, scheduled_run_id: str) -> None:
        """Cancels a scheduled run. Refused unless it is `OPEN`."""
        path = f"/v1/datasets/{dataset_id}/docker/worker/schedule/{scheduled_run_id}"
        self._connection.send("PUT", path, what="cancel a scheduled run")

    def run(self, scheduled_run_id: str) -> LightlyRun | None:
        """Returns the run that came of a scheduled one, or None before it is picked up."""
        path = f"/v1/docker/runs/schedule/{scheduled_run_id}"
        try:
            return self._get("look at a selection run", path, _to_run)
        except OperatorError as error:
            if error.code != NOT_FOUND:
                raise
        return None

    def newest_tag(self, lightly_run_id: str, dataset_id: str) -> str | None:
        """Returns the id of the tag that the run made last in the dataset, or None."""
        path = f"/v1/docker/runs/{lightly_run_id}/tags"
        tags = self._get("list the tags of a run", path, _list_of(_to_tag))
        own = [(made_at, tag_id) for made_at, tag_id, owner in tags if owner == dataset_id]
        return max(own)[1] if own else None

    def filenames(self, dataset_id: str, tag_id: str) -> list[str]:
        """Returns the names of all samples that have the tag."""
        path = f"/v1/datasets/{dataset_id}/tags/{tag_id}/export/basic/filenames"
        names: list[str] = []
        while True:
            query = (("pageSize", _PAGE), ("pageOffset", len(names)))
            text = self._connection.send("GET", path, what="export a tag", query=query)
            page = [line for line in text.splitlines() if line]
            names += page
            if len(page) < _PAGE:
                return names

    def artifact_url(self, lightly_run_id: str, artifact_id: str) -> str:
        """Returns a signed link to an artifact: a secret."""
        path = f"/v1/docker/runs/{lightly_run_id}/artifacts/{artifact_id}/readurl"
        return self._get("link to an artifact", path, str)

    def workers(self) -> list[LightlyWorker]:
        """Returns all registered Lightly Workers."""
        return self._get("list Lightly Workers", "/v1/docker/worker", _list_of(_to_worker))

    def permissions(self, dataset_id: str) -> dict[str, bool] | None:
        """Returns what Lightly may do in the dataset's datasource, or None if it has none.

        The names are Lightly's: `canRead`, `canWrite`, `canList`, `canOverwrite`.
        """
        path = f"/v1/datasets/{dataset_id}/datasource/verify"
        try:
            return self._get("verify a datasource", path, _to_permissions)
        except OperatorError as error:
            if error.code != NOT_FOUND:
                raise
        return None

    def clean(self, text: str) -> str:
        """Returns the text without the token and without values in links."""
        return self._connection.redaction.clean(text)

    def _get(self, what: str, path: str, read: Callable[[Any], T], query: Query = ()) -> T:
        return _read(self._connection.send("GET", path, what=what, query=query), read, what)

    def _post(self, what: str, path: str, body: object) -> str:
        answer = self._connection.send("POST", path, what=what, body=body)
        return _read(answer, lambda created: str(created["id"]), what)

    @cached_property
    def _client(self) -> Any:  # noqa: ANN401  # a module
        try:
            from curation.adapters.selection import lightly_client  # noqa: PLC0415  # only here
        except ModuleNotFoundError as error:
            raise OperatorError(
                f"The package {error.name} is not installed, and the selection backend lightly "
                "needs it. See 'hosted' in the README.",
                code="config:lightly",
            ) from error
        return lightly_client

    @cached_property
    def _connection(self) -> Connection:
        connection: Connection = self._client.Connection(
            self._token.get_secret_value(), server=self._server
        )
        return connection


def unreadable(what: str) -> TransientError:
    """Returns the error for an answer that says nothing about the run, good or bad."""
    return TransientError(
        f"Lightly's answer cannot be read; it was asked to {what}.", code="lightly:unreadable"
    )


def _read(text: str, read: Callable[[Any], T], what: str) -> T:
    with contextlib.suppress(*_SHAPES):
        return read(json.loads(text))
    # Not within a handler: an error of the parser holds the answer, which may be a signed link.
    raise unreadable(what)


def _list_of(read: Callable[[Any], T]) -> Callable[[Any], list[T]]:
    return lambda items: [read(item) for item in items]


def _to_dataset(item: Any) -> _Dataset:  # noqa: ANN401  # JSON
    return _Dataset(str(item["id"]), str(item["name"]), str(item["type"]))


def _to_scheduled(item: Any) -> Scheduled:  # noqa: ANN401  # JSON
    return Scheduled(str(item["id"]), str(item["configId"]), str(item["state"]))


def _to_run(item: Any) -> LightlyRun:  # noqa: ANN401  # JSON
    artifacts = {str(it["type"]): str(it["id"]) for it in item.get("artifacts") or []}
    message = str(item.get("message") or "")
    return LightlyRun(str(item["id"]), str(item["state"]), message, artifacts)


def _to_tag(item: Any) -> tuple[int, str, str]:  # noqa: ANN401  # JSON
    return int(item["createdAt"]), str(item["id"]), str(item["datasetId"])


def _to_worker(item: Any) -> LightlyWorker:  # noqa: ANN401  # JSON
    labels = frozenset(map(str, item.get("labels") or []))
    return LightlyWorker(str(item["name"]), str(item["state"]), labels)


def _to_permissions(item: Any) -> dict[str, bool]:  # noqa: ANN401  # JSON
    return {str(name): value for name, value in item.items() if isinstance(value, bool)}
