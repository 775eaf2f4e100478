"""The command `curate settings`: which settings are in force, and where each comes from."""

import os
from collections.abc import Sequence
from itertools import groupby

import typer
from rich.text import Text

from curation.doctor.settings import misspelt_settings
from curation.settings_in_force import SettingInForce, settings_in_force
from pipeline import client
from pipeline.cli import output
from pipeline.cli.options import Json


def settings(*, as_json: Json = False) -> None:
    """Shows all settings in force: value, where it comes from, and what it is for.

    Secrets are masked. Whatever cannot be used is said at once, and the exit code is 2.

    Example: curate settings
    """
    client.settings()  # reads `.env`
    found = settings_in_force()
    if as_json:
        output.answer_items([setting.model_dump(mode="json") for setting in found])
    else:
        output.answer(_view(found))
    _warn_of_misspelt()
    problems = [setting.problem for setting in found if setting.problem]
    problems += _unusable_by_celery()
    for problem in problems:
        output.complain(problem)
    if problems:
        raise typer.Exit(output.USAGE)


def _view(found: Sequence[SettingInForce]) -> Text:
    blocks = []
    for group, members in groupby(found, key=lambda setting: setting.group):
        blocks.append(Text(group, style="bold"))
        blocks += map(_entry, members)
        blocks.append(Text())
    return Text("\n").join(blocks[:-1])


def _entry(setting: SettingInForce) -> Text:
    """Returns a setting as a `.env` has it, what it means below; what somebody has set stands out.

    The default needs no origin, because nobody has set it.
    """
    is_set = setting.origin != "default"
    style = "red" if setting.problem else "cyan" if is_set else ""
    return Text.assemble(
        ("  ", ""),
        (f"{setting.name}={setting.value}", style),
        (f"  ({setting.origin})" if is_set else "", "dim"),
        (f"\n      {setting.meaning}", "dim"),
    )


def _warn_of_misspelt() -> None:
    from pipeline.processes import FLOWER_VARIABLES  # noqa: PLC0415  # Flower loads slowly

    for finding in misspelt_settings(os.environ, known=FLOWER_VARIABLES):
        output.warn(f"{finding.found} {finding.mend}")


def _unusable_by_celery() -> list[str]:
    from pipeline.processes import wrong_celery_settings  # noqa: PLC0415  # Flower loads slowly
    from workers.base import wiring  # noqa: PLC0415  # as above

    return [f"{finding.found} {finding.mend}" for finding in wrong_celery_settings(wiring())]
