"""Commands about one run: look at it, cancel it, resume it."""

from rich.console import Group

from curation.ledger.adoption import adopted_steps
from pipeline import client
from pipeline.cli import output, watch
from pipeline.cli.options import Json, RunId
from pipeline.cli.stay import print_accepted, suggest_next
from pipeline.cli.view import RunView, facts_view


def status(run_id: RunId, *, as_json: Json = False) -> None:
    """Shows all that is known of a run: its steps, why it failed, what to do next.

    Example: curate status calm-amber-otter
    """
    if as_json:
        output.answer_json(client.status(run_id).to_json())
        return
    look = watch.look_at(run_id)
    output.answer(Group(RunView(look), facts_view(look.run)))
    suggest_next(look.run, besides="status")


def cancel(run_id: RunId, *, as_json: Json = False) -> None:
    """Cancels a run: its steps stop, and its instance is given back.

    Example: curate cancel calm-amber-otter
    """
    run = client.cancel(run_id)
    if as_json:
        output.answer_json(run.to_json())
    elif run.state.is_end:
        output.note(f"Run {run.name} has ended before, as {run.state}.")
    else:
        # What it was to end as before, stands.
        output.note(f"Run {run.name} will end as {run.outcome} when its instance is given back.")
        suggest_next(run, besides="cancel")


def resume(run_id: RunId, *, as_json: Json = False) -> None:
    """Runs again what failed or was canceled, without doing again what was done.

    Example: curate resume calm-amber-otter
    """
    ended = client.status(run_id)
    resumed = client.resume(ended.run_id)
    adopted = ", ".join(adopted_steps(ended)) or "nothing"
    output.note(f"Adopted from run {ended.name}: {adopted}.")
    print_accepted(resumed, as_json=as_json)
