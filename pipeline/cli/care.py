"""Commands for whoever looks after the pipeline: leases, a round of the reaper, cost."""

from collections.abc import Iterator, Sequence

from rich.table import Table

from curation.models import Record, Run, Timestamp
from curation.states import RunState
from pipeline import client
from pipeline.cli import output
from pipeline.cli.options import Json, Limit
from workers import reaper

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


class HeldLease(Record):
    """One run's lease on one instance."""

    instance_id: str
    instance_state: str | None
    run_id: str
    ends_at: Timestamp


class Act(Record):
    """What a round of the reaper found or did, about a run or the instance."""

    done: str
    run_id: str | None = None
    instance_id: str | None = None


class RunCost(Record):
    """What one run has cost, and what came of it."""

    run_id: str
    created_at: Timestamp
    state: RunState
    instance_seconds: float | None
    n_selected: int | None


def leases(*, as_json: Json = False) -> None:
    """Shows which runs hold the instance, and until when.

    Example: curate leases
    """
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
        output.note(f"Run {act.run_id} is {act.done}.")
    found = reaper.reap_instance()
    output.note(_FOUND[found])
    if as_json:
        acts.append(Act(done=found, instance_id=client.settings().ec2.ec2_instance_id))
        _show(acts, as_json=True)


def cost(*, limit: Limit = 100, as_json: Json = False) -> None:
    """Shows the seconds of the instance that each run has used.

    Example: curate cost --limit 10
    """
    costs = [_cost_of(run) for run in client.ledger().runs.newest(limit)]
    _show(costs, as_json=as_json)
    total_s = sum(cost.instance_seconds or 0.0 for cost in costs)
    output.note(f"In all: {output.duration(total_s)} of the instance.")


def _instance_ids() -> list[str]:
    # A run keeps its instance although the setting has changed meanwhile.
    used = {run.instance.instance_id for run in client.ledger().runs.active() if run.instance}
    configured = client.settings().ec2.ec2_instance_id
    return sorted(used | {configured} if configured else used)


def _leases_of(instance_id: str) -> Iterator[HeldLease]:
    ledger = client.ledger().leases
    state = ledger.look(instance_id).state
    for run_id, ends_at in ledger.holders(instance_id).items():
        yield HeldLease(
            instance_id=instance_id, instance_state=state, run_id=run_id, ends_at=ends_at
        )


def _cost_of(run: Run) -> RunCost:
    return RunCost(
        run_id=run.run_id,
        created_at=run.created_at,
        state=run.state,
        instance_seconds=run.cost.instance_seconds,
        n_selected=run.selection.n_selected,
    )


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
