"""`.env.example` and the settings never drift apart."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from curation import settings
from curation.settings_in_force import default_text

if TYPE_CHECKING:
    from pathlib import Path

# The names that people, scripts and the documentation rely on.
PERMANENT = """
    REDIS_URL PEXELS_API_KEY PEXELS_API_URL LIGHTLY_TOKEN LIGHTLY_SERVER_LOCATION
    LIGHTLY_DATASET_NAME S3_REGION S3_ROLE_ARN S3_EXTERNAL_ID S3_INPUT_BUCKET S3_LIGHTLY_BUCKET
    EC2_REGION EC2_INSTANCE_ID SCRIPT_PATH SELECTION_BACKEND VIDEO_SOURCE PROPORTION_SAMPLES
    POLL_INTERVAL_S INSTANCE_POLL_INTERVAL_S LEASE_TTL_S RUN_DEADLINE_S REAP_INTERVAL_S
    MAX_UPTIME_S SCHEDULE_CRON MAX_VIDEO_BYTES MAX_VIDEO_HEIGHT RUN_RETENTION_DAYS LIGHTLY_RUNS_ON
    SSM_DOCUMENT FLOWER_BASIC_AUTH ALLOWED_VIDEO_HOSTS
"""
# Read by boto3 itself. Commented out, because an empty credential is not the same as none.
AWS = """
    AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE AWS_ENDPOINT_URL
    AWS_ENDPOINT_URL_S3 AWS_ENDPOINT_URL_EC2 AWS_ENDPOINT_URL_SSM
"""
ENTRY = re.compile(r"^# (?P<meaning>.+)\n(?P<name>[A-Z0-9_]+)=(?P<value>.*)$", re.MULTILINE)


@pytest.fixture
def example(checkout: Path) -> str:
    """The text of `.env.example`."""
    return (checkout / ".env.example").read_text(encoding="utf-8")


def test_env_example__lists_every_setting_in_order(example: str) -> None:
    """Each setting stands there once, with its description above it and its default behind it."""
    listed = [match.groups() for match in ENTRY.finditer(example)]

    assert listed == [
        (meaning, name, default_text(field))
        for group in settings.GROUPS
        for (name, meaning), field in zip(
            settings.variables(group).items(), group.model_fields.values(), strict=True
        )
    ]


def test_env_example__has_no_other_active_line(example: str) -> None:
    """Whatever is neither a setting nor a comment is a mistake."""
    active = [line for line in example.splitlines() if line and not line.startswith("#")]

    assert len(active) == len(ENTRY.findall(example))


def test_env_example__shows_the_aws_variables_commented_out(example: str) -> None:
    """The variables that boto3 reads by itself are there to be uncommented."""
    commented = re.findall(r"^#(AWS_[A-Z0-9_]+)=", example, re.MULTILINE)

    assert commented == AWS.split()


def test_settings__have_the_permanent_names() -> None:
    """No variable that somebody's `.env` may hold is ever renamed."""
    names = {name for group in settings.GROUPS for name in settings.variables(group)}

    assert set(PERMANENT.split()) - names == set()


def test_settings__are_all_described() -> None:
    """Each variable says what it is for."""
    silent = [
        name
        for group in settings.GROUPS
        for name, meaning in settings.variables(group).items()
        if not meaning
    ]

    assert silent == []
