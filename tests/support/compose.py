"""The compose file without Docker: its services resolved as compose does, and run as processes."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
# `$$`, `${NAME}`, and with a default or with a message for the one who has not set it.
_VARIABLE = re.compile(
    r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?:(?P<kind>:-|:\?)(?P<rest>[^}]*))?\})"
)
_CHECK_TIMEOUT_S = 90.0

Entry = dict[str, Any]


class MissingVariableError(Exception):
    """Compose would refuse to do anything; its words are those of the compose file."""


def services(variables: Mapping[str, str]) -> dict[str, Entry]:
    """Returns the services of the compose file, each as compose sees it with these variables."""
    content = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    entries: dict[str, Entry] = content["services"]
    for entry in entries.values():
        # A name without a value is passed on if it is set.
        entry["environment"] = {
            name: variables.get(name) if value is None else _resolve(str(value), variables)
            for name, value in entry["environment"].items()
        }
    return {name: _resolve_all(entry, variables) for name, entry in entries.items()}


@dataclass
class Service:
    """One service as a process of this machine.

    Attributes:
        entry: Its entry of the compose file, resolved.
        folder: Where its volumes and its `/tmp` are.
        places: What has another name here than in its container: folders, hosts and ports.
        path: The folders with its programs.
    """

    entry: Entry
    folder: Path
    places: Mapping[str, str]
    path: str
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Starts it as compose does after `up`, and after its end under `restart: always`."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                # Our image works in its copy of the checkout, Redis in the volume with its data.
                cwd=ROOT if "build" in self.entry else self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # With its death all of its processes die, as they do with a container.
                start_new_session=True,
            )

    def command(self, *arguments: str) -> list[str]:
        """Returns its program and what that is given; other arguments stand for its own."""
        program = _words(self.entry.get("entrypoint", []))
        own = list(arguments) or _words(self.entry["command"])
        return [self._here(word) for word in [*program, *own]]

    def environment(self) -> dict[str, str]:
        """Returns all its variables."""
        settings = {name: value for name, value in self.entry["environment"].items() if value}
        return {name: self._here(value) for name, value in settings.items()} | {
            "PATH": self.path,
            "PYTHON_DOTENV_DISABLED": "1",
        }

    def is_healthy(self) -> bool:
        """Carries out its health check."""
        how, *words = self.entry["healthcheck"]["test"]
        command = ["sh", "-c", *words] if how == "CMD-SHELL" else words
        checked = subprocess.run(
            [self._here(word) for word in command],
            cwd=ROOT,
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_CHECK_TIMEOUT_S,
            check=False,
        )
        return checked.returncode == 0

    def kill(self) -> None:
        """Kills it if it was started, and with it what it has started itself."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process = None

    def _here(self, text: str) -> str:
        """Returns a text of the container in this machine's words, each replaced once."""
        known = "|".join(re.escape(place) for place in self.places)
        return re.sub(known, lambda match: self.places[match[0]], text)


def seconds(duration: str) -> float:
    """Returns what a duration such as `150s` means."""
    assert duration.endswith("s")
    return float(duration.removesuffix("s"))


def _words(command: str | list[str]) -> list[str]:
    return shlex.split(command) if isinstance(command, str) else command


def _resolve_all(value: Any, variables: Mapping[str, str]) -> Any:  # noqa: ANN401  # YAML is anything
    if isinstance(value, dict):
        # The environment is resolved already, and the values of others may hold a dollar.
        return {
            name: item if name == "environment" else _resolve_all(item, variables)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_resolve_all(item, variables) for item in value]
    return _resolve(value, variables) if isinstance(value, str) else value


def _resolve(text: str, variables: Mapping[str, str]) -> str:
    def replace(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        value = variables.get(match["name"], "")
        if not value and match["kind"] == ":?":
            raise MissingVariableError(f"{match['name']}: {match['rest']}")
        return value or match["rest"] or ""

    return _VARIABLE.sub(replace, text)
