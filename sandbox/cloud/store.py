"""The data folder: instances in `state.json`, the call log in `calls.jsonl`."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from pathlib import Path

    from sandbox.cloud.instance import SavedInstance


class Call(TypedDict):
    """One request as it came in.

    Attributes:
        time: Seconds since the epoch when it came in.
        service: `ec2`, `ssm`, or `sandbox` for a hand from outside.
        operation: For example `StartInstances`.
        parameters: As sent.
        code: `ok`, AWS's error code, or the kind of the fault that struck.
        acted: Whether the stand-in did what was asked.
    """

    time: float
    service: str
    operation: str
    parameters: dict[str, Any]
    code: str
    acted: bool


class Store:
    """Keeps what must survive the process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._state = folder / "state.json"
        self._log = folder / "calls.jsonl"
        self.calls: list[Call] = []
        if self._log.exists():
            self.calls = [json.loads(line) for line in self._log.read_text().splitlines()]

    def load(self) -> tuple[dict[str, SavedInstance], float]:
        """Returns the instances by id, and the last moment at which the stand-in was alive."""
        if not self._state.exists():
            return {}, time.time()
        last_call = self.calls[-1]["time"] if self.calls else 0.0
        alive_at = max(self._state.stat().st_mtime, last_call)
        return json.loads(self._state.read_text()), alive_at

    def save(self, instances: dict[str, SavedInstance]) -> None:
        """Writes the instances; a crash leaves the old file or the new one."""
        draft = self._state.with_suffix(".tmp")
        draft.write_text(json.dumps(instances, indent=2))
        draft.replace(self._state)

    def log(self, call: Call) -> None:
        """Appends a request to the call log."""
        self.calls.append(call)
        with self._log.open("a") as file:
            file.write(json.dumps(call) + "\n")
