"""One cell as it is played: runs are begun, struck at a step, and waited for."""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
import time
import uuid
from typing import TYPE_CHECKING

import psutil

from curation.errors import RequestError
from curation.ledger.store import LedgerUnavailable
from curation.models import RunRequest
from pipeline import enqueue
from pipeline.canvas import build_run
from tests.chaos.live.wire import PLACES
from tests.chaos.promises import Span
from tests.support.proxy import Connection, Moment
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.models import Run
    from tests.chaos.live.witness import Witness
    from tests.chaos.live.world import LiveWorld

_LIMIT_S = 330.0
# Looking costs more than a cell does; a run lasts seconds.
_LOOK_S = 0.2
_TRIES = 3


class Play:
    """What a cell may do to its world.

    Attributes:
        live: The world.
        witness: Sees it all.
        strikes: What was ordered to strike.
        run_ids: The runs, oldest first.
    """

    def __init__(self, live: LiveWorld, witness: Witness) -> None:
        self.live = live
        self.witness = witness
        self.run_ids: list[str] = []
        self.strikes: list[threading.Event] = []
        self._undo = contextlib.ExitStack()

    def begin(self, source: str = "") -> None:
        """Enqueues a run, again with the same key when its messages could not be published."""
        request = RunRequest(source=source or self.live.clip, idempotency_key=uuid.uuid4().hex)
        try:
            run_id = enqueue(request)
        except LedgerUnavailable:
            run_id = wait_until(functools.partial(_ask_again, request), limit_s=60)
        self.run_ids.append(run_id)
        self.witness.expect(run_id)

    def at(self, step: str, moment: Moment, act: Callable[[Connection], object]) -> None:
        """Has `act` called when the step is seen on the wire."""
        if step == "verify-stop":
            self._at("stop", Moment.AFTER, lambda _: self._at("wait-running", moment, act))
        else:
            self._at(step, moment, act)

    def finish(self) -> list[Run]:
        """Waits until every run has ended or is unknown, and the instance is stopped."""
        for _ in range(_TRIES):
            self._wait_until(lambda: self._is_struck() or self._ended() is not None)
            if self._is_struck():
                break
            self.begin()  # on a machine that is too busy a brief lease may end by itself
        else:
            errors = [run.error for run in self._ended() or []]
            raise AssertionError(f"The runs ended before all had struck: {errors}")
        if self.witness.history.dead_from:
            self._wait_for_stop()
            return []
        runs = self._wait_for_end()
        self._wait_for_stop()
        return runs

    def kill_everything(self) -> None:
        """SIGKILL of broker, beat and Celery workers, for good."""
        self.live.kill_control_plane()
        self.witness.history.dead_from = time.time()
        self._undo.callback(self.live.revive_control_plane)
        # What comes after is a new life: nobody waits for the messages of the dead one.
        self._undo.callback(self.live.forget)

    def clean_up(self) -> None:
        """Ends all harm, and waits until nothing is going on any more."""
        self._undo.close()
        self.live.cloud.clear_faults()
        for proxy in self.live.proxies.values():
            proxy.heal()
        self._wait_for_end()
        self._wait_for_stop()

    def kill_caller(self, connection: Connection) -> None:
        """SIGKILL of the pool child that sends this request, which then leads nowhere."""
        self._caller(connection).kill()
        connection.cut()

    def freeze_caller(self, connection: Connection) -> None:
        """SIGSTOP of the pool child that sends this request, for longer than a lease."""
        self._freeze(self._caller(connection))

    def freeze_worker(self, connection: Connection) -> None:
        """SIGSTOP of the whole Celery worker that sends this request, for longer than a lease."""
        caller = self._caller(connection)
        parent = caller.parent()
        assert parent
        self._freeze(parent, *parent.children())

    def freeze(self, name: str, seconds: float) -> None:
        """SIGSTOP of a process of the world."""
        self.note_outage()
        self._freeze(self.live.process(name), seconds=seconds)

    def kill(self, name: str) -> None:
        """SIGKILL of a process of the world; its supervisor starts it again."""
        self.note_outage()
        self.live.process(name).kill()

    def take_away(self, server: str, seconds: float) -> None:
        """Has a server refuse everybody for a time."""
        self.note_outage()
        proxy = self.live.proxies[server]
        proxy.refuses = True
        proxy.cut()
        self.later(seconds, proxy.heal)

    def silence(self, server: str, seconds: float) -> None:
        """Leaves connections open that pass nothing, for a time."""
        self.live.proxies[server].is_silent = True
        self.later(seconds, self.live.proxies[server].heal)

    def wipe(self) -> None:
        """FLUSHALL."""
        self.live.redis.flushall()
        self.witness.history.wiped_at = time.time()

    def send_again(self) -> None:
        """Publishes all messages of the run a second time."""
        build_run(self.run_ids[0]).apply_async()

    def note_outage(self) -> None:
        """Notes that broker, beat or reaper is about to be away."""
        self.witness.history.outages.append(Span(time.time()))

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Has `act` called after a time, or when the cell is over."""
        timer = threading.Timer(seconds, act)
        timer.start()
        self._undo.callback(act)
        self._undo.callback(timer.cancel)

    def _at(self, step: str, moment: Moment, act: Callable[[Connection], object]) -> None:
        place = PLACES[step]
        strike = self.live.proxies[place.server].strike(place.request, moment, act)
        self.strikes.append(strike.struck)

    def _freeze(self, *processes: psutil.Process, seconds: float = 0.0) -> None:
        for process in processes:
            process.suspend()
        thaw = functools.partial(_signal, processes, signal.SIGCONT)
        self.later(seconds or 1.4 * self.live.lease_ttl_s, thaw)

    def _caller(self, connection: Connection) -> psutil.Process:
        """Returns the process at the client's end of a connection."""
        for found in psutil.net_connections("tcp"):
            # Both ports: another connection may have the same one at its own end.
            ends = [end.port for end in (found.laddr, found.raddr) if end]
            if tuple(ends) == connection.ports:
                return psutil.Process(found.pid)
        raise LookupError(f"Nobody is at the ports {connection.ports}.")

    def _is_struck(self) -> bool:
        return all(strike.is_set() for strike in self.strikes)

    def _wait_for_end(self) -> list[Run]:
        self._wait_until(lambda: self._ended() is not None)
        return self._ended() or []

    def _wait_for_stop(self) -> None:
        self._wait_until(lambda: self.live.cloud.state == "stopped")

    def _wait_until(self, ask: Callable[[], bool]) -> None:
        wait_until(ask, limit_s=_LIMIT_S, every_s=_LOOK_S)

    def _ended(self) -> list[Run] | None:
        """Returns the runs that the ledger knows, or None if one goes on or the ledger is away."""
        runs = []
        for run_id in self.run_ids:
            try:
                runs.append(self.live.ledger.runs.get(run_id))
            except RequestError:  # it was wiped
                continue
            except LedgerUnavailable:
                return None
        return runs if all(run.state.is_end for run in runs) else None


def _ask_again(request: RunRequest) -> str | None:
    try:
        return enqueue(request)
    except LedgerUnavailable:
        return None


def _signal(processes: tuple[psutil.Process, ...], number: int) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)
