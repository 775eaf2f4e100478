"""The Pexels stand-in as a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sandbox.ask import ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = "canary-key-of-pexels"
_END_TIMEOUT_S = 90.0


@dataclass(frozen=True)
class Pexels:
    """A running stand-in.

    Attributes:
        url: Where it listens.
    """

    url: str

    @property
    def host(self) -> str:
        """Name and port, as in ALLOWED_VIDEO_HOSTS."""
        return urlsplit(self.url).netloc

    def calls(self, operation: str | None = None) -> list[dict[str, Any]]:
        """Returns all requests, oldest first, of one operation or of all."""
        calls = json.loads(ask("GET", f"{self.url}/sandbox/calls"))["calls"]
        return [call for call in calls if operation in (None, call["operation"])]

    def add_faults(self, *script: dict[str, Any]) -> None:
        """Appends to the script of the faults, for example `{"operation": "file", "kind": "hang"}`.

        See `sandbox/pexels/server.py`.
        """
        ask("POST", f"{self.url}/sandbox/faults", json.dumps(script).encode())

    def clear_faults(self) -> None:
        """Drops the script of the faults."""
        ask("DELETE", f"{self.url}/sandbox/faults")


@contextmanager
def pexels_server(data: Path) -> Iterator[Pexels]:
    """Runs the stand-in on a data folder."""
    command = [sys.executable, "-m", "sandbox.pexels", "--data", str(data)]
    environment = os.environ | {"PEXELS_API_KEY": KEY}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout
        try:
            yield Pexels(process.stdout.readline().split()[-1])
        finally:
            process.terminate()
            process.wait(timeout=_END_TIMEOUT_S)
