"""Commands about schedules: what asks for runs by itself; all of it changes without a restart."""

import re
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.table import Table

from curation.errors import RequestError
from curation.links import public_url
from curation.models import Record, RunRequest, SourceUri, Timestamp
from curation.schedules import Each, Schedule
from curation.source_uri import SourceKind, kind_of
from curation.states import Backend
from pipeline import client
from pipeline.cli import output
from pipeline.cli.options import Json
from pipeline.cli.run import absolute, loaded
from pipeline.cron import check_cron, next_slot
from pipeline.each import n_open
from pipeline.schedule import ask_for_look, first_state

app = typer.Typer(help="What asks for runs by itself: at certain times, or for each new video.")

_SETTING = "SCHEDULE_CRON"
_SECONDS_OF = {"s": 1, "m": 60, "h": 3600}

_Name = Annotated[str, typer.Argument(metavar="NAME", help="The schedule.", show_default=False)]
_Cron = Annotated[
    str | None,
    typer.Option(
        help='Five fields in UTC, such as "0 6 * * *": a run at each slot.', show_default=False
    ),
]
_Each = Annotated[
    bool, typer.Option("--each", help="A run for each new video of a folder or s3://bucket/prefix.")
]
_Every = Annotated[str, typer.Option(help="With --each: time between two looks, as 30s, 5m or 1h.")]
_AtOnce = Annotated[
    int, typer.Option("--at-most", "--at-once", help="With --each: runs open at the same time.")
]
_Source = Annotated[
    str | None,
    typer.Option(help="As for `curate run`. Without it: VIDEO_SOURCE.", show_default=False),
]
_Proportion = Annotated[float | None, typer.Option(help="Share of frames to keep, 0 to 1.")]
_Backend = Annotated[Backend | None, typer.Option(help="Who selects.")]
_Config = Annotated[
    str | None,
    typer.Option(metavar="FILE", help="What to choose, as for `curate run`.", show_default=False),
]


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


@app.command("list")
def list_schedules(*, as_json: Json = False) -> None:
    """Lists what asks for runs by itself, and when it does so next.

    Example: curate schedule list
    """
    shown = [*_of_setting(), *map(_shown, client.ledger().schedules.all())]
    if as_json:
        output.answer_items([item.model_dump(mode="json") for item in shown])
    elif shown:
        output.answer(_table(shown))
    else:
        output.note("There is no schedule.")
        output.suggest('curate schedule add nightly --cron "0 6 * * *"', "Make one")


@app.command()
def add(  # noqa: PLR0913  # each is an option of the command
    name: _Name,
    *,
    cron: _Cron = None,
    each: _Each = False,
    every: _Every = "60s",
    at_most: _AtOnce = 2,
    source: _Source = None,
    proportion: _Proportion = None,
    backend: _Backend = None,
    selection_config: _Config = None,
    as_json: Json = False,
) -> None:
    """Adds a schedule, or changes the one of that name. Beat need not be restarted.

    Example: curate schedule add nightly --cron "0 6 * * *" --source s3://bucket/prefix/
    """
    schedule = _checked(
        name=name,
        cron=cron,
        each=_watch(every, at_most) if each else None,
        request={
            "source": absolute(source),
            "proportion_samples": proportion,
            "selection_backend": backend,
            "selection_config": loaded(selection_config),
            "skip_curated": each,
        },
    )
    schedules = client.ledger().schedules
    known = schedules.find(name)
    if known is None or (known.cron, known.each is None) != (cron, not each):
        schedules.remove(name)
        schedules.note(name, **first_state(schedule))
    schedules.save(schedule)
    output.note(f"Schedule {name} is {'changed' if known else 'added'}; it counts from now on.")
    _show_one(schedule, as_json=as_json)


@app.command()
def remove(name: _Name) -> None:
    """Removes a schedule. Runs that it has asked for go on.

    Example: curate schedule remove nightly
    """
    client.ledger().schedules.get(name)
    client.ledger().schedules.remove(name)
    output.note(f"Schedule {name} is removed. Its runs go on; `curate list` shows them.")


