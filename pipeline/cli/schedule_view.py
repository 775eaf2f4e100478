"""How schedules look to a person, and to a program."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich.table import Table

from curation.links import public_url
from curation.models import Record, RunRequest, SourceUri, Timestamp
from curation.schedules import Each, Schedule
from pipeline import client
from pipeline.cli import output
from pipeline.cron import next_slot
from pipeline.each import n_open

_SETTING = "SCHEDULE_CRON"


class Shown(Record):
    """A schedule as `curate schedule list --json` prints it."""

    name: str
    kind: str  # cron, watch or backfill
    when: str
    source: SourceUri | None
    paused: bool
    next_at: Timestamp | None
    looked_at: Timestamp | None
    n_runs: int | None
    n_open: int | None
    n_waiting: int | None
    problem: str | None


def show(schedules: Sequence[Schedule], *, as_json: bool) -> None:
    """Prints schedules as a table, or as JSON."""
    shown = [_shown(schedule) for schedule in schedules]
    if as_json:
        output.answer_items([item.model_dump(mode="json") for item in shown])
    else:
        output.answer(_table(shown))


def show_one(schedule: Schedule, *, as_json: bool) -> None:
    """Prints a schedule that was made or changed."""
    show([schedule], as_json=as_json)


def of_setting() -> list[Schedule]:
    """Returns the schedule of SCHEDULE_CRON, if there is one."""
    cron = client.settings().run.schedule_cron
    if not cron:
        return []
    request = RunRequest(source=client.settings().source.video_source)
    return [Schedule.model_construct(name=_SETTING, cron=cron, request=request)]


def _shown(schedule: Schedule) -> Shown:
    state = client.ledger().schedules.state(schedule.name)
    now = client.ledger().store.now()
    each = schedule.each
    return Shown(
        name=schedule.name,
        kind="cron" if each is None else "backfill" if each.until_done else "watch",
        when=schedule.cron or _when(each, is_done=state.done_at is not None),
        source=schedule.request.source,
        paused=schedule.paused,
        next_at=None if schedule.paused or state.done_at else _next_at(schedule, now),
        looked_at=state.looked_at,
        n_runs=len(client.ledger().schedules.videos(schedule.name)) if each else None,
        n_open=n_open(schedule.name) if each else None,
        n_waiting=state.waiting if each else None,
        problem=state.problem,
    )


def _when(each: Each | None, *, is_done: bool) -> str:
    if each is None:
        return ""
    if each.until_done:
        return "done" if is_done else "until done"
    return f"every {output.duration(each.every_s)}"


def _next_at(schedule: Schedule, now: float) -> float | None:
    if schedule.cron is not None:
        slot = next_slot(schedule.cron, datetime.fromtimestamp(now, tz=UTC))
        return slot.timestamp() if slot else None
    looked_at = client.ledger().schedules.state(schedule.name).looked_at
    every_s = schedule.each.every_s if schedule.each else 0.0
    return max(now, (looked_at or now) + every_s)


def _table(shown: Sequence[Shown]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("NAME", "WHEN", "NEXT", "RUNS", "SOURCE", "PROBLEM"):
        table.add_column(column, no_wrap=column in ("NAME", "WHEN", "NEXT"), overflow="fold")
    for item in shown:
        runs = "" if item.n_runs is None else f"{item.n_runs} ({item.n_open} open)"
        upcoming = "paused" if item.paused else output.moment(item.next_at)
        source = public_url(item.source or "")
        table.add_row(item.name, item.when, upcoming, runs, source, item.problem or "")
    return table
