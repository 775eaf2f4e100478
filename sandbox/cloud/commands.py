"""One SSM command on one instance: delivered to it, run as a local process, watched to its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sandbox.cloud.documents import Script
    from sandbox.cloud.instance import Instance

_LOOK_INTERVAL_S = 0.05
# What GetCommandInvocation shows of the outputs, in characters (SSM API reference).
_MAX_STDOUT = 24_000
_MAX_STDERR = 8_000


@dataclass
class Command:
    """A command with the state that SSM shows of it.

    Attributes:
        deadline_s: Seconds from the request until delivery times out.
        is_lost: Whether it never reaches the instance.
        response_code: Exit code; -1 until it has ended.
    """

    command_id: str
    instance: Instance
    document: str
    parameters: Mapping[str, list[str]]
    script: Script
    folder: Path
    comment: str = ""
    deadline_s: float = 3600.0
    is_lost: bool = False
    requested_at: float = field(default_factory=time.time)
    started_at: float | None = None
    ended_at: float | None = None
    status: str = "Pending"
    details: str = "Pending"
    response_code: int = -1
    _process: asyncio.subprocess.Process | None = None

    @property
    def age_s(self) -> float:
        """Seconds since SendCommand."""
        return time.time() - self.requested_at

    async def carry_out(self, environment: Mapping[str, str], *, deliver_s: float) -> None:
        """Waits for the agent, runs the script and follows it to its end."""
        await asyncio.sleep(deliver_s)
        while self.is_lost or not self.instance.agent.is_up:
            if self.ended_at:
                return
            if self.age_s > self.deadline_s:
                self._end("TimedOut", "DeliveryTimedOut")
                return
            self.status = self.details = "Delayed"
            await asyncio.sleep(_LOOK_INTERVAL_S)
        if not self.ended_at:
            await self._run({**environment, **self.instance.environment})

    def cancel(self) -> None:
        """Ends the script's own processes; what detached itself lives on, as on AWS."""
        if self.ended_at:
            return
        self.status = self.details = "Cancelling"
        if self._process:
            self._signal(signal.SIGTERM)
        else:
            self._end("Cancelled", "Cancelled")

    def output(self, name: str) -> str:
        """Returns the beginning of `stdout` or `stderr`, as far as SSM shows it."""
        path = self.folder / name
        limit = _MAX_STDOUT if name == "stdout" else _MAX_STDERR
        return path.read_text(errors="replace")[:limit] if path.exists() else ""

    async def _run(self, environment: Mapping[str, str]) -> None:
        self.folder.mkdir(parents=True)
        script = self.folder / "_script.sh"  # SSM's agent too writes a file and runs it
        script.write_text(self.script.text)
        self.status = self.details = "InProgress"
        self.started_at = time.time()
        # Outputs are files, not pipes: what detached itself must not keep the command open.
        with (self.folder / "stdout").open("wb") as out, (self.folder / "stderr").open("wb") as err:
            self._process = await asyncio.create_subprocess_exec(
                "sh",
                str(script),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment,
                cwd=self.script.folder or self.folder,
                start_new_session=True,
            )
        await self._follow(self._process)

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        try:
            code = await asyncio.wait_for(process.wait(), self.script.timeout_s)
        except TimeoutError:
            self._signal(signal.SIGKILL)
            await process.wait()
            self._end("TimedOut", "ExecutionTimedOut")
            return
        # A process that a signal ended has a negative code; shells say 128 + signal.
        self.response_code = code if code >= 0 else 128 - code
        if self.status == "Cancelling":
            self._end("Cancelled", "Cancelled")
        else:
            self._end(*(("Success",) * 2 if code == 0 else ("Failed",) * 2))

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            if self._process:
                os.killpg(self._process.pid, number)

    def _end(self, status: str, details: str) -> None:
        self.status, self.details, self.ended_at = status, details, time.time()
