"""Commands for whoever looks after the pipeline: leases, a round of the reaper."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from curation.errors import CurationError
from curation.ledger.holders import lease_terms
from curation.models import Record, Timestamp
from curation.steps.reap_instance import time_in
from curation.steps.watch import LEASE_TAG
from pipeline import client
from pipeline.cli import output
from pipeline.cli.options import Json
from workers import reaper
from workers.base import wiring

_Release = Annotated[
    str | None,
    typer.Option(
        metavar="RUN_ID",
        help="Take this run's lease away: the run fails, and the last one out stops the instance.",
        show_default=False,
    ),
]
_Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

# What a round of the reaper may find out about the instance, in its own words.
_FOUND = {
    "none": "No instance is configured (EC2_INSTANCE_ID).",
    "off": "The instance is off.",
    "held": "The instance is held by a run, or will be.",
    "kept": "The instance runs and is left alone: started by hand, or tagged to be kept.",
    "marked": "The instance runs although no run holds it. A later round will stop it.",
    "stopping": "The instance ran although no run held it. It is being stopped.",
    "stopped": "The instance ran although no run held it. It is stopped.",
}
# What it may have done about a run, in its own words.
_DONE = {
    "overdue": "its time is over, it fails",
    "revived": "it was silent, its message is sent again",
    "cleared": "what it left in the bucket is removed",
}


class HeldLease(Record):
    """One run's lease on one instance, and what the instance itself says."""

    instance_id: str
    instance_state: str | None
    run_id: str
    age_s: float | None
    granted_at: Timestamp | None
    renewed_at: Timestamp | None
    ends_at: Timestamp
    tagged_until: Timestamp | None  # the end of the lease that the instance's own tag names


class Act(Record):
    """What a round of the reaper found or did, about a run or the instance."""

    done: str
    run_id: str | None = None
    instance_id: str | None = None


def leases(*, release: _Release = None, yes: _Yes = False, as_json: Json = False) -> None:
    """Shows which runs hold the instance, since when and until when; or takes a lease away.

    Example: curate leases --release 20261122-093015-5f0c2d81ab
    """
    if release:
        _take_away(release, yes=yes)
    held = [lease for instance_id in _instance_ids() for lease in _leases_of(instance_id)]
    if held or as_json:
        _show(held, as_json=as_json)
    else:
        output.note("No run holds an instance.")


def reap(*, as_json: Json = False) -> None:
    """Does one round of the reaper: overdue and silent runs, unheld instance.

    Example: curate reap
    """
    done = reaper.reap_runs() + reaper.reap_uploads()
    acts = [Act(done=word, run_id=run_id) for word, run_id in map(str.split, done)]
    for act in acts:
        output.note(f"Run {act.run_id}: {_DONE[act.done]}.")
    found = reaper.reap_instance()
    output.note(_FOUND[found])
    if as_json:
        acts.append(Act(done=found, instance_id=client.settings().ec2.ec2_instance_id))
        _show(acts, as_json=True)


def _instance_ids() -> list[str]:
    # A run keeps its instance although the setting has changed meanwhile.
    used = {run.instance.instance_id for run in client.ledger().runs.active() if run.instance}
    configured = client.settings().ec2.ec2_instance_id
    return sorted(used | {configured} if configured else used)


def _leases_of(instance_id: str) -> Iterator[HeldLease]:
    terms = lease_terms(client.ledger().store, instance_id)
    state, tagged_until = _what_it_says(instance_id) if terms else (None, None)
    for term in terms:
        yield HeldLease(
            instance_id=instance_id,
            instance_state=state,
            tagged_until=tagged_until,
            **asdict(term),
        )


def _what_it_says(instance_id: str) -> tuple[str | None, float | None]:
    """Returns the instance's state and lease tag; as last seen when EC2 does not answer."""
    try:
        view = wiring().instances.describe(instance_id)
    except CurationError as error:
        output.warn(f"The state is the last one seen: {error}")
        return client.ledger().leases.look(instance_id).state, None
    return view.state, time_in(view, LEASE_TAG)


def _take_away(run_id: str, *, yes: bool) -> None:
    if not yes:
        typer.confirm(
            f"Run {run_id} will fail, and its instance stops if no other run holds it. Go on?",
            abort=True,
            err=True,
        )
    run = client.take_lease(run_id)
    output.note(f"Run {run_id} holds no lease any more. It will end as {run.outcome}.")


def _show(records: Sequence[Record], *, as_json: bool) -> None:
    items = [record.model_dump(mode="json") for record in records]
    if as_json:
        output.answer_items(items)
    elif items:
        table = Table(*(name.upper() for name in items[0]), box=None, pad_edge=False)
        for item in items:
            table.add_row(*map(_cell, item.values()))
        output.answer(table)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.1f}" if isinstance(value, float) else str(value)
