"""Celery in virtual time: the real app, tracer, canvas and tasks; the broker delivers when told.

The broker is kombu's transport in memory, whose queue is this module: it knows when each message is
due, brings back what a dead process has not acknowledged, and loses what Redis loses.
"""

from __future__ import annotations

import base64
import contextlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from celery import _state
from celery.app.trace import setup_worker_optimizations, trace_task_ret
from celery.exceptions import Reject
from kombu.transport import TRANSPORT_ALIASES, memory

from pipeline.celery import app
from tests.chaos.clock import CLOCK, Killed
from tests.chaos.hooks import POINTS
from workers import base

if TYPE_CHECKING:
    from random import Random

    from tests.chaos.clock import Actor

_TASK_S = 0.05


@dataclass(eq=False)
class Delivery:
    """A message that is somewhere between its publication and its acknowledgement."""

    raw: dict[str, Any]
    number: int
    due_at: float
    actor: Actor | None = None

    @property
    def name(self) -> str:
        """Name of its task."""
        return str(self.raw["headers"]["task"])

    @property
    def run_id(self) -> str:
        """Id of its run; empty if it is for none."""
        found = re.search(r"'([\w-]+)'", self.raw["headers"]["argsrepr"])
        return found[1] if found else ""

    @property
    def is_reap(self) -> bool:
        """Whether beat has sent it."""
        return self.name == "reaper.reap"


@dataclass
class Cluster:
    """Beat, the broker and the Celery workers of one trial.

    Attributes:
        dice: How long things take.
        visibility_s: The broker's visibility timeout.
        reap_interval_s: Beat's interval.
        has_beat: Whether beat lives.
        is_dead: Whether everything is dead for good.
        texts: Every message that was published.
        pending: Messages that are not acknowledged.
        longest_s: Longest countdown that was asked for.
        most_pending: Messages at once, at most, without the reaper's.
        n_actors: Processes at work.
    """

    dice: Random
    visibility_s: float
    reap_interval_s: float
    has_beat: bool = True
    is_dead: bool = False
    texts: list[str] = field(default_factory=list)
    pending: dict[int, Delivery] = field(default_factory=dict)
    longest_s: float = 0.0
    most_pending: int = 0
    n_actors: int = 0
    _count: int = 0

    def start_beat(self) -> None:
        """Sends the reaper's message, now and at each interval."""

        def tick() -> None:
            if self.has_beat and not self.is_dead:
                app.send_task("reaper.reap", expires=self.reap_interval_s)
            CLOCK.after(self.reap_interval_s, tick)

        CLOCK.after(self.dice.uniform(0.0, self.reap_interval_s), tick)

    def accept(self, raw: dict[str, Any]) -> None:
        """Takes a message that was published."""
        eta = raw["headers"].get("eta")
        self.texts.append(repr(raw["headers"]) + raw["body"])
        due_at = _epoch(eta) if eta else CLOCK.now
        self.longest_s = max(self.longest_s, due_at - CLOCK.now)
        self.put(raw, due_at)

    def put(self, raw: dict[str, Any], due_at: float) -> None:
        """Has a message delivered at a moment."""
        self._count += 1
        delivery = Delivery(raw, self._count, due_at)
        self.pending[delivery.number] = delivery
        self.most_pending = max(self.most_pending, self._n_waiting())
        if due_at - CLOCK.now > self.visibility_s:
            # Nobody has acknowledged it by then, so it is delivered to a second Celery worker.
            CLOCK.after(self._restored_s(), lambda: self._restore(delivery))
        CLOCK.at(due_at + self.dice.uniform(0.0, _TASK_S), lambda: self._deliver(delivery))

    def current(self) -> Delivery | None:
        """Returns the delivery at work."""
        at_work = (item for item in self.pending.values() if item.actor)
        return next((item for item in at_work if item.actor is CLOCK.active), None)

    def run_id(self) -> str:
        """Returns the run for which the process at work works; empty if it is for none."""
        delivery = self.current()
        return delivery.run_id if delivery else ""

    def is_idle(self) -> bool:
        """Whether nothing is under way or waiting, but for the reaper's rounds."""
        return not self.n_actors and all(item.is_reap for item in self.pending.values())

    def kill_child(self, *, whole: bool) -> None:
        """Kills the process at work; with the whole worker all others and what it holds, too."""
        for delivery in list(self.pending.values()):
            if delivery.actor and (whole or delivery.actor is CLOCK.active):
                delivery.actor.is_dead = True
            elif whole and not delivery.is_reap:
                # It has the messages that wait for their time, too.
                del self.pending[delivery.number]
                self.put(delivery.raw, max(delivery.due_at, CLOCK.now + self._restored_s()))
        self._dies_whole = whole

    def kill_for_good(self) -> None:
        """Kills everything; nothing comes back."""
        self.is_dead = True
        for delivery in self.pending.values():
            if delivery.actor:
                delivery.actor.is_dead = True
        self.pending.clear()

    def lose_messages(self) -> None:
        """Loses what no process is at work on, as Redis does when it is wiped."""
        for delivery in list(self.pending.values()):
            if delivery.actor is None:
                del self.pending[delivery.number]

    def copy_unacknowledged(self) -> None:
        """Delivers again what is at work, as when Redis comes back after a restart."""
        for delivery in list(self.pending.values()):
            if delivery.actor and not delivery.is_reap:
                self.put(delivery.raw, CLOCK.now + self.dice.uniform(0.0, 5.0))

    def copy_current(self, after_s: float) -> None:
        """Delivers the message at work a second time."""
        delivery = self.current()
        if delivery:
            self.put(delivery.raw, CLOCK.now + after_s)

    def _deliver(self, delivery: Delivery) -> None:
        if self.pending.get(delivery.number) is not delivery or self.is_dead:
            return
        expires = delivery.raw["headers"].get("expires")
        if expires and _epoch(expires) < CLOCK.now:
            del self.pending[delivery.number]
            return
        CLOCK.after(self._restored_s(), lambda: self._restore(delivery))
        CLOCK.spawn(delivery.name, lambda: self._carry_out(delivery))

    def _n_waiting(self) -> int:
        return sum(not item.is_reap for item in self.pending.values())

    def _restored_s(self) -> float:
        return self.visibility_s + self.dice.uniform(0.0, 5.0)

    def _restore(self, delivery: Delivery) -> None:
        """Delivers again what was not acknowledged within the visibility timeout."""
        if self.pending.get(delivery.number) is delivery and not self.is_dead:
            self.put(delivery.raw, CLOCK.now)

    def _carry_out(self, delivery: Delivery) -> None:
        delivery.actor = CLOCK.active
        self.n_actors += 1
        self._dies_whole = False
        try:
            _trace(delivery.raw)
            CLOCK.pause(0.0)
        except Killed:
            base.wiring.cache_clear()
            self._bring_back(delivery)
        finally:
            self.n_actors -= 1
            self.pending.pop(delivery.number, None)

    def _bring_back(self, delivery: Delivery) -> None:
        if not self.is_dead and delivery.number in self.pending:
            soon_s = self.dice.uniform(0.2, 0.8)
            self.put(delivery.raw, CLOCK.now + (self._restored_s() if self._dies_whole else soon_s))


