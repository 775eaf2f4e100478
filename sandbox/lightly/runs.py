"""Scheduled runs, and the runs that come of them when a Lightly Worker picks them up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.lightly.records import USER_ID, field_of, known, new_id, now_ms, stamped
from sandbox.lightly.request import LightlyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.lightly.records import Record, Records
    from sandbox.lightly.request import Request

SCHEDULED_ENDS = ("DONE", "CANCELED")
# From each state of a scheduled run, the states that it may move to.
_MOVES = {"OPEN": ("LOCKED", "CANCELED"), "LOCKED": ("DONE", "OPEN"), "DONE": (), "CANCELED": ()}


class Runs:
    """The part of the API that is about runs."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self.operations: dict[str, Callable[[Request], Any]] = {
            "create_docker_worker_config_vx": self._create_config,
            "get_docker_worker_config_vxby_id": self._get_config,
            "create_docker_run_scheduled_by_dataset_id": self._schedule,
            "get_docker_runs_scheduled_by_dataset_id": self._list_scheduled,
            "cancel_scheduled_docker_run_state_by_id": self._cancel,
            "update_scheduled_docker_run_state_by_id": self._move,
            "create_docker_run": self._create,
            "get_docker_run_by_id": self._get,
            "update_docker_run_by_id": self._update,
            "get_docker_run_by_scheduled_id": self._of_scheduled,
            "get_docker_runs_query_by_dataset_id": self._of_dataset,
            "get_docker_run_tags": self._tags,
        }

    def _create_config(self, request: Request) -> Record:
        for name in ("version", "config"):
            field_of(request.body, name)
        config = {"id": new_id(), **request.body, "createdAt": now_ms()}
        self._records.configs[config["id"]] = config
        return {"id": config["id"]}

    def _get_config(self, request: Request) -> Record:
        return known(self._records.configs, request.path["configId"])

    def _schedule(self, request: Request) -> Record:
        dataset = known(self._records.datasets, request.path["datasetId"])
        config = known(self._records.configs, field_of(request.body, "configId"))
        for purpose in ("INPUT", "LIGHTLY"):
            if f"{dataset['id']}/{purpose}" not in self._records.datasources:
                message = f"The dataset has no datasource with the purpose {purpose}."
                raise LightlyError(422, "DATASOURCE_MISSING", message)
        scheduled = stamped(
            datasetId=dataset["id"],
            userId=USER_ID,
            configId=config["id"],
            priority=field_of(request.body, "priority"),
            runsOn=request.body.get("runsOn", []),
            state="OPEN",
        )
        self._records.scheduled[scheduled["id"]] = scheduled
        return {"id": scheduled["id"]}

    def _list_scheduled(self, request: Request) -> list[Record]:
        """Lists runs in the states asked for; by default those that have not ended."""
        asked = request.query.get("state", []) + request.query.get("states", [])
        return [
            scheduled
            for scheduled in self._records.scheduled.values()
            if scheduled["datasetId"] == request.path["datasetId"]
            and (scheduled["state"] in asked or not (asked or _has_ended(scheduled)))
        ]

    def _cancel(self, request: Request) -> None:
        self._change(request, "CANCELED")

    def _move(self, request: Request) -> None:
        known(self._records.workers, request.path["workerId"])
        scheduled = self._change(request, field_of(request.body, "state"))
        scheduled["owner"] = request.path["workerId"]

    def _change(self, request: Request, state: str) -> Record:
        """Moves a scheduled run on; one that was picked up cannot be canceled any more."""
        scheduled = known(self._records.scheduled, request.path["scheduledId"])
        if state not in _MOVES[scheduled["state"]]:
            message = f"A run that is {scheduled['state']} cannot become {state}."
            raise LightlyError(400, "MALFORMED_REQUEST", message)
        scheduled.update(state=state, lastModifiedAt=now_ms())
        return scheduled

    def _create(self, request: Request) -> Record:
        scheduled = known(self._records.scheduled, field_of(request.body, "scheduledId"))
        run = stamped(
            userId=USER_ID,
            dockerVersion=field_of(request.body, "dockerVersion"),
            state="STARTED",
            datasetId=scheduled["datasetId"],
            configId=scheduled["configId"],
            scheduledId=scheduled["id"],
            message=request.body.get("message", ""),
            artifacts=[],
        )
        self._records.runs[run["id"]] = run
        return {"id": run["id"]}

    def _get(self, request: Request) -> Record:
        return known(self._records.runs, request.path["runId"])

    def _update(self, request: Request) -> None:
        run = self._get(request)
        message = request.body.get("message", run["message"])
        state = field_of(request.body, "state")
        run.update(state=state, message=message, lastModifiedAt=now_ms())

    def _of_scheduled(self, request: Request) -> Record:
        scheduled_id = request.path["scheduledId"]
        runs = [run for run in self._records.runs.values() if run["scheduledId"] == scheduled_id]
        if not runs:
            raise LightlyError(404, "NOT_FOUND", "No Lightly Worker has picked the run up.")
        return runs[-1]

    def _of_dataset(self, request: Request) -> list[Record]:
        dataset_id = request.path["datasetId"]
        return [run for run in self._records.runs.values() if run["datasetId"] == dataset_id]

    def _tags(self, request: Request) -> list[Record]:
        run_id = self._get(request)["id"]
        tags = [tag for tag in self._records.tags.values() if tag.get("runId") == run_id]
        return tags[::-1]


def _has_ended(scheduled: Record) -> bool:
    return scheduled["state"] in SCHEDULED_ENDS
