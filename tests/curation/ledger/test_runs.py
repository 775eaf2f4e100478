from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.errors import RequestError
from curation.ledger import keys
from curation.ledger.steps import Turn
from curation.models import RunError, Video
from curation.states import STATE_RANK, Outcome, RunState, StepName, StepState
from tests.support.requests import REQUEST, new_run

if TYPE_CHECKING:
    from redis import Redis

    from curation.ledger.ledger import Ledger
    from tests.support.clock import Clock

FAILURE = RunError(code="source:http:404", message="gone", step=StepName.INGEST_VIDEO)
VIDEO = Video(uri="s3://b/k.mp4", size_bytes=3, sha256="ab" * 32, source_url="/clip.mp4")


def test_create__new_run_is_pending_with_every_fact(ledger: Ledger, clock: Clock) -> None:
    """A new run is pending, has its deadline, and is in both lists of runs."""
    run_id = new_run(ledger, deadline_s=60)

    run = ledger.runs.get(run_id)

    assert run.state is RunState.PENDING
    assert run.request == REQUEST
    assert (run.created_at, run.deadline_at) == (clock.now, clock.now + 60)
    assert [run] == ledger.runs.newest(10)
    assert [run] == ledger.runs.active()


def test_create__same_key_is_same_run(ledger: Ledger) -> None:
    """The same idempotency key gives the same run, and no second one is written."""
    first = ledger.runs.create(REQUEST, deadline_s=60, idempotency_key="k")
    second = ledger.runs.create(REQUEST, deadline_s=60, idempotency_key="k")

    assert first == (first[0], True)
    assert second == (first[0], False)
    assert len(ledger.runs.newest(10)) == 1


def test_create__same_key_other_request_is_refused(ledger: Ledger) -> None:
    """A key that belongs to another request is an error that names both requests."""
    ledger.runs.create(REQUEST, deadline_s=60, idempotency_key="k")
    other = REQUEST.model_copy(update={"source": "/other.mp4"})

    with pytest.raises(RequestError, match=r"(?s)'k'.*/clip\.mp4.*/other\.mp4"):
        ledger.runs.create(other, deadline_s=60, idempotency_key="k")


def test_create__resumed_run_adopts_the_video(ledger: Ledger) -> None:
    """A resumed run starts with the verified object, which its ingest looks at."""
    ended_id = new_run(ledger)
    ledger.runs.record_video(ended_id, VIDEO)

    run_id, _ = ledger.runs.create(REQUEST, deadline_s=60, resumed_from=ledger.runs.get(ended_id))

    run = ledger.runs.get(run_id)
    assert run.video == VIDEO
    assert run.resumed_from == ended_id
    assert run.steps.ingest_video.state is StepState.PENDING


def test_get__signed_link_is_kept_but_not_shown(ledger: Ledger) -> None:
    """A signed link is there for the step that fetches it, and for nobody else to see."""
    link = "https://host/clip.mp4?X-Amz-Signature=canary"
    request = REQUEST.model_copy(update={"source": link})

    run_id, _ = ledger.runs.create(request, deadline_s=60, idempotency_key="k")

    run = ledger.runs.get(run_id)
    assert run.request.source == link
    assert "canary" not in run.to_json()
    with pytest.raises(RequestError) as caught:
        ledger.runs.create(REQUEST, deadline_s=60, idempotency_key="k")
    assert "canary" not in str(caught.value)


def test_get__unknown_run(ledger: Ledger) -> None:
    """An unknown run is an error that names it and says how to find the known ones."""
    with pytest.raises(RequestError, match=r"'nope'.*curate list"):
        ledger.runs.get("nope")


def test_decide__first_outcome_wins(ledger: Ledger) -> None:
    """Whoever knows the outcome first decides; later ones change nothing."""
    run_id = new_run(ledger)

    assert ledger.runs.decide(run_id, Outcome.FAILED, FAILURE)
    assert not ledger.runs.decide(run_id, Outcome.COMPLETED)

    run = ledger.runs.get(run_id)
    assert run.outcome is Outcome.FAILED
    assert run.error == FAILURE
    assert run.state is RunState.FINISHING