class Channel(memory.Channel):
    """Where kombu puts a message."""

    cluster: Cluster | None = None

    def _put(self, queue: str, message: dict[str, Any], **_: object) -> None:  # noqa: ARG002  # kombu's
        if CLOCK.active and CLOCK.active.is_me():
            POINTS.redis()
            CLOCK.check_alive()
        if Channel.cluster and "task" in message["headers"]:
            Channel.cluster.accept(message)


class Transport(memory.Transport):
    """kombu's transport in memory, over that channel."""

    Channel = Channel
    connection_errors = (*memory.Transport.connection_errors, ConnectionError)


def _trace(raw: dict[str, Any]) -> None:
    """Executes a message as a pool process of Celery does."""
    headers, properties = raw["headers"], raw["properties"]
    request = {
        **headers,
        "properties": properties,
        "reply_to": properties.get("reply_to"),
        "correlation_id": properties.get("correlation_id"),
        "delivery_info": properties.get("delivery_info"),
    }
    with contextlib.suppress(Reject):
        trace_task_ret(
            headers["task"],
            headers["id"],
            request,
            base64.b64decode(raw["body"]),
            raw["content-type"],
            raw["content-encoding"],
            app=app,
        )


def prepare() -> None:
    """Makes this process a Celery worker over that broker; results stay in Redis."""
    TRANSPORT_ALIASES["memory"] = f"{__name__}:Transport"
    app.conf.update(
        broker_url="memory://",
        broker_transport_options={},
        task_send_sent_event=False,
        # One for all threads, because each process of the model is a thread.
        result_backend_thread_safe=True,
    )
    app.now = lambda: datetime.fromtimestamp(CLOCK.now, UTC)  # type: ignore[method-assign]  # time
    app.loader.import_default_modules()
    setup_worker_optimizations(app)
    # As in a worker: nobody waits for a result here.
    _state._set_task_join_will_block(blocks=True)  # type: ignore[attr-defined]  # not in its stubs


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
