"""A trial: one cell with one seed, from `enqueue` until everything is at rest."""

from __future__ import annotations

import contextlib
import functools
import gc
import io
import logging
import os
import random
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from redis import Redis

from curation.errors import CurationError
from curation.ledger.store import LedgerUnavailable, Store
from curation.models import RunRequest
from curation.settings import Settings
from curation.telemetry import FactsFormatter
from curation.wiring import Wiring
from pipeline import client
from tests.chaos import cluster, hooks
from tests.chaos.cells import Cell
from tests.chaos.clock import CLOCK
from tests.chaos.hooks import POINTS
from tests.chaos.instance import INSTANCE_ID
from tests.chaos.promises import Break, check, worst_time_to_stop_s
from tests.chaos.stage import SECRETS, World
from tests.chaos.strike import Strike
from tests.support.clips import small_clip
from workers import base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.promises import History
    from tests.chaos.wire import Wire

# The project's defaults but for the deadline, which would only make a trial longer.
RUN_DEADLINE_S = 3_600.0
# After all is at rest the reaper gets this long to tidy up.
_TAIL_S = 150.0
_ASK_AGAIN_S = 30.0
# A run has up to three messages, and a copy of one now and then.
_MOST_PENDING = 10


@dataclass(frozen=True)
class Trial:
    """What came of one trial.

    Attributes:
        cell: Step and fault.
        seed: Of all dice.
        has_struck: Whether the fault was there at all.
        breaks: Promises that were not kept.
        worst_s: Longest time from the last hold to the stop, in virtual seconds.
        state: In which the first run ended.
    """

    cell: Cell
    seed: int
    has_struck: bool
    breaks: list[Break]
    worst_s: float
    state: str


