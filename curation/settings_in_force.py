"""Which settings are in force, and where each comes from."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from curation.models import Record
from curation.settings import GROUPS, is_secret, origin, problems, variables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

_MASK = "********"


class SettingInForce(Record):
    """One setting of this process.

    Attributes:
        group: What it belongs to.
        name: The variable.
        value: As it is written; a secret is masked.
        origin: `default`, `environment`, or the path of the `.env` that has it.
        meaning: What it is for.
        problem: Why it cannot be used.
    """

    group: str
    name: str
    value: str
    origin: str
    meaning: str
    problem: str | None = None


def settings_in_force() -> list[SettingInForce]:
    """Returns all settings as this process has them, also those that cannot be used."""
    return [setting for group in GROUPS for setting in _of(group)]


def default_text(field: FieldInfo) -> str:
    """Returns a field's default as it is written in the environment."""
    value = field.default
    if value is None or value is PydanticUndefined or value == ():
        return ""
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def title(group: type[BaseSettings]) -> str:
    """Returns what a group is about, in a few words."""
    return (group.__doc__ or "").partition(".")[0]


def _of(group: type[BaseSettings]) -> Iterator[SettingInForce]:
    wrong = problems(group)
    fields = zip(variables(group).items(), group.model_fields.items(), strict=True)
    # Names of any case are read, as pydantic does it.
    environment = {name.upper(): name for name in os.environ}
    for (name, meaning), (field_name, field) in fields:
        variable = environment.get(name, name)
        found = os.environ.get(variable)
        if found and is_secret(group, field_name):
            found = _MASK
        yield SettingInForce(
            group=title(group),
            name=name,
            value=found or default_text(field),
            origin=origin(variable),
            meaning=meaning,
            problem=wrong.get(name),
        )
