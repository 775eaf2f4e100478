"""What a selection backend promises: hosted Lightly, and our own engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import pytest

from curation.adapters.selection.queue import EngineQueue
from curation.ledger.ledger import Ledger
from curation.ledger.store import Store
from curation.models import Request, Run
from curation.ports import SelectionLook
from curation.states import Backend
from tests.support.clock import Clock
from tests.support.hosted import Hosted, frames
from tests.support.lightly import SCHEDULE

if TYPE_CHECKING:
    from redis import Redis

    from curation.ports import SelectionBackend
    from tests.support.lightly import Lightly


class Bench(Protocol):
    """A backend, and whoever does its work, in the hands of the test."""

    def backend(self) -> SelectionBackend:
        """Returns the backend, as a process that has just started has it."""

    def new_run(self) -> Run:
        """Returns a run with a verified video."""

    @property
    def n_scheduled(self) -> int:
        """How often work was asked for."""

    def take(self, run: Run) -> None:
        """Begins the run's work."""

    def enter(self, run: Run, state: str) -> None:
        """Goes on with it."""

    def complete(self, run: Run) -> str:
        """Completes it with two frames, and returns where their names are."""

    def fail(self, run: Run, message: str) -> None:
        """Lets it fail."""


@dataclass
class _HostedBench:
    """Hosted Lightly."""

    hosted: Hosted
    made: dict[str, str] = field(default_factory=dict)

    def backend(self) -> SelectionBackend:
        return self.hosted.backend()

    def new_run(self) -> Run:
        return self.hosted.new_run()

    @property
    def n_scheduled(self) -> int:
        return self.hosted.lightly.n_acted(SCHEDULE)

    def take(self, run: Run) -> None:
        self.made[run.run_id] = self.hosted.take(run)

    def enter(self, run: Run, state: str) -> None:
        self.hosted.lightly.enter(self.made[run.run_id], state)

    def complete(self, run: Run) -> str:
        self.hosted.lightly.complete(self.made[run.run_id], frames(run, 1, 2))
        return f"{self.hosted.lightly_uri}{run.run_id}/selected.txt"

    def fail(self, run: Run, message: str) -> None:
        self.hosted.lightly.enter(self.made[run.run_id], "FAILED", message)


@dataclass
class _EngineBench:
    """Our own engine, by its task's ledger."""

    ledger: Ledger
    sent: list[str] = field(default_factory=list)
    generations: dict[str, int] = field(default_factory=dict)

    def backend(self) -> SelectionBackend:
        return EngineQueue(
            self.ledger.engine, self.ledger.store, send=self.sent.append, silent_s=60.0
        )

    def new_run(self) -> Run:
        request = Request(
            source="/videos", proportion_samples=0.1, selection_backend=Backend.ENGINE
        )
        return self.ledger.runs.get(self.ledger.runs.create(request, deadline_s=1000)[0])

    @property
    def n_scheduled(self) -> int:
        return len(self.sent)

    def take(self, run: Run) -> None:
        self.generations[run.run_id] = self.ledger.engine.take(run.run_id, silent_s=60.0)

    def enter(self, run: Run, state: str) -> None:
        self.ledger.engine.beat(run.run_id, self.generations[run.run_id], state=state)

    def complete(self, run: Run) -> str:
        uri = f"s3://bucket/results/{run.run_id}/selected.txt"
        generation = self.generations[run.run_id]
        self.ledger.engine.end(
            run.run_id, generation, state="COMPLETED", n_selected=2, filenames_uri=uri
        )
        return uri

    def fail(self, run: Run, message: str) -> None:
        generation = self.generations[run.run_id]
        self.ledger.engine.end(
            run.run_id, generation, state="FAILED", code="engine:x", message=message
        )


@pytest.fixture
def ledger(redis_client: Redis) -> Ledger:
    """An empty ledger."""
    return Ledger.over(Store(redis_client, clock=Clock()), retention_days=1, lease_ttl_s=100)


@pytest.fixture(params=list(Backend))
def bench(request: pytest.FixtureRequest, ledger: Ledger) -> Bench:
    """Each test runs with both backends."""
    if request.param is Backend.ENGINE:
        return _EngineBench(ledger)
    lightly: Lightly = request.getfixturevalue("lightly")
    s3, bucket = request.getfixturevalue("s3_client"), request.getfixturevalue("bucket")
    return _HostedBench(Hosted.over(lightly, ledger, s3, bucket))


def test_schedule__twice__is_one_selection_run(bench: Bench) -> None:
    """After any failure the step schedules again, and finds what it has."""
    run = bench.new_run()

    ids = [bench.backend().schedule(run) for _ in range(2)]

    assert ids[0] == ids[1]
    assert bench.n_scheduled == 1


def test_schedule__each_run_its_own(bench: Bench) -> None:
    """Two runs have two selection runs."""
    first, second = bench.new_run(), bench.new_run()

    assert bench.backend().schedule(first) != bench.backend().schedule(second)


def test_look__goes_from_open_to_completed(bench: Bench) -> None:
    """The state is the backend's own word; only COMPLETED is success, with names and count."""
    run, backend = bench.new_run(), bench.backend()

    backend.schedule(run)
    looks = [backend.look(run)]
    bench.take(run)
    for state in ("EMBEDDING", "SAMPLING"):
        bench.enter(run, state)
        looks.append(backend.look(run))
    uri = bench.complete(run)
    end = backend.look(run)

    assert [look.state for look in looks] == ["OPEN", "EMBEDDING", "SAMPLING"]
    assert not any(look.is_end or look.succeeded for look in looks)
    assert (end.state, end.is_end, end.succeeded) == ("COMPLETED", True, True)
    assert (end.n_selected, end.filenames_uri) == (2, uri)
    assert bench.backend().look(run) == end


def test_look__bad_end(bench: Bench) -> None:
    """A selection run that ended badly says why, with a code that a program can read."""
    run, backend = bench.new_run(), bench.backend()
    backend.schedule(run)
    bench.take(run)
    bench.fail(run, "There is no video in it.")

    look = backend.look(run)

    assert (look.state, look.is_end, look.succeeded) == ("FAILED", True, False)
    assert "There is no video in it." in look.message
    assert look.code != SelectionLook.code


def test_cancel__before_it_is_taken(bench: Bench) -> None:
    """What nobody has begun is not begun any more; to cancel again changes nothing."""
    run, backend = bench.new_run(), bench.backend()
    backend.schedule(run)

    backend.cancel(run)
    bench.backend().cancel(run)
    look = backend.look(run)

    assert (look.state, look.is_end, look.succeeded) == ("CANCELED", True, False)
    assert look.code != SelectionLook.code


def test_cancel__never_scheduled(bench: Bench) -> None:
    """There is nothing to cancel, and nothing is begun by that."""
    run = bench.new_run()

    bench.backend().cancel(run)

    assert bench.n_scheduled == 0
