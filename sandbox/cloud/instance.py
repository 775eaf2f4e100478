"""One instance: its state machine, its boots and what they cost."""

from __future__ import annotations

import asyncio
import shutil
import time
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypedDict

from sandbox.cloud import processes
from sandbox.cloud.agent import Agent
from sandbox.cloud.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from sandbox.cloud.services import Services

# AWS bills at least one minute for each start (StopInstances documentation).
_MINIMUM_BILLED_S = 60.0


class State(StrEnum):
    """EC2's words for the states that this stand-in knows; nothing is ever terminated."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Delays:
    """How slow the modelled AWS is, in seconds."""

    boot_s: float = 1.0  # pending, until running
    agent_s: float = 1.0  # running, until the SSM agent is online
    stop_s: float = 1.0  # stopping, at least, until stopped
    grace_s: float = 1.0  # between SIGTERM and SIGKILL of what runs on the instance
    lag_s: float = 0.0  # how far describe calls look back
    ping_s: float = 2.0  # between two pings of the agent
    lost_s: float = 10.0  # after the last ping, until ConnectionLost
    invisible_s: float = 0.1  # after SendCommand, until the invocation exists
    deliver_s: float = 0.2  # after SendCommand, until the command runs


@dataclass
class Boot:
    """One start of the instance; `ended_at` is None while it is billed."""

    started_at: float
    ended_at: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds in pending and running."""
        return (self.ended_at or time.time()) - self.started_at

    @property
    def billed_seconds(self) -> float:
        """The seconds, but at least a minute."""
        return max(self.seconds, _MINIMUM_BILLED_S)


@dataclass(frozen=True)
class Snapshot:
    """What EC2 says about an instance from `at` on; `cause` is a StateReason code."""

    at: float
    state: State
    launched_at: float
    cause: str = ""


class SavedInstance(TypedDict):
    """An instance in the data folder; `state` is for people, since a reopened one is stopped."""

    state: str
    launched_at: float
    last_ping: float | None
    tags: dict[str, str]
    boots: list[dict[str, float]]


class Instance:
    """An instance that obeys EC2's rules; one asyncio loop drives it."""

    def __init__(
        self,
        instance_id: str,
        delays: Delays,
        *,
        markers: Mapping[str, str],
        saved: SavedInstance | None,
        changed: Callable[[], None],
        services: Services,
    ) -> None:
        """Makes an instance that is stopped.

        Args:
            instance_id: Its id.
            delays: How slow it is.
            markers: Environment by which everything that runs on the stand-in's instances is known.
            saved: What an earlier stand-in has left of it.
            changed: Called after each change.
            services: What it starts by itself at each boot.
        """
        self.instance_id = instance_id
        self.tags: dict[str, str] = dict(saved["tags"]) if saved else {}
        self.boots = [Boot(**boot) for boot in saved["boots"]] if saved else []
        self.agent = Agent(delays, last_ping=saved["last_ping"] if saved else None)
        self._delays = delays
        self._markers = markers
        self._changed = changed
        self.run_folder = services.run / instance_id
        self._services = services
        launched_at = saved["launched_at"] if saved else time.time()
        self._history = [Snapshot(0.0, State.STOPPED, launched_at)]
        self._transition: asyncio.Task[None] | None = None

    @property
    def now(self) -> Snapshot:
        """The truth."""
        return self._history[-1]

    @property
    def seen(self) -> Snapshot:
        """What describe calls show: the truth of `lag_s` ago."""
        before = time.time() - self._delays.lag_s
        return next(item for item in reversed(self._history) if item.at <= before)

    @property
    def markers(self) -> dict[str, str]:
        """Environment by which everything that runs in this boot is known."""
        boot = f"{self.instance_id}/{len(self.boots)}"
        return {**self._markers, "SANDBOX_INSTANCE_ID": self.instance_id, "SANDBOX_BOOT": boot}

    @property
    def environment(self) -> dict[str, str]:
        """What everything that runs in this boot finds: the markers, and where /run is."""
        return {**self.markers, "CURATION_RUN": str(self.run_folder)}

    def tag(self, key: str, value: str | None) -> None:
        """Sets a tag; None removes it."""
        self.tags.pop(key, None)
        if value is not None:
            self.tags[key] = value
        self._changed()

    def start(self) -> None:
        """Starts it; harmless while it is pending or running."""
        if self.now.state is State.STOPPING:
            raise self._incorrect_state("started")
        if self.now.state is State.STOPPED:
            self.boots.append(Boot(time.time()))
            self._enter(State.PENDING, launched_at=self.boots[-1].started_at)
            self._follow(self._boot())

    def stop(self, *, force: bool = False, cause: str = "Client.UserInitiatedShutdown") -> None:
        """Stops it; harmless while it is stopping or stopped. `force` skips the grace."""
        if self.now.state is State.PENDING:
            raise self._incorrect_state("stopped")
        if self.now.state is State.RUNNING:
            self.boots[-1].ended_at = time.time()
            self.agent.drop()
            self._enter(State.STOPPING, cause=cause)
            self._follow(self._halt(force=force))
        elif self.now.state is State.STOPPING and force:
            self._follow(self._halt(force=True))

    def close(self, at: float | None = None) -> None:
        """Ends the bill of a boot that the end of the stand-in (`at`, or now) cut short."""
        if self._transition:
            self._transition.cancel()
        if self.boots and self.boots[-1].ended_at is None:
            boot = self.boots[-1]
            boot.ended_at = max(at or time.time(), boot.started_at)
        self.agent.drop()
        self._history.append(replace(self.now, at=time.time(), state=State.STOPPED))

    def to_saved(self) -> SavedInstance:
        """Returns what the data folder keeps."""
        return SavedInstance(
            state=self.now.state,
            launched_at=self.now.launched_at,
            last_ping=self.agent.last_ping,
            tags=self.tags,
            boots=[asdict(boot) for boot in self.boots],
        )

    async def _boot(self) -> None:
        shutil.rmtree(self.run_folder, ignore_errors=True)
        self.run_folder.mkdir(parents=True)
        await asyncio.sleep(self._delays.boot_s)
        await self._services.start(self.environment)
        self.agent.boot()
        self._enter(State.RUNNING)

    async def _halt(self, *, force: bool) -> None:
        grace_s = 0.0 if force else self._delays.grace_s
        await asyncio.gather(
            asyncio.sleep(self._delays.stop_s), processes.end(self.markers, grace_s=grace_s)
        )
        self._enter(State.STOPPED, cause=self.now.cause)

    def _follow(self, transition: Coroutine[None, None, None]) -> None:
        if self._transition:
            self._transition.cancel()
        self._transition = asyncio.get_running_loop().create_task(transition)

    def _enter(self, state: State, *, launched_at: float | None = None, cause: str = "") -> None:
        launched_at = launched_at or self.now.launched_at
        self._history.append(Snapshot(time.time(), state, launched_at, cause))
        self._changed()

    def _incorrect_state(self, participle: str) -> AwsError:
        return AwsError(
            "IncorrectInstanceState",
            f"The instance '{self.instance_id}' is not in a state from which it can be "
            f"{participle}.",
        )
