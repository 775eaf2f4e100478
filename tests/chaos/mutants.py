"""Mutants: each switches one defence off, in a process that plays trials and nowhere else."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from celery import chord, group

from curation.adapters.compute.ec2 import Ec2Instances
from curation.adapters.selection.lightly import LightlyBackend
from curation.adapters.selection.lightly_errors import Redaction
from curation.errors import CurationError
from curation.ledger import keys, runs
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
    from collections.abc import Callable, Iterator

    from curation.models import Run
    from curation.ports import SelectionLook

# Whose attribute becomes what.
Change: TypeAlias = tuple[object, str, object]
_ABSENT = object()


@contextmanager
def switched_off(name: str) -> Iterator[None]:
    """Switches a defence off for a while; without a name all are on."""
    with ExitStack() as undo:
        for owner, attribute, value in MUTANTS[name]() if name else []:
            before = vars(owner).get(attribute, _ABSENT)
            setattr(owner, attribute, value)
            if before is _ABSENT:
                undo.callback(delattr, owner, attribute)
            else:
                undo.callback(setattr, owner, attribute, before)
        yield


def _errback() -> list[Change]:
    def build_run(run_id: str) -> Any:  # noqa: ANN401  # a signature
        body = run_selection.si(run_id)
        body.link(release_instance.si(run_id))
        return chord(group(ingest_video.si(run_id), start_instance.si(run_id)), body)

    select = messages._selection

    def select_alone(run_id: str) -> Any:  # noqa: ANN401  # a signature
        message = select(run_id)
        message.options.pop("link_error", None)
        return message

    return [(client, "build_run", build_run), (messages, "_selection", select_alone)]


def _check_before_start() -> list[Change]:
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

    return [(StepLedger, "begin", always), (LeaseLedger, "acquire", grant)]


def _check_after_start() -> list[Change]:
    return [(instance_step, "_undo_start", lambda *_: None)]


def _reaper() -> list[Change]:
    return [(reaper_tasks.reap, "run", lambda: None)]


def _watchdog() -> list[Change]:
    return [(Instance, "_watch", lambda _: None)]


def _idempotency_key() -> list[Change]:
    create = RunLedger.create

    def forgetful(self: RunLedger, *args: Any, **options: Any) -> tuple[str, bool]:  # noqa: ANN401  # passed on
        return create(self, *args, **{**options, "idempotency_key": None})

    return [(RunLedger, "create", forgetful)]


def _fencing() -> list[Change]:
    begin = StepLedger.begin

    def always(self: StepLedger, turn: Any, **options: Any) -> tuple[Admission, float]:  # noqa: ANN401  # passed on
        admission, number = begin(self, turn, **options)
        if admission in (Admission.BUSY, Admission.STALE):
            return Admission.GO, 0.0
        return admission, number

    return [(StepLedger, "begin", always)]


def _two_phases() -> list[Change]:
    reap = reap_instance.reap_instance

    def hasty(machine: Any, **options: Any) -> str:  # noqa: ANN401  # passed on
        return reap(machine, **{**options, "mark_s": 0.0})

    return [(reap_instance, "reap_instance", hasty)]


def _end_state() -> list[Change]:
    decide = RunLedger.decide

    def again(self: RunLedger, run_id: str, outcome: Any, error: Any = None) -> bool:  # noqa: ANN401  # passed on
        if not decide(self, run_id, outcome, error):
            # Past `update`, which would leave an ended run alone.
            fields = {"outcome": str(outcome), "state": "finishing"}
            self._store.set_fields(keys.run_key(run_id), fields)
        return True

    return [(RunLedger, "decide", again)]


def _multipart() -> list[Change]:
    def abort_nothing(*_: object, **__: object) -> None:
        pass

    return [(module, "abort_uploads", abort_nothing) for module in (clear, ingest)]


def _countdown() -> list[Change]:
    return [(base.StepTask, "_longest_wait_s", lambda *_: 1e6)]


def _redaction() -> list[Change]:
    return [(Redaction, "clean", lambda _, text: text)]


def _dry_run() -> list[Change]:
    def stop(self: Ec2Instances, instance_id: str) -> InstanceState:
        self.would_stop(instance_id)
        return InstanceState.STOPPED

    return [(Ec2Instances, "stop", stop)]


def _failure_as_success() -> list[Change]:
    bad_end = LightlyBackend._bad_end

    def praise(self: LightlyBackend, *args: str) -> SelectionLook:
        return dataclasses.replace(bad_end(self, *args), succeeded=True)

    return [(LightlyBackend, "_bad_end", praise)]


def _leases_at_stop() -> list[Change]:
    release = LeaseLedger.release

    def last_out(self: LeaseLedger, *args: str, **options: Any) -> Release:  # noqa: ANN401  # passed on
        left = release(self, *args, **options)
        return Release.STOP if left is Release.SHARED else left

    return [(LeaseLedger, "release", last_out)]


def _search_before_schedule() -> list[Change]:
    find = LightlyBackend._find

    def blind(self: LightlyBackend, known: Any) -> Any:  # noqa: ANN401  # passed on
        return find(self, known) if known.scheduled_run_id else None

    # Nor is the second one taken back, as it would be otherwise.
    return [
        (LightlyBackend, "_find", blind),
        (LightlyBackend, "_cancel_surplus", lambda *_: None),
    ]


def _start_error() -> list[Change]:
    start = Ec2Instances.start

    def swallow(self: Ec2Instances, instance_id: str) -> InstanceState:
        try:
            return start(self, instance_id)
        except CurationError:
            return InstanceState.PENDING

    return [(Ec2Instances, "start", swallow)]


def _adoption() -> list[Change]:
    def adopt_nothing(ended: Run | None) -> dict[str, str | int]:
        return {"resumed_from": ended.run_id} if ended else {}

    return [(runs, "adopted_fields", adopt_nothing)]


MUTANTS: dict[str, Callable[[], list[Change]]] = {
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
    "adoption by a resumed run": _adoption,
}
