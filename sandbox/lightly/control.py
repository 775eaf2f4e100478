"""Speaks to a running stand-in: as a Lightly Worker, and by hand."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import urlencode

from sandbox.ask import ask

# A stand-in that died is back within this time.
_TRIES = 50
_PAUSE_S = 0.2


class Control:
    """Steers and reads a running stand-in.

    Attributes:
        url: Where it listens.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def calls(self, operation: str | None = None, *, skip: int = 0) -> list[dict[str, Any]]:
        """Returns the call log, oldest first, of one operation or of all.

        Args:
            operation: Key of ROUTES.
            skip: Number of calls at the beginning to leave out.
        """
        calls = _json("GET", f"{self.url}/sandbox/calls?from={skip}")["calls"]
        return [call for call in calls if operation in (None, call["operation"])]

    def faults(self, *script: dict[str, Any]) -> None:
        """Appends to the script of the faults; without an entry, clears it.

        An entry is, for example, `{"operation": "get_docker_run_by_scheduled_id",
        "kind": "error", "code": "500", "times": 3}`; see `platform.py`.
        """
        _json("POST" if script else "DELETE", f"{self.url}/sandbox/faults", list(script))

    def plan(self) -> dict[str, Any]:
        """Returns what the Lightly Worker does with runs."""
        return dict(_json("GET", f"{self.url}/sandbox/plan")["plan"])

    def hand(self, name: str, body: dict[str, Any]) -> None:
        """Changes the `plan`, or hands in the `results` of a run."""
        _json("POST", f"{self.url}/sandbox/{name}", body)


class Api(Control):
    """The API as a Lightly Worker uses it."""

    def __init__(self, url: str, token: str) -> None:
        super().__init__(url)
        self._token = token

    def send(self, method: str, path: str, body: object = None, **query: str) -> Any:  # noqa: ANN401  # JSON
        """Sends a call until it is answered, and returns the answer.

        Raises:
            RefusedError: If the answer is an error.
        """
        url = f"{self.url}/v1/{path}?{urlencode({**query, 'token': self._token})}"
        for _ in range(_TRIES):
            try:
                return _json(method, url, body)
            except OSError:
                time.sleep(_PAUSE_S)
        return _json(method, url, body)

    def upload(self, url: str, data: bytes) -> None:
        """Uploads to a signed link."""
        ask("PUT", url, data)


def _json(method: str, url: str, body: object = None) -> Any:  # noqa: ANN401  # JSON
    data = None if body is None else json.dumps(body).encode()
    return json.loads(ask(method, url, data) or b"{}")
