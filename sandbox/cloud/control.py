"""Steers and reads a running stand-in: faults, call log, bill, and the hand from outside."""

from __future__ import annotations

import contextlib
import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT_S = 10.0


class ControlError(RuntimeError):
    """The stand-in refused; the message says what."""


@dataclass(frozen=True)
class Control:
    """A running stand-in.

    Attributes:
        url: Where it listens; the endpoint of both services.
        instance_id: Its first instance.
    """

    url: str
    instance_id: str

    @property
    def state(self) -> str:
        """True state of the instance, whatever a describe call says."""
        return str(self.instances()[self.instance_id]["state"])

    def instances(self) -> dict[str, Any]:
        """Returns the truth about each instance."""
        return dict(self._ask("GET", "instances")["instances"])

    def billing(self) -> dict[str, Any]:
        """Returns boots, seconds and billed_seconds of the instance."""
        return dict(self._ask("GET", "billing")["billing"][self.instance_id])

    def calls(self, operation: str | None = None) -> list[dict[str, Any]]:
        """Returns the call log, oldest first, of one operation or of all."""
        calls = self._ask("GET", "calls")["calls"]
        return [call for call in calls if operation in (None, call["operation"])]

    def faults(self) -> list[dict[str, Any]]:
        """Returns what is left of the script of the faults."""
        return list(self._ask("GET", "faults")["faults"])

    def add_faults(self, *script: dict[str, Any]) -> None:
        """Appends to the script of the faults.

        An entry is, for example, `{"operation": "StartInstances", "kind": "error",
        "code": "InsufficientInstanceCapacity", "times": 4}`; see `faults.py`.
        """
        self._ask("POST", "faults", list(script))

    def clear_faults(self) -> None:
        """Drops the script of the faults."""
        self._ask("DELETE", "faults")

    def hand(self, name: str) -> None:
        """Does `start`, `stop`, `power-off`, `agent-off` or `agent-on` past the API."""
        self._ask("POST", name, {"instance_id": self.instance_id})

    def _ask(self, method: str, name: str, body: object = None) -> dict[str, Any]:
        # No urllib: it would ask the user's proxy.
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=_TIMEOUT_S)
        headers = {"Content-Type": "application/json"}
        with contextlib.closing(connection):
            connection.request(method, f"/sandbox/{name}", json.dumps(body), headers)
            answer = connection.getresponse()
            content = answer.read().decode()
        if answer.status != http.HTTPStatus.OK:
            raise ControlError(f"{method} {name} was refused ({answer.status}): {content}")
        return dict(json.loads(content or "{}"))
