"""A fault: waits for its moment in a trial, and strikes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import redis

from sandbox.cloud.instance import State
from tests.chaos.cells import STEPS
from tests.chaos.clock import CLOCK
from tests.chaos.instance import HAND
from tests.chaos.promises import Call, Span
from tests.chaos.stage import SECRETS, World, refusal
from tests.chaos.wire import Answer, Harm

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.cells import Cell
    from tests.chaos.wire import Ask

# How many of a step's calls there are at least in a run that goes well.
_CALLS = {
    "download": 2,
    "upload": 3,
    "wait-running": 4,
    "wait-ssm": 2,
    "create dataset": 4,
    "schedule": 2,
    "poll": 3,
}
_REDIS_COMMANDS_OF_ENQUEUE = 4
# Every code of a burst, by service; for Lightly and the source a status.
_BURST = {
    "ec2": ("RequestLimitExceeded", "InternalError", "Unavailable"),
    "ssm": ("ThrottlingException", "InternalServerError", "ServiceUnavailable"),
    "s3": ("SlowDown", "InternalError", "ServiceUnavailable"),
    "lightly": ("500", "503", "429"),
    "source": ("500", "503", "429"),
}
_DENIED = {
    "ec2": "UnauthorizedOperation",
    "ssm": "AccessDeniedException",
    "s3": "AccessDenied",
    "lightly": "403",
    "source": "403",
}
_EXPIRED = {
    "ec2": "RequestExpired",
    "ssm": "ExpiredTokenException",
    "s3": "ExpiredToken",
    "lightly": "401",
    "source": "410",
}


class People(Protocol):
    """Those who use the pipeline."""

    def ask(self, key: str) -> None:
        """Asks for a run with an idempotency key."""

    def cancel(self, run_id: str) -> None:
        """Cancels a run."""


class Strike:
    """One fault in one trial.

    Attributes:
        struck_at: When it struck; None if it has not.
    """

    def __init__(self, cell: Cell, world: World, people: People) -> None:
        """Aims at a call of the step that the dice choose.

        Args:
            cell: Step and fault.
            world: The trial's world; its dice are used.
            people: Those who ask for runs and cancel them.
        """
        self.struck_at: float | None = None
        self._cell = cell
        self._world = world
        self._dice = world.dice
        self._people = people
        self._names = frozenset(STEPS[cell.step])
        most = _CALLS.get(cell.step, 1)
        self._left = self._dice.randint(1, most)
        self._late = self._dice.random() < 0.5
        self._down_until = 0.0
        self._redis_left = self._dice.randint(1, _REDIS_COMMANDS_OF_ENQUEUE)
        self._acts: dict[str, Callable[[], None]] = {
            "F1": lambda: self._kill(whole=False),
            "F2": lambda: self._kill(whole=True),
            "F3": self._freeze,
            "F4": self._restart_redis,
            "F5": self._flush,
            "F6": self._duplicate,
            "F15": self._end_beat,
            "F16": self._meddle,
            "F17": self._jump,
            "F19": lambda: self._people.ask("key-2"),
            "F20": self._kill_all,
        }

    def before(self, ask: Ask) -> None:
        """A request is about to be sent."""
        if self.struck_at is None and self._is_meant(ask):
            self._left -= 1
            if self._left <= 0 and (not self._late or self._cell.fault not in self._acts):
                self._strike()

    def after(self, ask: Ask) -> None:
        """An answer has come."""
        if self.struck_at is None and self._late and self._left <= 0 and self._is_meant(ask):
            self._strike()

    def redis(self) -> None:
        """Commands are about to be sent to Redis, or a message to the broker."""
        if self._cell.step == "enqueue" and self.struck_at is None:
            self._count_enqueue()
        if self._down_until > CLOCK.now:
            raise redis.ConnectionError("Connection refused.")

    def _count_enqueue(self) -> None:
        if CLOCK.active is None or CLOCK.active.name != "enqueue":
            return
        self._redis_left -= 1
        if self._redis_left > 0:
            return
        self._strike()
        if self._cell.fault == "F8":
            raise redis.ConnectionError("Connection reset by peer.")
        if self._cell.fault == "F10":
            CLOCK.pause(2.5)
            raise redis.TimeoutError("Timeout reading from socket")

    def _is_meant(self, ask: Ask) -> bool:
        is_ours = self._world.cluster.run_id() != ""
        return is_ours and (ask.service, self._world.operation_of(ask)) in self._names

    def _strike(self) -> None:
        self.struck_at = CLOCK.now
        act = self._acts.get(self._cell.fault)
        if act:
            act()
        elif self._names:
            self._world.harms.append((self._names, self._harm()))

    def _harm(self) -> Harm:
        dice = self._dice
        few, many = dice.randint(1, 4), dice.randint(1, 12)
        hang = dice.choice(("hang-before", "hang-after"))
        expires = dice.choice((1, 1, None))
        return {
            "F7": Harm("error", self._burst, times=few),
            "F8": Harm("cut-before", times=few),
            "F9": Harm("cut-after", times=few),
            "F10": Harm(hang, times=few),
            "F11": Harm("error", self._denied, times=None),
            "F12": Harm("error", self._expired, times=expires),
            "F13": Harm("error", _no_capacity, times=many),
            "F14": Harm("error", self._burst, times=many),
            "F18": Harm("garbage", times=few),
        }[self._cell.fault]

    def _burst(self, ask: Ask) -> Answer:
        # Some servers ask for more patience than a run can have.
        headers = {"Retry-After": self._dice.choice(("1", "60", "7200"))}
        return refusal(ask, self._dice.choice(_BURST[ask.service]), headers=headers)

    def _denied(self, ask: Ask) -> Answer:
        # A server that repeats what it was sent, as some do.
        token = SECRETS["LIGHTLY_TOKEN"] if ask.service == "lightly" else ""
        return refusal(ask, _DENIED[ask.service], f"Refused: {ask.path}?token={token}")

    def _expired(self, ask: Ask) -> Answer:
        return refusal(ask, _EXPIRED[ask.service], "The security token has expired.")

    def _kill(self, *, whole: bool) -> None:
        self._world.cluster.kill_child(whole=whole)
        if CLOCK.active and CLOCK.active.name == "enqueue":
            CLOCK.active.is_dead = True
            CLOCK.after(30.0, lambda: self._people.ask("key-1"))

    def _freeze(self) -> None:
        CLOCK.pause(2 * self._world.settings.run.lease_ttl_s)

    def _restart_redis(self) -> None:
        away_s = self._dice.uniform(0.5, 20.0)
        self._down_until = CLOCK.now + away_s
        self._world.history.outages.append(Span(CLOCK.now, self._down_until))
        CLOCK.at(self._down_until, self._world.cluster.copy_unacknowledged)
        if CLOCK.active and CLOCK.active.name == "enqueue":
            CLOCK.after(away_s + 10.0, lambda: self._people.ask("key-1"))

    def _flush(self) -> None:
        self._world.observe()
        self._world.history.wiped_at = CLOCK.now
        self._world.redis.flushall()
        if self._dice.random() < 0.5:
            # Else the Celery workers have them: messages that wait for their time.
            self._world.cluster.lose_messages()

    def _duplicate(self) -> None:
        if self._cell.step == "enqueue":
            self._people.ask("key-1")
            return
        after_s = self._dice.choice((0.0, 0.3, 5.0, 60.0, 900.0))
        self._world.cluster.copy_current(after_s)

    def _end_beat(self) -> None:
        self._world.cluster.has_beat = False
        # Whatever nobody but the reaper could mend must not be needed, at a bad end neither.
        self._world.hosted.fails = self._dice.random() < 0.5

    def _meddle(self) -> None:
        if self._dice.random() < 0.3:
            self._cancel()
            return
        instance = self._world.instance
        if instance.now.state is State.RUNNING:
            self._note_hand("stop")
            instance.stop(cause=HAND)
        elif instance.now.state is State.STOPPED:
            self._note_hand("start")
            instance.by_hand.append(CLOCK.now)
            instance.start()
        else:
            CLOCK.after(5.0, self._meddle)

    def _cancel(self) -> None:
        """Has a person cancel the run."""
        run_id = self._world.cluster.run_id()
        CLOCK.after(0.0, lambda: CLOCK.spawn("cancel", lambda: self._people.cancel(run_id)))

    def _note_hand(self, name: str) -> None:
        self._world.log(Call(CLOCK.now, "sandbox", name))

    def _jump(self) -> None:
        self._world.skew_s += self._dice.choice((-60.0, -10.0, 30.0, 300.0, 1_200.0))

    def _kill_all(self) -> None:
        self._world.history.dead_from = CLOCK.now
        self._world.cluster.kill_for_good()
        if CLOCK.active:
            CLOCK.active.is_dead = True


def _no_capacity(ask: Ask) -> Answer:
    return refusal(ask, "InsufficientInstanceCapacity", "We have no capacity.")