def test_decide__unknown_run_is_not_created(ledger: Ledger) -> None:
    """A run that the ledger has lost does not come back as a torso."""
    assert not ledger.runs.decide("nope", Outcome.FAILED, FAILURE)

    with pytest.raises(RequestError):
        ledger.runs.get("nope")


def test_end__needs_an_outcome(ledger: Ledger) -> None:
    """No run ends before it is known as what."""
    run_id = new_run(ledger)

    assert not ledger.runs.end(ledger.runs.get(run_id), released=StepState.SUCCEEDED)

    assert ledger.runs.get(run_id).state is RunState.PENDING


def test_end__closes_open_steps_and_starts_retention(ledger: Ledger, redis_client: Redis) -> None:
    """An ended run leaves the list of active ones, its open steps are given up, it will expire."""
    run_id = new_run(ledger)
    ledger.runs.decide(run_id, Outcome.CANCELED)

    assert ledger.runs.end(ledger.runs.get(run_id), released=StepState.SUCCEEDED)

    run = ledger.runs.get(run_id)
    assert run.state is RunState.CANCELED
    assert run.ended_at is not None
    assert ledger.runs.active() == []
    assert run.steps.run_selection.state is StepState.CANCELED
    assert run.steps.release_instance.state is StepState.SUCCEEDED
    assert 0 < redis_client.ttl(keys.run_key(run_id)) <= 24 * 3600


def test_end__an_end_state_never_changes(ledger: Ledger, clock: Clock) -> None:
    """Whoever ends a run a second time, with whatever reason, changes nothing."""
    run_id = new_run(ledger)
    ledger.runs.decide(run_id, Outcome.COMPLETED)
    assert ledger.runs.end(ledger.runs.get(run_id), released=StepState.SUCCEEDED)
    ended = ledger.runs.get(run_id)
    clock.forward(10)

    assert not ledger.runs.end(
        ended, released=StepState.FAILED, state=RunState.FAILED, error=FAILURE
    )

    assert ledger.runs.get(run_id) == ended


def test_newest__forgets_runs_whose_retention_is_over(ledger: Ledger, redis_client: Redis) -> None:
    """A run that has expired disappears from the lists."""
    run_id = new_run(ledger)
    redis_client.delete(keys.run_key(run_id))

    assert ledger.runs.newest(10) == []
    assert redis_client.zcard(keys.RUNS) == 0


MOVES = ("decide-completed", "decide-failed", "decide-canceled", "end", "end-failed", "begin")


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(st.sampled_from(MOVES), max_size=12))
def test_state__only_moves_forward_and_end_states_never_change(
    ledger: Ledger, moves: list[str]
) -> None:
    """Whatever the order of events, a run's state only moves forward, and an end state stays."""
    run_id = new_run(ledger)
    seen = [ledger.runs.get(run_id).state]

    for move in moves:
        _apply(move, run_id, ledger)
        seen.append(ledger.runs.get(run_id).state)

    ranks = [STATE_RANK[state] for state in seen]
    assert ranks == sorted(ranks)
    ends = {state for state in seen if state.is_end}
    assert len(ends) <= 1


def _apply(move: str, run_id: str, ledger: Ledger) -> None:
    verb, _, what = move.partition("-")
    if verb == "decide":
        ledger.runs.decide(run_id, Outcome(what))
    elif verb == "end":
        state = RunState.FAILED if what else None
        ledger.runs.end(ledger.runs.get(run_id), released=StepState.SUCCEEDED, state=state)
    else:
        turn = Turn(run_id, StepName.RUN_SELECTION, owner="x", number=9)
        ledger.steps.begin(turn, implies=RunState.SELECTING, after_outcome=False)


def test_claim_revival__waits_longer_each_time(ledger: Ledger, clock: Clock) -> None:
    """A silent run is sent on once; the next time the silence must be twice as long."""
    run_id = new_run(ledger)

    early = ledger.runs.claim_revival(run_id, silent_s=10)
    clock.forward(10)
    first = ledger.runs.claim_revival(run_id, silent_s=10)
    clock.forward(10)
    too_soon = ledger.runs.claim_revival(run_id, silent_s=10)
    clock.forward(10)
    second = ledger.runs.claim_revival(run_id, silent_s=10)

    assert (early, first, too_soon, second) == (False, True, False, True)