class Bench:
    """What all trials of a process share: the wire, Redis, and the code under test."""

    def __init__(self, wire: Wire, redis_url: str, folder: Path) -> None:
        os.environ |= _environment(wire.url, redis_url)
        self.redis = Redis.from_url(redis_url, decode_responses=True)
        self.settings = Settings.load()
        self.log = io.StringIO()
        self._wire = wire
        self._folder = folder
        self._redis_url = redis_url
        _log_to(self.log)
        hooks.install()
        # What the collector ends would speak to Redis at moments that no seed decides.
        gc.disable()
        sys.unraisablehook = lambda _: None
        cluster.prepare()
        self.world = World(self.settings, self.redis, folder, 0)
        self._wirings: list[Wiring] = []
        self._n_wirings = 0
        base.Wiring = self._wiring  # type: ignore[assignment, attr-defined]  # the first process is warm
        Store.connect = self._store  # type: ignore[method-assign]  # the ledger's clock is virtual

    def run(self, cell: Cell, seed: int) -> Trial:
        """Runs a cell with a seed."""
        history, strike = self.play(cell, seed)
        breaks = check(history) + list(self._defects(cell, history))
        state = history.runs[0].state if history.runs else ""
        worst_s = worst_time_to_stop_s(history)
        return Trial(cell, seed, strike.struck_at is not None, breaks, worst_s, state)

    def warm_up(self) -> None:
        """Plays one trial, so that all later ones find the same connections and scripts."""
        self.play(Cell("poll", "F8"), 0)
        gc.collect()
        # What is there now stays, so no later collection needs to look at it: a third of a trial.
        gc.freeze()

    def _defects(self, cell: Cell, history: History) -> Iterator[Break]:
        """Yields what breaks no promise as such, and must not be all the same."""
        world = self.world
        fails = world.hosted.has_failed
        wanted = "failed" if fails else "completed"
        resumed = history.resumed.values()
        struck = [run for run in history.runs if run.run_id not in resumed]
        for run in struck if cell.must_end_well else []:
            if run.state != wanted:
                what = f"Run {run.run_id} is {run.state}, not {wanted}: {run.error}"
                yield Break("small troubles pass", what)
        if fails and any(run.state == "completed" for run in struck):
            yield Break("a failure is told", "The selection run failed, the run is completed")
        if cell.must_boot_once and len(history.billed) > len(history.runs):
            yield Break("started once", f"{len(history.billed)} boots")
        if cell.fault == "F11" and any(run.error[:1] == ("run:deadline",) for run in history.runs):
            yield Break("the reason is told", "A permanent refusal was taken for a lack of time")
        if cell.fault == "F6" and world.n_twins:
            yield Break("one at work", "Two deliveries worked on one step at the same time")
        yield from self._copies()

    def _copies(self) -> Iterator[Break]:
        here = self.world.cluster
        if here.most_pending > _MOST_PENDING:
            yield Break("copies do not multiply", f"{here.most_pending} messages at once")
        if here.longest_s > here.visibility_s:
            yield Break("copies do not multiply", f"A message waits for {here.longest_s:.0f} s")

    def play(self, cell: Cell, seed: int) -> tuple[History, Strike]:
        """Plays a cell with a seed; returns what happened."""
        CLOCK.reset()
        self.redis.flushall()
        self._n_wirings = 0
        base.wiring.cache_clear()
        client.ledger().store.facts()  # so that there is a connection
        self.log.seek(0), self.log.truncate()
        gc.collect()
        random.seed(f"{cell}/{seed}")
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            key = random.randrange(2**32)
            world = self.world = World(self.settings, self.redis, Path(folder), key)
            world.video = small_clip()
            self._wire.stage = world
            strike = Strike(cell, world, self)
            self._connect(world, strike)
            self.ask("key-1")
            world.cluster.start_beat()
            self._go_on(world)
            if cell.fault == "F16":
                self._cancel_again(world)
            if world.history.has_ledger and strike.struck_at is not None:
                self._resume_all(world)
            self._wire.stage = None
            return world.finish({"the logs": self.log.getvalue()}), strike

    def _go_on(self, world: World) -> None:
        limit = CLOCK.now + RUN_DEADLINE_S + 4 * self.settings.run.lease_ttl_s
        rest_from: float | None = None
        seen = 0
        while CLOCK.now < limit and CLOCK.step():
            if POINTS.n_redis != seen:
                world.observe()
                seen = POINTS.n_redis
            if not self._is_at_rest(world):
                rest_from = None
            elif rest_from is None:
                rest_from = CLOCK.now
            elif CLOCK.now - rest_from > _TAIL_S:
                return

    def _is_at_rest(self, world: World) -> bool:
        if world.instance.is_billed or not world.cluster.is_idle():
            return False
        gone = world.cluster.is_dead or world.history.wiped_at is not None
        return gone or world.all_ended()

    def _connect(self, world: World, strike: Strike) -> None:
        POINTS.before, POINTS.after = strike.before, strike.after
        POINTS.redis = strike.redis
        POINTS.latency_s = lambda: world.dice.uniform(0.01, 0.25)

    def ask(self, key: str) -> None:
        """Has somebody ask for a run, who asks again with the same key when Redis is away."""

        def ask() -> None:
            request = RunRequest(source=f"{self._wire.url}/source/clip.mp4", idempotency_key=key)
            try:
                self.world.keys[client.enqueue(request)] = key
            except LedgerUnavailable:
                CLOCK.after(_ASK_AGAIN_S, lambda: self.ask(key))

        CLOCK.after(0.0, lambda: CLOCK.spawn("enqueue", ask))

    def cancel(self, run_id: str) -> None:
        """Has somebody cancel a run."""
        with contextlib.suppress(CurationError):
            client.cancel(run_id)

    def resume(self, run_id: str) -> None:
        """Has somebody resume a run."""
        resumed = self.world.history.resumed
        resumed[run_id] = ""
        with contextlib.suppress(CurationError):
            resumed[run_id] = client.resume(run_id)

    def _resume_all(self, world: World) -> None:
        """Ends all trouble, and has somebody resume the runs that ended badly."""
        world.end_trouble()
        ended = world.ended_badly()
        for run_id in ended:
            CLOCK.spawn("resume", functools.partial(self.resume, run_id))
        if ended:
            self._go_on(world)

    def _cancel_again(self, world: World) -> None:
        """Has somebody cancel runs that have ended, which changes nothing."""
        for facts in world.finish({}).runs:
            CLOCK.spawn("cancel", functools.partial(self.cancel, facts.run_id))
            world.observe()
        self._go_on(world)

    def _wiring(self, *args: Any, **options: Any) -> Wiring:  # noqa: ANN401  # passed on
        """Makes the wiring of a process; those of earlier trials are used again."""
        if self._n_wirings == len(self._wirings):
            self._wirings.append(Wiring(*args, **options))
        self._n_wirings += 1
        return self._wirings[self._n_wirings - 1]

    def _ledger_now(self) -> float:
        return self.world.ledger_now()

    def _store(self, url: str) -> Store:
        store = _connect_store(url)
        return Store(store._redis, clock=self._ledger_now)


_connect_store = Store.connect


def _environment(url: str, redis_url: str) -> dict[str, str]:
    return SECRETS | {
        "PYTHON_DOTENV_DISABLED": "1",
        "REDIS_URL": redis_url,
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "key-of-the-matrix",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "LIGHTLY_SERVER_LOCATION": url,
        "LIGHTLY_DATASET_NAME": "videos-{run_id}",
        "S3_REGION": "us-east-1",
        "S3_ROLE_ARN": "arn:aws:iam::123456789012:role/lightly",
        "S3_INPUT_BUCKET": "s3://videos/in/",
        "S3_LIGHTLY_BUCKET": "s3://results/out/",
        "EC2_REGION": "us-east-1",
        "EC2_INSTANCE_ID": INSTANCE_ID,
        "RUN_DEADLINE_S": str(RUN_DEADLINE_S),
        "ALLOWED_VIDEO_HOSTS": url.removeprefix("http://"),
        "SELECTION_BACKEND": "lightly",
    }


def _log_to(stream: io.StringIO) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(FactsFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
