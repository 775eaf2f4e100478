"""Mutants: each switches one defence off, in a process that plays trials and nowhere else."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from celery import chord, group

from curation.adapters.compute.ec2 import Ec2Instances
from curation.adapters.selection.lightly import LightlyBackend
from curation.adapters.selection.lightly_errors import Redaction
from curation.errors import CurationError
from curation.ledger import keys
from curation.ledger.leases import Lease, LeaseLedger, Release
from curation.ledger.runs import RunLedger
from curation.ledger.steps import Admission, StepLedger
from curation.states import InstanceState, StepName
from curation.steps import clear, ingest, reap_instance
from curation.steps import instance as instance_step
from pipeline import client
from tests.chaos.instance import Instance
from workers import base, messages
from workers import reaper as reaper_tasks
from workers.compute import release_instance, start_instance
from workers.ingest import ingest_video
from workers.selection import run_selection

if TYPE_CHECKING:
    from collections.abc import Callable

    from curation.ports import SelectionLook


def _errback() -> None:
    def build_run(run_id: str) -> Any:  # noqa: ANN401  # a signature
        body = run_selection.si(run_id)
        body.link(release_instance.si(run_id))
        return chord(group(ingest_video.si(run_id), start_instance.si(run_id)), body)

    client.build_run = build_run  # type: ignore[attr-defined]  # a mutant
    send = messages._selection
    messages._selection = lambda run_id: _without_errbacks(send(run_id))


def _without_errbacks(message: Any) -> Any:  # noqa: ANN401  # a signature
    message.options.pop("link_error", None)
    return message


def _check_before_start() -> None:
    begin, acquire = StepLedger.begin, LeaseLedger.acquire

    def always(self: StepLedger, turn: Any, **options: Any) -> tuple[Admission, float]:  # noqa: ANN401  # passed on
        admission, number = begin(self, turn, **options)
        is_over = admission in (Admission.ENDED, Admission.DONE)
        if turn.step is StepName.START_INSTANCE and is_over:
            return Admission.GO, 0.0
        return admission, number

    def grant(self: LeaseLedger, *names: str) -> Lease:
        lease = acquire(self, *names)
        return Lease.HELD if lease is Lease.ENDED else lease

    StepLedger.begin = always  # type: ignore[method-assign]  # a mutant
    LeaseLedger.acquire = grant  # type: ignore[assignment, method-assign]  # a mutant


def _check_after_start() -> None:
    instance_step._undo_start = lambda *_: None


def _reaper() -> None:
    reaper_tasks.reap.run = lambda: None  # type: ignore[method-assign]  # a mutant


def _watchdog() -> None:
    Instance._watch = lambda _: None  # type: ignore[assignment, method-assign]  # a mutant


def _idempotency_key() -> None:
    create = RunLedger.create

    def forgetful(self: RunLedger, *args: Any, **options: Any) -> tuple[str, bool]:  # noqa: ANN401  # passed on
        return create(self, *args, **{**options, "idempotency_key": None})

    RunLedger.create = forgetful  # type: ignore[method-assign]  # a mutant


def _fencing() -> None:
    begin = StepLedger.begin

    def always(self: StepLedger, turn: Any, **options: Any) -> tuple[Admission, float]:  # noqa: ANN401  # passed on
        admission, number = begin(self, turn, **options)
        if admission in (Admission.BUSY, Admission.STALE):
            return Admission.GO, 0.0
        return admission, number

    StepLedger.begin = always  # type: ignore[method-assign]  # a mutant


def _two_phases() -> None:
    reap = reap_instance.reap_instance

    def hasty(machine: Any, **options: Any) -> str:  # noqa: ANN401  # passed on
        return reap(machine, **{**options, "mark_s": 0.0})

    reap_instance.reap_instance = hasty
    if hasattr(reaper_tasks, "reap_one"):
        reaper_tasks.reap_one = hasty


def _end_state() -> None:
    decide = RunLedger.decide

    def again(self: RunLedger, run_id: str, outcome: Any, error: Any = None) -> bool:  # noqa: ANN401  # passed on
        if not decide(self, run_id, outcome, error):
            # Past `update`, which would leave an ended run alone.
            fields = {"outcome": str(outcome), "state": "finishing"}
            self._store.set_fields(keys.run_key(run_id), fields)
        return True

    RunLedger.decide = again  # type: ignore[method-assign]  # a mutant


def _multipart() -> None:
    clear.abort_uploads = lambda *_, **__: None
    ingest.abort_uploads = clear.abort_uploads  # type: ignore[attr-defined]  # a mutant


def _countdown() -> None:
    base.StepTask._longest_wait_s = lambda *_: 1e6  # type: ignore[method-assign]  # a mutant


def _redaction() -> None:
    Redaction.clean = lambda _, text: text  # type: ignore[assignment, method-assign]  # a mutant


def _dry_run() -> None:
    def stop(self: Ec2Instances, instance_id: str) -> InstanceState:
        self.would_stop(instance_id)
        return InstanceState.STOPPED

    Ec2Instances.stop = stop  # type: ignore[method-assign]  # a mutant


def _failure_as_success() -> None:
    bad_end = LightlyBackend._bad_end

    def praise(self: LightlyBackend, *args: str) -> SelectionLook:
        return dataclasses.replace(bad_end(self, *args), succeeded=True)

    LightlyBackend._bad_end = praise  # type: ignore[assignment, method-assign]  # a mutant


def _leases_at_stop() -> None:
    release = LeaseLedger.release

    def last_out(self: LeaseLedger, *args: str, **options: Any) -> Release:  # noqa: ANN401  # passed on
        release(self, *args, **options)
        return Release.STOP

    LeaseLedger.release = last_out  # type: ignore[method-assign]  # a mutant


def _search_before_schedule() -> None:
    find = LightlyBackend._find

    def blind(self: LightlyBackend, known: Any) -> Any:  # noqa: ANN401  # passed on
        return find(self, known) if known.scheduled_run_id else None

    LightlyBackend._find = blind  # type: ignore[method-assign]  # a mutant


def _start_error() -> None:
    start = Ec2Instances.start

    def swallow(self: Ec2Instances, instance_id: str) -> InstanceState:
        try:
            return start(self, instance_id)
        except CurationError:
            return InstanceState.PENDING

    Ec2Instances.start = swallow  # type: ignore[method-assign]  # a mutant


MUTANTS: dict[str, Callable[[], None]] = {
    "errback": _errback,
    "outcome check before start": _check_before_start,
    "outcome check after start": _check_after_start,
    "reaper": _reaper,
    "watchdog": _watchdog,
    "idempotency key": _idempotency_key,
    "fencing of deliveries": _fencing,
    "two-phase mark": _two_phases,
    "end state": _end_state,
    "multipart clean-up": _multipart,
    "countdown check": _countdown,
    "redaction": _redaction,
    "stop that only sends DryRun": _dry_run,
    "failure reported as success": _failure_as_success,
    "leases looked at before a stop": _leases_at_stop,
    "search before a second schedule": _search_before_schedule,
    "start error told": _start_error,
}
