"""The records of triggers: what asks for runs by itself, when, and for which videos."""

from __future__ import annotations

import hashlib
from typing import Annotated

from pydantic import Field, StringConstraints

from curation.models import Record, RunRequest, Timestamp

ScheduleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]


class Each(Record):
    """How every video of a source gets a run of its own.

    Attributes:
        every_s: Seconds between two looks at the source.
        at_once: Runs that may be open at the same time.
        limit: Videos taken in all; None takes whatever comes.
        links: Video source URIs that stand for the source (a list in a file); empty: look there.
        until_done: Whether it ends when every video has its run (a backfill), or goes on (a watch).
    """

    every_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 60.0
    at_once: Annotated[int, Field(ge=1, le=1000)] = 2
    limit: Annotated[int, Field(ge=1)] | None = None
    links: tuple[str, ...] = ()
    until_done: bool = False


class Schedule(Record):
    """Asks for runs by itself: one at each slot of `cron`, or one for each video of a source.

    Attributes:
        name: What people call it.
        request: What each run does; what it leaves open comes from the settings, at that time.
        cron: Five fields in UTC; None for `each`.
        each: How a source is watched or worked off; None for `cron`.
        paused: Whether it asks for nothing until it is resumed.
    """

    name: ScheduleName
    request: RunRequest
    cron: str | None = None
    each: Each | None = None
    paused: bool = False


class ScheduleState(Record):
    """What has become of a schedule so far.

    Attributes:
        looked_at: When it last asked for a run, or looked at its source.
        slot: Latest slot of `cron` that is dealt with, e.g. `2026-11-22T06:00Z`.
        problem: Why the last look came to nothing, or None.
        waiting: Videos found that have no run yet.
        skipped: Videos found that another run had taken.
        done_at: When a backfill was through with all videos.
    """

    looked_at: Timestamp | None = None
    slot: str | None = None
    problem: str | None = None
    waiting: int = 0
    skipped: int = 0
    done_at: Timestamp | None = None


def video_key(schedule: Schedule, url: str) -> str:
    """Returns the idempotency key of a video's run: the same whoever looks, however often."""
    asked = schedule.request.model_dump_json()
    digest = hashlib.sha256(f"{asked}\n{url}".encode()).hexdigest()
    return f"each:{schedule.name}:{digest[:32]}"


def backfill_name(request: RunRequest, links: tuple[str, ...]) -> str:
    """Returns the name of a backfill: the same for the same command."""
    asked = "\n".join((request.model_dump_json(), *links))
    return f"each-{hashlib.sha256(asked.encode()).hexdigest()[:10]}"
