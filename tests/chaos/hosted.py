"""Hosted Lightly: the sandbox's platform, and a Lightly Worker in virtual time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sandbox.lightly.platform import Platform
from sandbox.lightly.request import LightlyError, Request, route
from tests.chaos.clock import CLOCK
from tests.chaos.wire import Answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.chaos.bucket import Buckets
    from tests.chaos.wire import Ask

_POLL_S = 10.0
_STATES = ("LOADING_DATASET", "EMBEDDING", "SAMPLING", "SAVING_RESULTS")
_CREATED = 201


class Hosted:
    """The platform of one trial.

    Attributes:
        fails: Whether the Lightly Worker fails at what it takes.
        has_failed: Whether it has.
    """

    def __init__(self, folder: Path, *, token: str, buckets: Buckets, state_s: float) -> None:
        self._platform = Platform(folder, token=token, url="http://127.0.0.1")
        # A trial keeps nothing on disk.
        self._platform._records.save = _keep_nothing  # type: ignore[method-assign]  # see above
        self._buckets = buckets
        self.fails = False
        self.has_failed = False
        self._state_s = state_s
        self._token = token

    def scheduled(self) -> list[str]:
        """Returns the run id of each selection run but those that were taken back in time."""
        records = self._platform._records
        return [
            _run_id(records.configs[item["configId"]]["config"])
            for item in records.scheduled.values()
            if item["state"] != "CANCELED"
        ]

    def answer(self, ask: Ask) -> Answer:
        """Does what the client asks."""
        operation, path = route(ask.method, ask.path) or ("", {})
        query = {name: values for name, values in ask.query.items() if name != "token"}
        try:
            self._check_token(ask)
            body = json.loads(ask.body or b"{}")
            answer = self._platform.act(Request(operation, path, query, body))
        except LightlyError as error:
            return refusal(error.status, error.message)
        status = _CREATED if ask.method == "POST" else 200
        if isinstance(answer, str) and "export" in operation:
            return Answer(status, answer.encode(), {"Content-Type": "text/plain; charset=utf-8"})
        return Answer(status, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def work(self, is_on: Callable[[], bool]) -> None:
        """Starts a Lightly Worker that takes runs for as long as its instance is on."""
        entry = {"name": "box", "workerType": "FULL", "labels": []}
        worker_id = self._act("POST", "docker/worker", entry)["id"]

        def take() -> None:
            if not is_on():
                return
            offered = self._act("GET", f"docker/worker/{worker_id}/schedule", state="OPEN")
            if offered:
                self._take(worker_id, offered[0], is_on, take)
            else:
                CLOCK.after(_POLL_S, take)

        CLOCK.after(_POLL_S, take)

    def _take(
        self,
        worker_id: str,
        scheduled: dict[str, Any],
        is_on: Callable[[], bool],
        then: Callable[[], None],
    ) -> None:
        place = f"datasets/{scheduled['datasetId']}/docker/worker/{worker_id}/schedule"
        self._act("PUT", f"{place}/{scheduled['id']}", {"state": "LOCKED"})
        started = {"dockerVersion": "2.12.0", "scheduledId": scheduled["id"]}
        run_id = self._act("POST", "docker/runs", started)["id"]
        states = list(_STATES)

        def go_on() -> None:
            if not is_on():
                return
            if states:
                self._act("PUT", f"docker/runs/{run_id}", {"state": states.pop(0)})
                CLOCK.after(self._state_s, go_on)
                return
            self._act("PUT", f"docker/runs/{run_id}", self._finish(run_id, scheduled["configId"]))
            self._act("PUT", f"{place}/{scheduled['id']}", {"state": "DONE"})
            then()

        go_on()

    def _finish(self, run_id: str, config_id: str) -> dict[str, str]:
        if self.fails:
            self.has_failed = True
            return {"state": "FAILED", "message": "Out of memory."}
        config = self._platform._records.configs[config_id]["config"]
        relevant = config["docker"]["relevantFilenamesFile"]
        name = next(
            (
                data.decode().strip()
                for key, data in self._buckets.contents()
                if key.endswith(relevant)
            ),
            "",
        )
        if not any(key.endswith(f"/{name}") for key, _ in self._buckets.contents()):
            return {"state": "ABORTED", "message": f"There is no {name}."}
        stem, _, ending = name.rpartition(".")
        frames = [f"{stem}-{number}-{ending}.png" for number in (3, 7)]
        self._platform.add_result({"runId": run_id, "fileNames": frames})
        return {"state": "COMPLETED"}

    def _act(self, method: str, path: str, body: object = None, **query: str) -> Any:  # noqa: ANN401  # JSON
        operation, fields = route(method, f"/v1/{path}") or ("", {})
        asked = {name: [value] for name, value in query.items()}
        return self._platform.act(Request(operation, fields, asked, body or {}))

    def _check_token(self, ask: Ask) -> None:
        if "pip" not in urlsplit(ask.path).path and ask.query.get("token") != [self._token]:
            raise LightlyError(401, "UNAUTHORIZED", "The token is not valid.")


def refusal(status: int, message: str, *, headers: dict[str, str] | None = None) -> Answer:
    """Returns Lightly's way to refuse."""
    body = json.dumps({"code": "SCRIPTED", "error": message}).encode()
    sent = {"Content-Type": "application/json", **(headers or {})}
    return Answer(status, body, sent, str(status))


def _keep_nothing(path: Path) -> None:
    pass


def _run_id(config: dict[str, Any]) -> str:
    return str(config["docker"]["relevantFilenamesFile"]).rpartition("/")[2].removesuffix(".txt")
