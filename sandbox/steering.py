"""The sandbox's own addresses on a stand-in: JSON in, JSON out, and no way in for a web page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tornado.web import HTTPError, RequestHandler

if TYPE_CHECKING:
    from sandbox.cloud.faults import Faults

# A stand-in answers only to these names, so that no name on the internet can lead a page to it.
LOOPBACK_HOSTS = r"(127\.0\.0\.1|localhost)"
# A page in a browser cannot send this without asking first.
_JSON = "application/json"


class Steering(RequestHandler):
    """What all of them have in common."""

    def prepare(self) -> None:
        """Refuses whatever a page in a browser could send."""
        if self.request.method != "GET" and self.request.headers.get("Content-Type") != _JSON:
            raise HTTPError(415, reason=f"send {_JSON}")

    def refuse(self, status: int, message: str) -> None:
        """Answers an error."""
        self.set_status(status)
        self.finish({"error": message})


class FaultScript(Steering):
    """Shows the script of the faults, adds to it, clears it."""

    def initialize(self, faults: Faults) -> None:
        """Takes the script."""
        self._faults = faults

    def get(self) -> None:
        """Shows what is left of it."""
        self.finish({"faults": self._faults.to_json()})

    def post(self) -> None:
        """Appends entries."""
        try:
            self._faults.add(json.loads(self.request.body))
        except (TypeError, ValueError) as error:
            self.refuse(400, str(error))

    def delete(self) -> None:
        """Drops it."""
        self._faults.clear()
