"""The modelled Lightly platform: everything but the wire."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from sandbox.cloud.faults import KINDS, Faults
from sandbox.cloud.store import Call, Store
from sandbox.lightly.datasets import Datasets
from sandbox.lightly.records import Plan, Records, changed_plan, field_of, known, new_id, now_ms
from sandbox.lightly.request import ROUTES, SIGNATURE, LightlyError
from sandbox.lightly.runs import Runs
from sandbox.lightly.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.lightly.records import Record
    from sandbox.lightly.request import Request

# An `error` has an HTTP status as its code, and Retry-After if it has seconds.
FAULT_KINDS = {kind: meaning for kind, meaning in KINDS.items() if kind != "no-effect"} | {
    "truncated": "acts, then answers half of what it should and closes the connection",
    "extra-field": "acts, then answers with a field more in every object",
    "state": "acts, then answers with `code` for every state",
}


class Platform:
    """Everything that the stand-in models, without the wire.

    Attributes:
        token: The one token that is accepted.
        plan: What the Lightly Worker does with runs.
        faults: The script of what goes wrong.
    """

    def __init__(self, data: Path, *, token: str, url: str) -> None:
        self.token = token
        self.plan = Plan()
        self.faults = Faults(ROUTES, FAULT_KINDS)
        self._url = url
        self._store = Store(data)
        self._file = data / "platform.json"
        self._artifacts = data / "artifacts"
        self._artifacts.mkdir(exist_ok=True)
        self._signature = secrets.token_hex(16)
        self._records = Records.load(self._file)
        self._datasets = Datasets(self._records)
        self._operations: dict[str, Callable[[Request], Any]] = {
            **self._datasets.operations,
            **Runs(self._records).operations,
            **Workers(self._records, lambda: self.plan).operations,
            "get_minimum_compatible_pip_version": lambda _: "1.2.29",
            "get_latest_pip_version": lambda _: "1.5.26",
            "create_docker_run_artifact": self._create_artifact,
            "get_docker_run_artifact_read_url_by_id": self._read_url,
            "upload_artifact": self._upload,
            "download_artifact": self._download,
        }

    @property
    def calls(self) -> list[Call]:
        """The call log, oldest first."""
        return self._store.calls

    def log(self, call: Call) -> None:
        """Appends to the call log."""
        self._store.log(call)

    def act(self, request: Request) -> Any:  # noqa: ANN401  # JSON, text or bytes
        """Carries a request out and returns the answer.

        Raises:
            LightlyError: As the API would answer.
        """
        answer = self._operations[request.operation](request)
        if ROUTES[request.operation][0] != "GET":
            self._records.save(self._file)
        return answer

    def change_plan(self, changes: Record) -> None:
        """Changes what the Lightly Worker does.

        Raises:
            ValueError: If there is no such field.
        """
        self.plan = changed_plan(self.plan, changes)

    def add_result(self, result: Record) -> None:
        """Takes what a run has selected: `runId` and `fileNames`.

        The real Lightly Worker uploads samples and tags by calls that were not studied.

        Raises:
            LightlyError: If there is no such run.
        """
        run = known(self._records.runs, field_of(result, "runId"))
        names = field_of(result, "fileNames")
        wide = self.plan.wide_tags
        self._datasets.add_samples(run["datasetId"], run["id"], names, wide=wide)
        self._records.save(self._file)

    def _create_artifact(self, request: Request) -> Record:
        run = known(self._records.runs, request.path["runId"])
        artifact = {
            "id": new_id(),
            "type": field_of(request.body, "type"),
            "fileName": field_of(request.body, "fileName"),
            "storageLocation": "LIGHTLY",
            "createdAt": now_ms(),
        }
        run["artifacts"].append(artifact)
        self._records.artifacts[artifact["id"]] = run["id"]
        return {"id": artifact["id"], "signedWriteUrl": self._link(artifact["id"])}

    def _read_url(self, request: Request) -> str:
        if self._records.artifacts.get(request.path["artifactId"]) != request.path["runId"]:
            raise LightlyError(404, "NOT_FOUND", "The run has no such artifact.")
        return self._link(request.path["artifactId"])

    def _upload(self, request: Request) -> None:
        self._artifact(request).write_bytes(request.body)

    def _download(self, request: Request) -> bytes:
        path = self._artifact(request)
        if not path.exists():
            raise LightlyError(404, "NOT_FOUND", "The artifact was not uploaded.")
        return path.read_bytes()

    def _artifact(self, request: Request) -> Path:
        artifact_id = request.path["artifactId"]
        is_signed = request.first(SIGNATURE) == self._signature
        if not is_signed or artifact_id not in self._records.artifacts:
            raise LightlyError(403, "FORBIDDEN", "The link is not signed, or leads nowhere.")
        return self._artifacts / artifact_id

    def _link(self, artifact_id: str) -> str:
        return f"{self._url}/artifacts/{artifact_id}?{SIGNATURE}={self._signature}"
