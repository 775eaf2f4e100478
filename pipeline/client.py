"""How a program asks for runs: validate, write the ledger, publish; the ledger answers."""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import TYPE_CHECKING

from kombu.exceptions import OperationalError

from curation.budget import check_budget
from curation.errors import LeaseLost, OperatorError, RequestError
from curation.ledger import holders
from curation.ledger.adoption import adopted_steps
from curation.ledger.ledger import Ledger
from curation.ledger.store import LedgerUnavailable
from curation.models import Request, RunError, RunRequest
from curation.selection_config import load_config
from curation.selection_support import check_engine
from curation.settings import INVALID, Settings
from curation.source_uri import kind_of
from curation.states import Backend, Outcome, RunState
from curation.steps.reap import next_steps
from pipeline.canvas import build_run
from workers.messages import send_step

if TYPE_CHECKING:
    from curation.models import Run
    from curation.selection_config import SelectionConfig

log = logging.getLogger(__name__)

# How often `wait` reads the ledger: one small Redis command each time.
_LOOK_EVERY_S = 0.5


def enqueue(request: RunRequest | None = None) -> str:
    """Asks for a run. It is in the ledger before anything is published.

    Args:
        request: What to do; every field that is None comes from the settings.

    Returns:
        The run id; with an idempotency key that is known, the id of the run it has.

    Raises:
        RequestError: If the source is of no known kind, or the key has another request.
        OperatorError: If a setting is missing or wrong, or the month's budget is spent.
        LedgerUnavailable: If Redis does not answer; within 5 s.
    """
    asked = request or RunRequest()
    return _publish(filled(asked), idempotency_key=asked.idempotency_key)


def status(run_id: str) -> Run:
    """Returns all that is known of a run.

    Args:
        run_id: Its id or name, or a unique beginning of one; so everywhere here.

    Raises:
        RequestError: If there is no such run, or several may be meant.
        LedgerUnavailable: If Redis does not answer.
    """
    return ledger().runs.find(run_id)


def wait(run_id: str, *, timeout_s: float | None = None) -> Run:
    """Waits until the run is in an end state, whichever that is.

    Args:
        run_id: The run.
        timeout_s: Seconds to wait at most; None waits for ever.

    Raises:
        TimeoutError: If it was not in an end state in time.
        RequestError: If there is no such run.
    """
    give_up_at = None if timeout_s is None else time.monotonic() + timeout_s
    run_id = status(run_id).run_id
    while not (run := ledger().runs.get(run_id)).state.is_end:
        if give_up_at is not None and time.monotonic() >= give_up_at:
            raise TimeoutError(
                f"Run {run_id} is still {run.state.value} after {timeout_s:g} s. It goes on; "
                f"`curate status {run_id}` shows how far it is."
            )
        time.sleep(_LOOK_EVERY_S)
    return run


def cancel(run_id: str) -> Run:
    """Cancels a run: every step honours it, the selection run is canceled, the instance released.

    Returns:
        The run as it is now. It ends as `canceled` when the instance is given back, or as what
        it had become before.

    Raises:
        RequestError: If there is no such run.
    """
    run = status(run_id)
    is_first = ledger().runs.decide(run.run_id, Outcome.CANCELED)
    return _send_on(run.run_id) if is_first else run


def take_lease(run_id: str) -> Run:
    """Takes a run's lease on the instance away, because somebody asked for it.

    Returns:
        The run as it is now. It ends as failed (`lease:lost`), or as what it had become before;
        the instance is stopped by the last one out.

    Raises:
        RequestError: If there is no such run, or it holds no lease.
    """
    run, store = status(run_id), ledger().store
    run_id = run.run_id
    instance_id = run.instance.instance_id if run.instance else ""
    if run_id not in ledger().leases.holders(instance_id):
        raise RequestError(
            f"Run {run_id} holds no lease. `curate leases` shows the runs that do.",
            code="request:no-lease",
        )
    # The outcome first: from then on the run is granted no other lease.
    message = f"Its lease on {instance_id} was taken away. `curate resume` starts the run again."
    ledger().runs.decide(run_id, Outcome.FAILED, RunError(code=LeaseLost.code, message=message))
    holders.take_lease(store, run_id, instance_id)
    log.warning("Lease taken away", extra=run.log_context())
    return _send_on(run_id)


