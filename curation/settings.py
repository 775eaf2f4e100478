"""What can be configured (ours; Celery's settings are in `celeryconfig.py`)."""

from __future__ import annotations

import difflib
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar, get_type_hints

from dotenv import find_dotenv, load_dotenv
from pydantic import SecretStr, ValidationError
from pydantic_settings import BaseSettings

from curation.errors import OperatorError
from curation.setting_groups import (
    BrokerSettings,
    CostSettings,
    Ec2Settings,
    FlowerSettings,
    LightlySettings,
    LogSettings,
    NotifySettings,
    PexelsSettings,
    RunSettings,
    S3Settings,
    SourceSettings,
    WebSettings,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

G = TypeVar("G", bound=BaseSettings)
# Code of the error that says which variables cannot be used.
INVALID = "config:invalid"
# A wait or a time limit may be at most this share of the visibility timeout.
MAX_SHARE_OF_VISIBILITY = 0.7
# From this similarity on, a name that is set is taken for a misspelt one: POLL_INTERVAL is (0.93),
# AWS_REGION is not (0.70).
SIMILAR = 0.82
# The variables of this process that a `.env` has set, each with the path of that file.
_FROM_FILE: dict[str, str] = {}


class Settings:
    """All settings, read when a group is first asked for, from the environment and `.env`."""

    @classmethod
    def load(cls) -> Self:
        """Reads `.env` into the environment (which wins) and returns the settings.

        boto3 and the Lightly client read the environment too, so `.env` serves them as well.
        """
        path, known = find_dotenv(usecwd=True), set(os.environ)
        load_dotenv(path)
        _FROM_FILE.update(dict.fromkeys(os.environ.keys() - known, path))
        return cls()

    @cached_property
    def broker(self) -> BrokerSettings:
        """The Redis server."""
        return _read(BrokerSettings)

    @cached_property
    def pexels(self) -> PexelsSettings:
        """The Pexels API."""
        return _read(PexelsSettings)

    @cached_property
    def lightly(self) -> LightlySettings:
        """The hosted Lightly API."""
        return _read(LightlySettings)

    @cached_property
    def s3(self) -> S3Settings:
        """The two buckets."""
        return _read(S3Settings)

    @cached_property
    def ec2(self) -> Ec2Settings:
        """The instance."""
        return _read(Ec2Settings)

    @cached_property
    def source(self) -> SourceSettings:
        """Limits on videos."""
        return _read(SourceSettings)

    @cached_property
    def run(self) -> RunSettings:
        """How a run goes."""
        return _read(RunSettings)

    @cached_property
    def log(self) -> LogSettings:
        """Log lines."""
        return _read(LogSettings)

    @cached_property
    def cost(self) -> CostSettings:
        """Price of the instance, and the budget."""
        return _read(CostSettings)

    @cached_property
    def flower(self) -> FlowerSettings:
        """The Flower dashboard."""
        return _read(FlowerSettings)

    @cached_property
    def web(self) -> WebSettings:
        """The pages and the HTTP API."""
        return _read(WebSettings)

    @cached_property
    def notify(self) -> NotifySettings:
        """Messages to people."""
        return _read(NotifySettings)


GROUPS: tuple[type[BaseSettings], ...] = (
    BrokerSettings,
    PexelsSettings,
    LightlySettings,
    S3Settings,
    Ec2Settings,
    SourceSettings,
    RunSettings,
    LogSettings,
    CostSettings,
    FlowerSettings,
    WebSettings,
    NotifySettings,
)


def variables(group: type[BaseSettings]) -> dict[str, str]:
    """Returns the environment variables of a settings group, each with its description."""
    prefix = group.model_config.get("env_prefix", "")
    return {
        f"{prefix}{name}".upper(): field.description or ""
        for name, field in group.model_fields.items()
    }


def origin(variable: str) -> str:
    """Returns where a variable's value comes from: `default`, `environment`, or a file's path."""
    if not os.environ.get(variable):
        return "default"
    return _FROM_FILE.get(variable, "environment")


def is_secret(group: type[BaseSettings], field: str) -> bool:
    """Whether the value of a group's field must not be shown."""
    return get_type_hints(group).get(field) in (SecretStr, SecretStr | None)


def check_waits(settings: Settings, time_limits_s: Iterable[float]) -> None:
    """Refuses waits that come near the visibility timeout, because deliveries would multiply.

    Args:
        settings: The settings in force.
        time_limits_s: Hard time limits of the tasks that are acknowledged late, in seconds.

    Raises:
        OperatorError: If a countdown or a time limit is not well below the visibility timeout.
    """
    limit = settings.broker.visibility_timeout_s * MAX_SHARE_OF_VISIBILITY
    waits = {
        "POLL_INTERVAL_S": settings.run.poll_interval_s,
        "INSTANCE_POLL_INTERVAL_S": settings.run.instance_poll_interval_s,
        "the longest task time limit": max(time_limits_s, default=0.0),
    }
    for name, value in waits.items():
        if value > limit:
            message = (
                f"{name} is {value:g} s, but a message that waits longer than "
                f"VISIBILITY_TIMEOUT_S ({settings.broker.visibility_timeout_s:g} s) is delivered "
                f"twice. Keep it at or below {limit:g} s, or raise VISIBILITY_TIMEOUT_S."
            )
            raise OperatorError(message, code="config:visibility-timeout")


def problems(group: type[BaseSettings]) -> dict[str, str]:
    """Returns what is wrong with each variable of a group that is missing or malformed."""
    try:
        group()
    except ValidationError as error:
        faults = error.errors(include_url=False)
        return {_name(group, fault): _explain(group, fault) for fault in faults}
    return {}


def _read(group: type[G]) -> G:
    try:
        return group()
    except ValidationError:
        raise OperatorError(" ".join(problems(group).values()), code=INVALID) from None


def _name(group: type[BaseSettings], details: Mapping[str, Any]) -> str:
    return f"{group.model_config.get('env_prefix', '')}{details['loc'][0]}".upper()


def _explain(group: type[BaseSettings], details: Mapping[str, Any]) -> str:
    name = _name(group, details)
    meaning = variables(group).get(name, "")
    if details["type"] == "missing":
        return f"{name} is not set ({meaning}). {_mend(name)}"
    is_shown = not is_secret(group, str(details["loc"][0]))
    found = repr(details.get("input")) if is_shown else "its value"
    fault = str(details["msg"]).removeprefix("Value error, ")
    return f"{name}: {found} is not usable: {fault} ({meaning})."


def _mend(missing: str) -> str:
    """Says what to do about a variable that is missing, perhaps because it is misspelt."""
    ours = {name for group in GROUPS for name in variables(group)}
    others = [name for name, value in os.environ.items() if value and name.upper() not in ours]
    for similar in difflib.get_close_matches(missing, others, n=1, cutoff=SIMILAR):
        return f"{similar} is set: did you mean {missing}? Then rename it."
    return "Set it in the environment or in .env."
