"""One request to the stand-in: which of the client's calls it is, and what it says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

# The client's calls by the names of its generated functions; the last two are no part of it: they
# are where signed links lead.
ROUTES = {
    "get_minimum_compatible_pip_version": ("GET", "/v1/versions/pip/minimum"),
    "get_latest_pip_version": ("GET", "/v1/versions/pip/latest"),
    "create_dataset": ("POST", "/v1/datasets"),
    "get_datasets": ("GET", "/v1/datasets"),
    "get_dataset_by_id": ("GET", "/v1/datasets/{datasetId}"),
    "get_datasets_query_by_name": ("GET", "/v1/datasets/query/name/{datasetName}"),
    "get_datasource_by_dataset_id": ("GET", "/v1/datasets/{datasetId}/datasource"),
    "update_datasource_by_dataset_id": ("PUT", "/v1/datasets/{datasetId}/datasource"),
    "verify_datasource_by_dataset_id": ("GET", "/v1/datasets/{datasetId}/datasource/verify"),
    "get_tags_by_dataset_id": ("GET", "/v1/datasets/{datasetId}/tags"),
    "get_tag_by_tag_id": ("GET", "/v1/datasets/{datasetId}/tags/{tagId}"),
    "export_tag_to_basic_filenames": (
        "GET",
        "/v1/datasets/{datasetId}/tags/{tagId}/export/basic/filenames",
    ),
    "register_docker_worker": ("POST", "/v1/docker/worker"),
    "get_docker_worker_registry_entries": ("GET", "/v1/docker/worker"),
    "update_docker_worker_registry_entry_by_id": ("PUT", "/v1/docker/worker/{workerId}"),
    "get_docker_runs_scheduled_by_worker_id": ("GET", "/v1/docker/worker/{workerId}/schedule"),
    "create_docker_worker_config_vx": ("POST", "/v1/docker/worker/config/vX"),
    "get_docker_worker_config_vxby_id": ("GET", "/v1/docker/worker/config/vX/{configId}"),
    "create_docker_run_scheduled_by_dataset_id": (
        "POST",
        "/v1/datasets/{datasetId}/docker/worker/schedule",
    ),
    "get_docker_runs_scheduled_by_dataset_id": (
        "GET",
        "/v1/datasets/{datasetId}/docker/worker/schedule",
    ),
    "cancel_scheduled_docker_run_state_by_id": (
        "PUT",
        "/v1/datasets/{datasetId}/docker/worker/schedule/{scheduledId}",
    ),
    "update_scheduled_docker_run_state_by_id": (
        "PUT",
        "/v1/datasets/{datasetId}/docker/worker/{workerId}/schedule/{scheduledId}",
    ),
    "create_docker_run": ("POST", "/v1/docker/runs"),
    "get_docker_run_by_id": ("GET", "/v1/docker/runs/{runId}"),
    "update_docker_run_by_id": ("PUT", "/v1/docker/runs/{runId}"),
    "get_docker_run_by_scheduled_id": ("GET", "/v1/docker/runs/schedule/{scheduledId}"),
    "get_docker_runs_query_by_dataset_id": ("GET", "/v1/docker/runs/query/datasetId/{datasetId}"),
    "get_docker_run_tags": ("GET", "/v1/docker/runs/{runId}/tags"),
    "create_docker_run_artifact": ("POST", "/v1/docker/runs/{runId}/artifacts"),
    "get_docker_run_artifact_read_url_by_id": (
        "GET",
        "/v1/docker/runs/{runId}/artifacts/{artifactId}/readurl",
    ),
    "upload_artifact": ("PUT", "/artifacts/{artifactId}"),
    "download_artifact": ("GET", "/artifacts/{artifactId}"),
}
# What the client asks without a token.
OPEN = ("get_minimum_compatible_pip_version", "get_latest_pip_version")
# What a signed link lets its holder do.
SIGNED = ("upload_artifact", "download_artifact")
SIGNATURE = "X-Amz-Signature"

_PATTERNS = [
    (operation, method, re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path)))
    for operation, (method, path) in ROUTES.items()
]


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        operation: Key of ROUTES.
        path: Ids and names in the address.
        query: What stands behind the question mark, without the token.
        body: The JSON that was sent; raw bytes for an upload.
    """

    operation: str
    path: dict[str, str]
    query: dict[str, list[str]]
    body: Any

    @property
    def parameters(self) -> dict[str, Any]:
        """Everything it says, for the call log."""
        body = {"body": self.body} if self.body and isinstance(self.body, dict) else {}
        return {**self.path, **self.query, **body}

    def first(self, name: str) -> str | None:
        """Returns the first value of a query field."""
        return next(iter(self.query.get(name, [])), None)


class LightlyError(Exception):
    """An error that the API answers.

    Attributes:
        status: HTTP status.
        code: Machine-readable reason. Which ones the real service uses was not verified.
        message: For people.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def route(method: str, path: str) -> tuple[str, dict[str, str]] | None:
    """Returns the operation of an address and what stands in it; None if there is none."""
    for operation, verb, pattern in _PATTERNS:
        match = pattern.fullmatch(path) if verb == method else None
        if match:
            return operation, {name: unquote(text) for name, text in match.groupdict().items()}
    return None