@app.command()
def pause(name: _Name, *, as_json: Json = False) -> None:
    """Has a schedule ask for nothing until it is resumed.

    Example: curate schedule pause nightly
    """
    _set_paused(name, paused=True, as_json=as_json)


@app.command()
def resume(name: _Name, *, as_json: Json = False) -> None:
    """Has a paused schedule go on. Slots that have passed meanwhile do not count.

    Example: curate schedule resume nightly
    """
    _set_paused(name, paused=False, as_json=as_json)


@app.command()
def run(name: _Name) -> None:
    """Does what a schedule asks for now, whether it is due or not.

    Example: curate schedule run nightly
    """
    schedule = client.ledger().schedules.get(name)
    if schedule.each:
        ask_for_look(name)
        output.note(f"The source of {name} is being looked at. `curate list` shows new runs.")
    else:
        output.answer(client.enqueue(schedule.request))


def _checked(**facts: object) -> Schedule:
    """Returns the schedule, if it can ever ask for a run.

    Raises:
        RequestError: If it cannot.
    """
    try:
        schedule = Schedule.model_validate(facts)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, item['loc']))} {item['input']!r}: {item['msg']}"
            for item in error.errors()
        ]
        raise RequestError("; ".join(problems), code="schedule:invalid") from None
    if (schedule.cron is None) == (schedule.each is None):
        raise RequestError(
            'Give either --cron "0 6 * * *" or --each, and not both.', code="schedule:invalid"
        )
    if schedule.cron is not None:
        check_cron(schedule.cron, datetime.now(UTC))
    request = client.filled(schedule.request)
    if schedule.each and kind_of(request.source) not in (SourceKind.FOLDER, SourceKind.S3):
        raise RequestError(
            f"{public_url(request.source)} cannot be watched: --each needs a folder or "
            "s3://bucket/prefix.",
            code="schedule:invalid",
        )
    # What is watched is named once and for all: a setting that changes would be another source.
    return schedule.model_copy(
        update={"request": _naming(schedule.request, request.source)} if schedule.each else {}
    )


def _naming(request: RunRequest, source: str) -> RunRequest:
    return request.model_copy(update={"source": source})


def _watch(every: str, at_most: int) -> dict[str, object]:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", every)
    if found is None:
        raise RequestError(
            f"--every {every!r} is no time. Give a number and s, m or h: 30s, 5m, 1h.",
            code="schedule:invalid",
        )
    return {"every_s": float(found[1]) * _SECONDS_OF[found[2] or "s"], "at_once": at_most}


def _set_paused(name: str, *, paused: bool, as_json: bool) -> None:
    schedules = client.ledger().schedules
    schedule = schedules.get(name).model_copy(update={"paused": paused})
    if not paused:
        schedules.note(name, **first_state(schedule))
    schedules.save(schedule)
    _show_one(schedule, as_json=as_json)


def _of_setting() -> list[Shown]:
    """Returns the schedule of SCHEDULE_CRON, if there is one."""
    cron = client.settings().run.schedule_cron
    if not cron:
        return []
    request = RunRequest(source=client.settings().source.video_source)
    return [_shown(Schedule.model_construct(name=_SETTING, cron=cron, request=request))]


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


def _show_one(schedule: Schedule, *, as_json: bool) -> None:
    shown = _shown(schedule)
    if as_json:
        output.answer_items([shown.model_dump(mode="json")])
    else:
        output.answer(_table([shown]))


def _table(shown: list[Shown]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("NAME", "WHEN", "NEXT", "RUNS", "SOURCE", "PROBLEM"):
        table.add_column(column, no_wrap=column in ("NAME", "WHEN", "NEXT"), overflow="fold")
    for item in shown:
        runs = "" if item.n_runs is None else f"{item.n_runs} ({item.n_open} open)"
        upcoming = "paused" if item.paused else output.moment(item.next_at)
        source = public_url(item.source or "")
        table.add_row(item.name, item.when, upcoming, runs, source, item.problem or "")
    return table