def resume(run_id: str) -> str:
    """Makes a new run of one that failed or was canceled, which begins where that one ended.

    It adopts the verified video, and the selection if that is complete; their steps are `skipped`.

    Returns:
        The new run's id.

    Raises:
        RequestError: If there is no such run, or it has not ended, or it was completed.
    """
    ended = status(run_id)
    if not ended.state.is_end or ended.state is RunState.COMPLETED:
        raise RequestError(
            f"Run {run_id} is {ended.state.value}; only a failed or canceled run can be resumed.",
            code="request:resume",
        )
    resumed = _publish(ended.request, resumed_from=ended)
    facts = {"run_id": resumed, "resumed_from": ended.run_id, "adopted": adopted_steps(ended)}
    log.info("Run goes on from another", extra=facts)
    return resumed


def curated(sha256: str, request: RunRequest) -> Run | None:
    """Returns the completed run that has curated this content in the way asked for, or None.

    Args:
        sha256: Of the whole video, hex.
        request: What is asked for.
    """
    return ledger().runs.curated(sha256, filled(request))


@cache
def settings() -> Settings:
    """Returns this process's settings."""
    return Settings.load()


@cache
def ledger() -> Ledger:
    """Returns this process's ledger."""
    return Ledger.connect(settings())


def _send_on(run_id: str) -> Run:
    """Brings the next look of a run forward, because it may be half a minute away."""
    run = status(run_id)
    if run.steps.start_instance.state.is_end and run.steps.ingest_video.state.is_end:
        for step in next_steps(run):
            send_step(run, step)
    return run


def filled(asked: RunRequest) -> Request:
    """Returns the request with every open field filled from the settings.

    Raises:
        RequestError: If it cannot be meant.
        OperatorError: If a setting is missing or wrong.
    """
    known = settings()
    source = asked.source or known.source.video_source
    kind_of(source)  # refuses what no step could fetch, before anything is written
    request = Request(
        source=source,
        proportion_samples=asked.proportion_samples or known.run.proportion_samples,
        selection_backend=asked.selection_backend or known.run.selection_backend,
        selection_config=asked.selection_config or _default_config(known),
        skip_curated=asked.skip_curated,
    )
    _check_config(asked, request)
    return request


def _default_config(known: Settings) -> SelectionConfig | None:
    text = known.run.selection_config
    try:
        return load_config(text) if text else None
    except ValueError as error:
        raise OperatorError(f"SELECTION_CONFIG: {error}.", code=INVALID) from None


def _check_config(asked: RunRequest, request: Request) -> None:
    config = request.selection_config
    if config is None:
        return
    if request.selection_backend is Backend.ENGINE:
        check_engine(config)
    amount = config.proportion_samples or config.n_samples
    if amount and asked.proportion_samples not in {None, amount}:
        raise RequestError(
            f"proportion_samples is {asked.proportion_samples:g}, but selection_config asks for "
            f"{amount:g}. Give one of them.",
            code="request:selection-config",
        )


def _publish(
    request: Request, *, idempotency_key: str | None = None, resumed_from: Run | None = None
) -> str:
    run = settings().run
    instance_id = settings().ec2.ec2_instance_id
    if instance_id and not ledger().runs.has_key(idempotency_key):
        check_budget(ledger().store, settings().cost)
    run_id, is_new = ledger().runs.create(
        request,
        deadline_s=run.run_deadline_s,
        idempotency_key=idempotency_key,
        expects_instance=(instance_id, run.lease_ttl_s) if instance_id else None,
        resumed_from=resumed_from,
    )
    if is_new:
        try:
            build_run(run_id).apply_async()
        except OperationalError as error:
            raise LedgerUnavailable(
                f"Run {run_id} is in the ledger, but its messages could not be published. "
                "The reaper sends them when Redis answers again; do not enqueue it twice."
            ) from error
    return run_id
