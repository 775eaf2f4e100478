"""Says what a step waits for and when it looks again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from curation.states import InstanceState, StepName, StepState
from pipeline.cli.output import duration

if TYPE_CHECKING:
    from curation.models import Run
    from pipeline.cli.watch import Look

_INSTANCE = {
    InstanceState.STOPPED: "the instance is stopped",
    InstanceState.PENDING: "the instance is starting",
    InstanceState.RUNNING: "the instance runs, its SSM agent and worker are not ready yet",
    InstanceState.STOPPING: "the instance is stopping, and can be started only afterwards",
}
_RELEASE = {
    InstanceState.RUNNING: "the instance is told to stop",
    InstanceState.STOPPING: "the instance is stopping",
}


def waits_for(look: Look, name: StepName) -> str:
    """Returns what a step that has not ended is at, e.g. `the instance is starting, looks again …`.

    Args:
        look: The run at one moment.
        name: The step.
    """
    step = look.run.steps.get(name)
    words = [f"try {step.attempts}"] if step.attempts > 1 else []
    words += [what] if (what := _what(look, name)) else []
    words += [f"{step.looks} look{'s' if step.looks > 1 else ''}"] if step.looks else []
    if step.state is StepState.WAITING and step.due_at:
        left_s = step.due_at - look.now
        words.append(f"looks again in {duration(left_s)}" if left_s > 0 else "looks again now")
    return ", ".join(words)


def _what(look: Look, name: StepName) -> str:
    if look.run.outcome and name is not StepName.RELEASE_INSTANCE:
        return "the run is over, so it gives up"
    match name:
        case StepName.INGEST_VIDEO:
            return ""
        case StepName.START_INSTANCE:
            return _INSTANCE.get(_instance_state(look.run), "")
        case StepName.RUN_SELECTION:
            state = look.task.state if look.task else look.run.selection.state
            return f"selection run {state}" if state else ""
        case StepName.RELEASE_INSTANCE:
            return _RELEASE.get(_instance_state(look.run), "")


def _instance_state(run: Run) -> InstanceState:
    # An unknown word of EC2's is none of those that are explained.
    known = run.instance.state if run.instance else None
    return InstanceState(known) if known in set(InstanceState) else InstanceState.TERMINATED
