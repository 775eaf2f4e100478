"""Shows what a run would do and call: `curate run --dry-run`."""

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from curation.models import Run, RunRequest
from pipeline.cli import output
from pipeline.plan import Plan, PlannedStep, plan_run


def show(request: RunRequest, earlier: Run | None, *, as_json: bool) -> None:
    """Prints the plan of a run; nothing is changed anywhere.

    Args:
        request: The run request.
        earlier: The run that has curated the same before, if any.
        as_json: Whether JSON is asked for.
    """
    plan = plan_run(request, earlier)
    if as_json:
        output.answer_json(plan.to_json())
        return
    output.answer(_head(plan))
    if earlier:
        output.answer(f"Nothing would be done: {earlier.name} has curated this already.")
        output.suggest(f"curate report {earlier.name}", "Find its frames")
        return
    output.answer(Group("", *map(_step, plan.steps), ""))
    output.note("* changes something. Nothing was called that does; nothing was enqueued.")
    output.suggest("curate run …", "Do it: the same command without --dry-run")


def _head(plan: Plan) -> Table:
    config = plan.request.config
    amount = f"{config.n_samples} frames" if config.n_samples else f"{config.proportion_samples:g}"
    table = Table.grid(padding=(0, 2))
    table.add_row("video", Text(plan.video, overflow="fold"))
    table.add_row("keep", f"{amount}, by {plan.request.selection_backend}")
    instance = f"{plan.instance_id}, {plan.instance_state}" if plan.instance_id else "none"
    table.add_row("instance", Text(instance, overflow="fold"))
    return table


def _step(step: PlannedStep) -> RenderableType:
    title = Text.assemble((step.step, "bold"), f"  {step.does}", overflow="fold")
    table = Table.grid(padding=(0, 1))
    for call in step.calls:
        note = f" ({call.note})" if call.note else ""
        target = Text.assemble(call.target, (note, "dim"), overflow="fold")
        mark = Text("*" if call.changes else " ", style="bold yellow")
        table.add_row(mark, Text(call.name, style="cyan", no_wrap=True), target)
    return Group(title, Padding(table, (0, 0, 0, 2), expand=False))
