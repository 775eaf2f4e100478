"""The cells with real processes: a fault, the step at which it strikes, how the run must end."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.proxy import Connection, Moment

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.live.play import Play

BEFORE, AFTER = Moment.BEFORE, Moment.AFTER
# Leases that outlive every redelivery, and leases that a frozen process loses.
CALM_S, BRIEF_S = 40.0, 8.0
AWAY_S = 8.0
COMPLETED, FAILED, ANY = "completed", "failed", ""


@dataclass(frozen=True)
class Cell:
    """One experiment.

    Attributes:
        step: Step at which it strikes.
        fault: What strikes, in the words of the table.
        order: Orders the strike, before the run is begun.
        end: State that every run must end in; empty for any end.
        lease_ttl_s: LEASE_TTL_S of its world.
        source: Where the video comes from, if not from the usual place.
    """

    step: str
    fault: str
    order: Callable[[Play, str], None]
    end: str = COMPLETED
    lease_ttl_s: float = CALM_S
    source: str = ""

    @property
    def name(self) -> str:
        """What it is called for."""
        return f"{self.step}: {self.fault}"


def _cut(moment: Moment, play: Play, step: str) -> None:
    play.at(step, moment, Connection.cut)


def _kill_child(moment: Moment, play: Play, step: str) -> None:
    play.at(step, moment, play.kill_caller)


def _kill_worker(play: Play, step: str) -> None:
    play.at(step, AFTER, lambda _: play.kill("control"))


def _kill_everything(play: Play, step: str) -> None:
    play.at(step, AFTER, lambda _: play.kill_everything())


def _freeze_child(play: Play, step: str) -> None:
    play.at(step, BEFORE, play.freeze_caller)


def _freeze_worker(play: Play, step: str) -> None:
    play.at(step, BEFORE, play.freeze_worker)


def _kill_broker(play: Play, step: str) -> None:
    play.at(step, BEFORE, lambda _: play.kill("valkey"))


def _cut_broker(play: Play, step: str) -> None:
    play.at(step, BEFORE, lambda _: play.live.proxies["valkey"].cut())


def _take_broker_away(play: Play, step: str) -> None:
    play.at(step, BEFORE, lambda _: play.take_away("valkey", AWAY_S))


def _silence_broker(play: Play, step: str) -> None:
    play.note_outage()
    play.at(step, BEFORE, lambda _: play.silence("valkey", AWAY_S))


def _wipe(play: Play, step: str) -> None:
    play.at(step, AFTER, lambda _: play.wipe())


def _send_again(play: Play, step: str) -> None:
    play.at(step, BEFORE, lambda _: play.send_again())


def _begin_another(play: Play, step: str) -> None:
    play.at(step, AFTER, lambda _: play.begin())


def _human_stops(play: Play, step: str) -> None:
    play.at(step, BEFORE, lambda _: play.live.cloud.hand("stop"))


def _refuse(operation: str, code: str, play: Play, _step: str) -> None:
    fault = {"operation": operation, "kind": "error", "code": code, "times": 4}
    play.live.cloud.add_faults(fault)


def _silence(server: str, play: Play, step: str) -> None:
    play.at(step, BEFORE, lambda _: play.silence(server, AWAY_S))


def _delay(server: str, play: Play, _step: str) -> None:
    proxy = play.live.proxies[server]
    proxy.delay_s = 0.3


def _beat_dies(play: Play, step: str) -> None:
    play.at(step, BEFORE, lambda _: play.freeze("beat", 20.0))


WARM_UP = Cell("enqueue", "nothing", lambda _play, _step: None)
DEAD = [
    Cell(step, "everything killed for good", _kill_everything, lease_ttl_s=BRIEF_S)
    for step in ("start", "invocation", "poll", "stop")
]
CUTS = [
    Cell(step, f"cut {moment.value}", functools.partial(_cut, moment), source=source)
    for step, moment, source in (
        ("enqueue", BEFORE, ""),
        ("enqueue", AFTER, ""),
        ("find", BEFORE, "pexels:popular"),
        ("download", BEFORE, ""),
        ("download", AFTER, ""),
        ("upload", BEFORE, ""),
        ("upload-end", BEFORE, ""),
        ("upload-end", AFTER, ""),
        ("start", BEFORE, ""),
        ("start", AFTER, ""),
        ("wait-running", AFTER, ""),
        ("wait-ssm", BEFORE, ""),
        ("send", BEFORE, ""),
        ("send", AFTER, ""),
        ("invocation", AFTER, ""),
        ("create-dataset", BEFORE, ""),
        ("create-dataset", AFTER, ""),
        ("schedule", BEFORE, ""),
        ("schedule", AFTER, ""),
        ("poll", AFTER, ""),
        ("stop", BEFORE, ""),
        ("stop", AFTER, ""),
        ("verify-stop", AFTER, ""),
    )
]
DEATHS = [
    *(
        Cell(step, f"pool child killed {moment.value}", functools.partial(_kill_child, moment))
        for step, moment in (
            ("upload", BEFORE),
            ("upload-end", AFTER),
            ("start", AFTER),
            ("send", AFTER),
            ("schedule", BEFORE),
            ("schedule", AFTER),
            ("poll", BEFORE),
            ("stop", AFTER),
        )
    ),
    *(
        Cell(step, "Celery worker killed", _kill_worker)
        for step in ("upload", "start", "schedule", "poll", "stop")
    ),
]
FROZEN = [
    *(
        Cell(step, "pool child frozen", _freeze_child, end=ANY, lease_ttl_s=BRIEF_S)
        for step in ("start", "schedule", "poll", "stop")
    ),
    *(
        Cell(step, "Celery worker frozen", _freeze_worker, end=ANY, lease_ttl_s=BRIEF_S)
        for step in ("start", "poll", "stop")
    ),
]
# Until its time limit kills it, which fails the task although its step goes on.
HANGING = [Cell(step, "pool child hangs", _freeze_child) for step in ("upload", "start")]
BROKER = [
    *(Cell(step, "broker killed", _kill_broker) for step in ("upload", "start", "poll", "stop")),
    *(Cell(step, "broker cut", _cut_broker) for step in ("upload", "start", "schedule")),
    *(Cell(step, "broker away", _take_broker_away) for step in ("start", "poll", "stop")),
    Cell("poll", "broker silent", _silence_broker),
    *(
        Cell(step, "FLUSHALL", _wipe, end=ANY, lease_ttl_s=BRIEF_S)
        for step in ("start", "send", "poll", "stop")
    ),
]
OTHERS = [
    *(Cell(step, "messages twice", _send_again) for step in ("start", "schedule", "stop")),
    *(Cell(step, "another run", _begin_another) for step in ("start", "poll", "stop")),
    Cell("poll", "a human stops it", _human_stops, end=FAILED),
    Cell("stop", "refused", functools.partial(_refuse, "StopInstances", "RequestLimitExceeded")),
    Cell(
        "start",
        "no capacity",
        functools.partial(_refuse, "StartInstances", "InsufficientInstanceCapacity"),
    ),
    Cell("poll", "beat dead", _beat_dies),
    Cell("upload", "silence", functools.partial(_silence, "s3")),
    Cell("poll", "silence", functools.partial(_silence, "lightly")),
    Cell("start", "latency", functools.partial(_delay, "cloud")),
]
CELLS = {cell.name: cell for cell in [*FROZEN, *DEAD, *HANGING, *BROKER, *DEATHS, *OTHERS, *CUTS]}
