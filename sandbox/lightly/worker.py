"""The sandbox's Lightly Worker: `python -m sandbox.lightly.worker`, online while it runs.

It speaks to the stand-in by the calls that the client has for Lightly Workers, reads the video
from S3 and writes frames and thumbnails there, each for real. Where it finds them: LIGHTLY_TOKEN,
LIGHTLY_SERVER_LOCATION and boto3's own variables.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

from sandbox.lightly.control import Api
from sandbox.lightly.selection import Aborted, select

if TYPE_CHECKING:
    from collections.abc import Sequence

_POLL_S = 0.2
_VERSION = "2.12.0"
# What a run goes through before and after its frames are selected.
_BEFORE = ("INITIALIZING", "LOADING_DATASET", "CHECKING_CORRUPTNESS", "EMBEDDING", "SAMPLING")
_AFTER = ("SAVING_RESULTS", "UPLOADING_DATASET", "GENERATING_REPORT", "UPLOADED_REPORT")


class LightlyWorker:
    """Takes runs and carries them out, one at a time."""

    def __init__(self, api: Api, *, name: str, labels: Sequence[str]) -> None:
        """Registers; a name that is registered already keeps its labels."""
        entry = {"name": name, "workerType": "FULL", "labels": list(labels), "creator": "USER_PIP"}
        self._api = api
        self._id = api.send("POST", "docker/worker", entry)["id"]
        self._run_id = ""

    def work(self) -> NoReturn:
        """Takes runs until the process is ended."""
        while True:
            self._show("IDLE")
            offered = self._api.send("GET", f"docker/worker/{self._id}/schedule", state="OPEN")
            if offered:
                self._show("BUSY")
                self._take(offered[0])
            else:
                time.sleep(_POLL_S)

    def leave(self) -> None:
        """Says goodbye."""
        self._show("OFFLINE")

    def _take(self, scheduled: dict[str, Any]) -> None:
        place = f"datasets/{scheduled['datasetId']}/docker/worker/{self._id}/schedule"
        self._api.send("PUT", f"{place}/{scheduled['id']}", {"state": "LOCKED"})
        started = {"dockerVersion": _VERSION, "scheduledId": scheduled["id"]}
        self._run_id = self._api.send("POST", "docker/runs", started)["id"]
        self._carry_out(scheduled)
        self._api.send("PUT", f"{place}/{scheduled['id']}", {"state": "DONE"})

    def _carry_out(self, scheduled: dict[str, Any]) -> None:
        for state in _BEFORE:
            self._enter(state)
        plan = self._api.plan()
        if plan["ends"] != "COMPLETED":
            self._enter(plan["ends"], plan["message"] or f"The sandbox planned {plan['ends']}.")
            return
        try:
            names = select(self._api, scheduled)
        except Aborted as error:
            self._enter("ABORTED", str(error))
            return
        for state in _AFTER:
            self._enter(state)
        self._api.hand("results", {"runId": self._run_id, "fileNames": names})
        self._report(names)
        self._enter("COMPLETED", "The run has ended.")

    def _enter(self, state: str, message: str = "") -> None:
        says = {"state": state, "message": message or f"The Lightly Worker is {state}."}
        self._api.send("PUT", f"docker/runs/{self._run_id}", says)
        self._show("BUSY")
        time.sleep(self._api.plan()["state_s"])

    def _report(self, names: Sequence[str]) -> None:
        artifact = {"type": "REPORT_V2_JSON", "fileName": "report_v2.json"}
        made = self._api.send("POST", f"docker/runs/{self._run_id}/artifacts", artifact)
        report = json.dumps({"nSelected": len(names), "selected": names})
        self._api.upload(made["signedWriteUrl"], report.encode())

    def _show(self, state: str) -> None:
        says = {"state": state, "dockerVersion": _VERSION}
        self._api.send("PUT", f"docker/worker/{self._id}", says)


def main() -> None:
    """Works until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(prog="sandbox.lightly.worker", description="Lightly Worker")
    parser.add_argument("--name", default="sandbox", help="name under which it registers")
    parser.add_argument("--label", action="append", default=[], help="label that it has")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    api = Api(os.environ["LIGHTLY_SERVER_LOCATION"], os.environ["LIGHTLY_TOKEN"])
    worker = LightlyWorker(api, name=options.name, labels=options.label)
    try:
        worker.work()
    finally:
        worker.leave()


if __name__ == "__main__":
    main()
