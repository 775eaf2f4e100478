"""Lightly Workers: who is registered, who is online, and which run each may take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sandbox.lightly.records import USER_ID, field_of, known, now_ms, stamped

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.lightly.records import Plan, Record, Records
    from sandbox.lightly.request import Request

# A Lightly Worker that has been silent for longer is shown as offline.
_SILENT_S = 3.0
_PRIORITIES = ("CRITICAL", "HIGH", "MID", "LOW")


class Workers:
    """The part of the API that Lightly Workers use."""

    def __init__(self, records: Records, plan: Callable[[], Plan]) -> None:
        self._records = records
        self._plan = plan
        self._seen_at: dict[str, float] = {}
        self.operations: dict[str, Callable[[Request], Any]] = {
            "register_docker_worker": self._register,
            "get_docker_worker_registry_entries": self._list,
            "update_docker_worker_registry_entry_by_id": self._update,
            "get_docker_runs_scheduled_by_worker_id": self._offer,
        }

    def _register(self, request: Request) -> Record:
        name = field_of(request.body, "name")
        for worker in self._records.workers.values():
            if worker["name"] == name:  # its labels stay, too
                return {"id": worker["id"]}
        worker = stamped(
            userId=USER_ID,
            name=name,
            workerType=field_of(request.body, "workerType"),
            state="OFFLINE",
            labels=request.body.get("labels", []),
        )
        self._records.workers[worker["id"]] = worker
        return {"id": worker["id"]}

    def _list(self, _request: Request) -> list[Record]:
        return [self._shown(worker) for worker in self._records.workers.values()]

    def _update(self, request: Request) -> None:
        worker = known(self._records.workers, request.path["workerId"])
        state = field_of(request.body, "state")
        version = request.body.get("dockerVersion", "2.12.0")
        worker.update(state=state, dockerVersion=version, lastModifiedAt=now_ms())
        self._seen_at[worker["id"]] = time.monotonic()

    def _offer(self, request: Request) -> list[Record]:
        """Lists the open runs that a Lightly Worker may take, the most urgent and oldest first."""
        worker = known(self._records.workers, request.path["workerId"])
        if not self._plan().takes:
            return []
        # One run of a dataset at a time, as the release notes of the Lightly Worker 2.11.1 say.
        locked = {
            scheduled["datasetId"]
            for scheduled in self._records.scheduled.values()
            if scheduled["state"] == "LOCKED"
        }
        offered = [
            scheduled
            for scheduled in self._records.scheduled.values()
            if scheduled["state"] == "OPEN"
            and scheduled["datasetId"] not in locked
            and set(scheduled["runsOn"]) <= set(worker["labels"])
        ]
        return sorted(offered, key=lambda scheduled: _PRIORITIES.index(scheduled["priority"]))

    def _shown(self, worker: Record) -> Record:
        silent_s = time.monotonic() - self._seen_at.get(worker["id"], float("-inf"))
        return {**worker, "state": worker["state"] if silent_s < _SILENT_S else "OFFLINE"}
