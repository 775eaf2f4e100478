"""Commands about schedules: what asks for runs by itself; all of it changes without a restart."""

import re
from datetime import UTC, datetime
from typing import Annotated

import typer
from pydantic import ValidationError

from curation.errors import RequestError
from curation.links import public_url
from curation.schedules import Schedule
from curation.source_uri import SourceKind, kind_of
from curation.states import Backend
from pipeline import client
from pipeline.cli import output
from pipeline.cli.commands import Command, Group
from pipeline.cli.options import Json
from pipeline.cli.run import absolute, loaded
from pipeline.cli.schedule_view import of_setting, show, show_one
from pipeline.cron import check_cron
from pipeline.schedule import ask_for_look, first_state

app = typer.Typer(
    cls=Group, help="What asks for runs by itself: at certain times, or for each new video."
)

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


@app.command("list", cls=Command)
def list_schedules(*, as_json: Json = False) -> None:
    """Lists what asks for runs by itself, and when it does so next.

    Example: curate schedule list
    """
    schedules = [*of_setting(), *client.ledger().schedules.all()]
    if schedules or as_json:
        show(schedules, as_json=as_json)
    else:
        output.note("There is no schedule.")
        output.suggest('curate schedule add nightly --cron "0 6 * * *"', "Make one")


@app.command(cls=Command)
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
    asked = _asked(source, proportion, backend, selection_config) | {"skip_curated": each}
    watch = _watch(every, at_most) if each else None
    schedule = _checked(name=name, cron=cron, each=watch, request=asked)
    word = "changed" if _save(schedule) else "added"
    output.note(f"Schedule {name} is {word}; it counts from now on.")
    show_one(schedule, as_json=as_json)


@app.command(cls=Command)
def remove(name: _Name) -> None:
    """Removes a schedule. Runs that it has asked for go on.

    Example: curate schedule remove nightly
    """
    client.ledger().schedules.get(name)
    client.ledger().schedules.remove(name)
    output.note(f"Schedule {name} is removed. Its runs go on; `curate list` shows them.")


@app.command(cls=Command)
def pause(name: _Name, *, as_json: Json = False) -> None:
    """Has a schedule ask for nothing until it is resumed.

    Example: curate schedule pause nightly
    """
    _set_paused(name, paused=True, as_json=as_json)


@app.command(cls=Command)
def resume(name: _Name, *, as_json: Json = False) -> None:
    """Has a paused schedule go on. Slots that have passed meanwhile do not count.

    Example: curate schedule resume nightly
    """
    _set_paused(name, paused=False, as_json=as_json)


@app.command(cls=Command)
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


def _asked(
    source: str | None, proportion: float | None, backend: Backend | None, config: str | None
) -> dict[str, object]:
    return {
        "source": absolute(source),
        "proportion_samples": proportion,
        "selection_backend": backend,
        "selection_config": loaded(config),
    }


def _checked(**facts: object) -> Schedule:
    """Returns the schedule, if it can ever ask for a run.

    Raises:
        RequestError: If it cannot.
    """
    schedule = _read(facts)
    if (schedule.cron is None) == (schedule.each is None):
        raise RequestError(
            'Give either --cron "0 6 * * *" or --each, and not both.', code="schedule:invalid"
        )
    source = client.filled(schedule.request).source
    if schedule.cron is not None:
        check_cron(schedule.cron, datetime.now(UTC))
        return schedule
    if kind_of(source) not in (SourceKind.FOLDER, SourceKind.S3):
        raise RequestError(
            f"{public_url(source)} cannot be watched: --each needs a folder or s3://bucket/prefix.",
            code="schedule:invalid",
        )
    # What is watched is named once and for all: a setting that changes would be another source.
    request = schedule.request.model_copy(update={"source": source})
    return schedule.model_copy(update={"request": request})


def _read(facts: dict[str, object]) -> Schedule:
    try:
        return Schedule.model_validate(facts)
    except ValidationError as error:
        problems = [
            f"{'.'.join(map(str, item['loc']))} {item['input']!r}: {item['msg']}"
            for item in error.errors()
        ]
        raise RequestError("; ".join(problems), code="schedule:invalid") from None


def _save(schedule: Schedule) -> bool:
    """Writes the schedule; whether there was one of that name. One of another kind begins anew."""
    schedules, name = client.ledger().schedules, schedule.name
    known = schedules.find(name)
    if known is None or (known.cron, known.each is None) != (schedule.cron, schedule.each is None):
        schedules.remove(name)
        schedules.note(name, **first_state(schedule))
    schedules.save(schedule)
    return known is not None


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
    show_one(schedule, as_json=as_json)
