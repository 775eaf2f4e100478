"""The instance in virtual time: its states, bill, agent, watchdog and Lightly Worker."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.cloud.errors import AwsError
from sandbox.cloud.instance import Snapshot, State
from tests.chaos.clock import CLOCK
from tests.chaos.promises import Call, Span

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

INSTANCE_ID = "i-0123456789abcdef0"
HAND = "Client.UserInitiatedShutdown"
ITSELF = "Client.InstanceInitiatedShutdown"
# The agent pings every 5 minutes, and SSM believes that it is online for a while after.
_PING_S = 300.0
_WATCH_S = 60.0
_EPOCH_SECONDS = re.compile(r"\b1[78]\d{8}\b")


@dataclass
class Command:
    """An SSM command."""

    command_id: str
    sent_at: float
    comment: str
    text: str
    parameters: dict[str, list[str]]
    document: str
    status: str = "Pending"


@dataclass(eq=False)
class Instance:
    """The one instance; it has what `sandbox.cloud.ec2` asks of one.

    Attributes:
        dice: How slow it is.
        lease_ttl_s: LEASE_TTL_S of its watchdog.
        max_uptime_s: MAX_UPTIME_S of its watchdog.
        has_watchdog: Whether it is armed.
        log: Keeps what the watchdog does.
        worker: Starts the Lightly Worker of a boot; it works as long as what it is given is true.
    """

    dice: Random
    lease_ttl_s: float
    max_uptime_s: float
    log: Callable[[Call], None]
    worker: Callable[[Callable[[], bool]], None]
    has_watchdog: bool = True
    instance_id: str = INSTANCE_ID
    tags: dict[str, str] = field(default_factory=dict)
    billed: list[Span] = field(default_factory=list)
    by_hand: list[float] = field(default_factory=list)
    most_workers: int = 0
    _now: Snapshot = field(default_factory=lambda: Snapshot(0.0, State.STOPPED, CLOCK.now - 1e6))
    _online_at: float | None = None
    _last_ping: float | None = None
    _up_since: float = 0.0
    _lease_until: float | None = None
    _workers: int = 0
    _boot: int = 0

    @property
    def now(self) -> Snapshot:
        """The truth."""
        return self._now

    @property
    def seen(self) -> Snapshot:
        """What describe calls show: the truth."""
        return self._now

    @property
    def is_billed(self) -> bool:
        """Whether it is pending or running."""
        return self._now.state in (State.PENDING, State.RUNNING)

    @property
    def is_online(self) -> bool:
        """Whether its SSM agent can take a command."""
        return self._online_at is not None and self._online_at <= CLOCK.now

    @property
    def lease_until(self) -> float:
        """When the lease is over as those see it who cannot ask the ledger: tag and watchdog."""
        return min(float(self.tags.get("curation:lease-until", "0")), self._watched_until())

    @property
    def last_ping(self) -> float | None:
        """When its agent last pinged."""
        if self._online_at is None or not self.is_online:
            return self._last_ping
        return CLOCK.now - (CLOCK.now - self._online_at) % _PING_S

    def tag(self, key: str, value: str | None) -> None:
        """Sets a tag; None removes it."""
        self.tags.pop(key, None)
        if value is not None:
            self.tags[key] = value

    def start(self) -> None:
        """Starts it; harmless while it is pending or running."""
        if self._now.state is State.STOPPING:
            raise self._incorrect_state("started")
        if self._now.state is State.STOPPED:
            self._boot += 1
            self.billed.append(Span(CLOCK.now))
            self._enter(State.PENDING, launched_at=CLOCK.now)
            CLOCK.after(self.dice.uniform(8.0, 40.0), self._in_boot(self._run))

    def stop(self, *, force: bool = False, cause: str = HAND) -> None:
        """Stops it; harmless while it is stopping or stopped."""
        if self._now.state is State.PENDING:
            raise self._incorrect_state("stopped")
        if self._now.state is State.RUNNING:
            self.billed[-1] = Span(self.billed[-1].begin, CLOCK.now)
            self._last_ping, self._online_at = self.last_ping, None
            self._lease_until, self._workers = None, 0
            self._enter(State.STOPPING, cause=cause)
            slow_s = 1.0 if force else self.dice.uniform(10.0, 60.0)
            CLOCK.after(slow_s, self._in_boot(lambda: self._enter(State.STOPPED)))

    def carry_out(self, command: Command) -> None:
        """Does what a command says: launches the worker, or renews the lease."""
        times = _EPOCH_SECONDS.findall(command.text)
        if times:
            self._lease_until = float(times[-1])
        elif not self._workers:  # `flock` in run.sh
            self._workers += 1
            self.most_workers = max(self.most_workers, self._workers)
            boot = self._boot
            self.worker(lambda: self._boot == boot and self._now.state is State.RUNNING)

    def _run(self) -> None:
        self._enter(State.RUNNING)
        self._up_since = CLOCK.now
        self._online_at = CLOCK.now + self.dice.uniform(5.0, 40.0)
        CLOCK.after(self.dice.uniform(0.0, _WATCH_S), self._in_boot(self._watch))

    def _watch(self) -> None:
        """The rule of deploy/instance/watchdog.sh."""
        if self._now.state is not State.RUNNING or not self.has_watchdog:
            return
        if CLOCK.now > min(self._watched_until(), self._up_since + self.max_uptime_s):
            self.log(Call(CLOCK.now, "watchdog", "StopInstances"))
            self.stop(cause=ITSELF)
        else:
            CLOCK.after(_WATCH_S, self._in_boot(self._watch))

    def _watched_until(self) -> float:
        # The kernel's uptime, on which it counts, begins after EC2's.
        return max(self._up_since + self.lease_ttl_s, self._lease_until or 0.0)

    def _in_boot(self, act: Callable[[], None]) -> Callable[[], None]:
        """Returns what does it if this boot is not over by then."""
        boot = self._boot

        def do() -> None:
            if self._boot == boot:
                act()

        return do

    def _enter(self, state: State, *, launched_at: float | None = None, cause: str = "") -> None:
        self._now = Snapshot(CLOCK.now, state, launched_at or self._now.launched_at, cause)

    def _incorrect_state(self, participle: str) -> AwsError:
        return AwsError(
            "IncorrectInstanceState",
            f"The instance '{self.instance_id}' is not in a state from which it can be "
            f"{participle}.",
        )
