"""What a run, its outcome and its steps may be, and which moves are allowed."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """Where a run is. It only ever moves down this list; the last three are end states."""

    PENDING = "pending"  # written into the ledger, no step has begun
    PREPARING = "preparing"  # the video is being ingested, the instance started
    SELECTING = "selecting"  # a selection run is scheduled or being looked at
    FINISHING = "finishing"  # the outcome is known, the instance is being given back
    COMPLETED = "completed"  # frames are selected and the instance is given back
    FAILED = "failed"  # `error` says why
    CANCELED = "canceled"  # somebody asked for it

    @property
    def is_end(self) -> bool:
        """Whether the state can never change again."""
        return self in END_STATES


END_STATES = frozenset({RunState.COMPLETED, RunState.FAILED, RunState.CANCELED})

# Rank of each state; a move is allowed only to a higher rank, and never out of an end state.
STATE_RANK: dict[RunState, int] = {
    RunState.PENDING: 0,
    RunState.PREPARING: 1,
    RunState.SELECTING: 2,
    RunState.FINISHING: 3,
    RunState.COMPLETED: 4,
    RunState.FAILED: 4,
    RunState.CANCELED: 4,
}


class Outcome(StrEnum):
    """What a run will end as; written once, by whoever knows first."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


class StepName(StrEnum):
    """The four steps of a run, each carried out by the task of the same name."""

    INGEST_VIDEO = "ingest_video"
    START_INSTANCE = "start_instance"
    RUN_SELECTION = "run_selection"
    RELEASE_INSTANCE = "release_instance"


class StepState(StrEnum):
    """Where a step is."""

    PENDING = "pending"  # no delivery has begun it
    RUNNING = "running"  # a Celery worker is at it right now
    WAITING = "waiting"  # it will look again later; no Celery worker is held
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"  # not needed in this run, e.g. no instance is configured
    CANCELED = "canceled"  # given up because the run got its outcome elsewhere

    @property
    def is_done(self) -> bool:
        """Whether the step has reached what the next step needs."""
        return self in (StepState.SUCCEEDED, StepState.SKIPPED)

    @property
    def is_end(self) -> bool:
        """Whether no delivery will work on the step again."""
        return self not in (StepState.PENDING, StepState.RUNNING, StepState.WAITING)


class Backend(StrEnum):
    """Who does the selection."""

    LIGHTLY = "lightly"  # the hosted API and a Lightly Worker on the instance
    ENGINE = "engine"  # our own engine, a Celery worker on the queue `engine`


class InstanceState(StrEnum):
    """EC2's own words (InstanceStateName)."""

    PENDING = "pending"
    RUNNING = "running"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"
    STOPPING = "stopping"
    STOPPED = "stopped"

    @property
    def is_billed(self) -> bool:
        """Whether its seconds cost money (EC2 documentation, instance life cycle)."""
        return self in (InstanceState.PENDING, InstanceState.RUNNING)


class Event(StrEnum):
    """What people may want a message about."""

    COMPLETED = "completed"  # a run ended so
    FAILED = "failed"  # a run ended so
    CANCELED = "canceled"  # a run ended so
    DEADLINE = "deadline"  # a run has little time left
    REAPED = "reaped"  # the reaper has stopped an instance that nobody held
    STOP = "stop"  # a run ended although EC2 has refused to stop its instance
    BUDGET = "budget"  # what runs cost has reached a limit
    TEST = "test"  # somebody wants to see whether messages come
