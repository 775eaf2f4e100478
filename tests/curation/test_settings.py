from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from curation import setting_groups, settings
from curation.errors import OperatorError
from curation.settings import Settings
from curation.states import Backend

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-5f0c2d81"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    # What the developer's shell has set is not what is tested.
    for group in settings.GROUPS:
        for name in settings.variables(group):
            monkeypatch.delenv(name, raising=False)


def test_settings__need_nothing_but_the_buckets() -> None:
    """Every other setting has a default that works or an absence that is allowed."""
    incomplete = []
    for group in settings.GROUPS:
        try:
            group()
        except ValueError:
            incomplete.append(group)

    assert incomplete == [setting_groups.S3Settings]


def test_settings__missing() -> None:
    """All that is missing is named at once, with what it is for and where to set it."""
    with pytest.raises(OperatorError) as caught:
        _ = Settings().s3

    assert caught.value.code == "config:invalid"
    assert str(caught.value) == (
        "S3_INPUT_BUCKET is not set (Where videos go, s3://bucket/prefix/). "
        "Set it in the environment or in .env. "
        "S3_LIGHTLY_BUCKET is not set (Where results go, s3://bucket/prefix/). "
        "Set it in the environment or in .env."
    )


@pytest.mark.parametrize(
    ("group", "name", "value", "expected"),
    [
        ("broker", "VISIBILITY_TIMEOUT_S", "0", "greater than 0"),
        ("s3", "S3_INPUT_BUCKET", "bucket/videos", "expected s3://bucket/prefix/"),
        ("s3", "S3_LIGHTLY_BUCKET", "s3://B", "expected s3://bucket/prefix/"),
        ("ec2", "EC2_INSTANCE_ID", "my-gpu", "'^i-[0-9a-f]{8,17}$'"),
        ("ec2", "MAX_UPTIME_S", "12h", "a valid number"),
        ("source", "MAX_VIDEO_BYTES", "8GB", "a valid integer"),
        ("run", "SELECTION_BACKEND", "engin", "'lightly' or 'engine'"),
        ("run", "PROPORTION_SAMPLES", "10%", "a valid number"),
        ("run", "PROPORTION_SAMPLES", "1.5", "less than or equal to 1"),
        ("run", "POLL_INTERVAL_S", "-1", "greater than 0"),
        ("run", "RUN_DEADLINE_S", "inf", "a finite number"),
        ("run", "LEASE_TTL_S", "nan", ""),
        ("pexels", "PEXELS_API_URL", "api.pexels.com", "'^https?://"),
        ("lightly", "LIGHTLY_SERVER_LOCATION", "api.lightly.ai", "'^https?://"),
    ],
)
def test_settings__malformed(
    group: str, name: str, value: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One message names the variable, what was found, what is expected and what it is for."""
    monkeypatch.setenv("S3_INPUT_BUCKET", "s3://bucket/in/")
    monkeypatch.setenv("S3_LIGHTLY_BUCKET", "s3://bucket/out/")
    monkeypatch.setenv(name, value)

    with pytest.raises(OperatorError) as caught:
        getattr(Settings(), group)

    meanings = {
        key: text for item in settings.GROUPS for key, text in settings.variables(item).items()
    }
    assert str(caught.value).startswith(f"{name}: {value!r} is not usable: ")
    assert expected in str(caught.value)
    assert str(caught.value).endswith(f"({meanings[name]}).")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", f"http://user:{CANARY}@host"),
        # The password's slash ends the host, so that a part of it is taken for the port.
        ("REDIS_URL", f"redis://:{CANARY}/5@host"),
    ],
)
def test_settings__malformed_secret(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret that cannot be used is never shown, nor a part of it."""
    monkeypatch.setenv(name, value)

    with pytest.raises(OperatorError, match=f"^{name}: its value is not usable: ") as caught:
        _ = Settings().broker

    assert CANARY not in repr(caught.value)
    assert caught.value.__cause__ is None


def test_settings__missing_beside_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing setting does not print the secrets that stand beside it."""
    monkeypatch.setenv("S3_EXTERNAL_ID", CANARY)

    with pytest.raises(OperatorError) as caught:
        _ = Settings().s3
    with pytest.raises(ValueError, match="S3Settings") as raw:
        setting_groups.S3Settings()

    assert CANARY not in repr(caught.value)
    assert CANARY not in str(raw.value)


def test_settings__hide_secrets_when_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever logs a group of settings logs no secret."""
    secrets = {
        "REDIS_URL": f"redis://:{CANARY}@host/0",
        "PEXELS_API_KEY": CANARY,
        "LIGHTLY_TOKEN": CANARY,
        "S3_EXTERNAL_ID": CANARY,
        "FLOWER_BASIC_AUTH": f"user:{CANARY}",
    }
    for name, value in secrets.items() | {
        ("S3_INPUT_BUCKET", "s3://bbb"),
        ("S3_LIGHTLY_BUCKET", "s3://bbb"),
    }:
        monkeypatch.setenv(name, value)

    printed = "".join(f"{group()!r} {group()}" for group in settings.GROUPS)

    assert printed.count("**********") == 2 * len(secrets)
    assert CANARY not in printed


def test_settings__empty_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty line of `.env` leaves the default in force."""
    for name in ("SELECTION_BACKEND", "EC2_INSTANCE_ID", "POLL_INTERVAL_S", "LIGHTLY_TOKEN"):
        monkeypatch.setenv(name, "")

    loaded = Settings()

    assert loaded.run.selection_backend is Backend.LIGHTLY
    assert loaded.run.poll_interval_s == 30
    assert loaded.ec2.ec2_instance_id is None
    assert loaded.lightly.token is None


def test_settings__lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are written with commas; spaces and empty entries do not count."""
    monkeypatch.setenv("ALLOWED_VIDEO_HOSTS", "127.0.0.1:8000, videos.example.com,,")
    monkeypatch.setenv("LIGHTLY_RUNS_ON", "gpu")

    loaded = Settings()

    assert loaded.source.allowed_video_hosts == ("127.0.0.1:8000", "videos.example.com")
    assert loaded.lightly.runs_on == ("gpu",)


def test_settings__buckets_end_with_a_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    """A forgotten slash does not glue prefix and run id together."""
    monkeypatch.setenv("S3_INPUT_BUCKET", "s3://bucket")
    monkeypatch.setenv("S3_LIGHTLY_BUCKET", "s3://bucket/results")

    loaded = Settings().s3

    assert loaded.input_bucket == "s3://bucket/"
    assert loaded.lightly_bucket == "s3://bucket/results/"


def test_load__reads_dotenv_and_the_environment_wins(tmp_path: Path) -> None:
    """`.env` of the folder or one above it fills in what the environment leaves open."""
    folder = tmp_path / "inner"
    folder.mkdir()
    (tmp_path / ".env").write_text("PROPORTION_SAMPLES=0.25\nPOLL_INTERVAL_S=7\n", encoding="utf-8")
    program = tmp_path / "elsewhere" / "program.py"
    program.parent.mkdir()
    program.write_text(
        "from curation.settings import Settings\n"
        "run = Settings.load().run\n"
        "print(run.proportion_samples, run.poll_interval_s)\n",
        encoding="utf-8",
    )

    printed = subprocess.run(
        [sys.executable, program],
        cwd=folder,
        env=os.environ | {"POLL_INTERVAL_S": "9"},
        capture_output=True,
        check=True,
        text=True,
    ).stdout

    assert printed.split() == ["0.25", "9.0"]


def test_check_waits__accepts_the_defaults() -> None:
    """What nobody has changed does not hinder the start."""
    settings.check_waits(Settings(), time_limits_s=[600.0])


@pytest.mark.parametrize(
    ("variables", "time_limit_s", "culprit"),
    [
        ({"POLL_INTERVAL_S": "631"}, 60.0, "POLL_INTERVAL_S is 631 s"),
        ({"INSTANCE_POLL_INTERVAL_S": "1000"}, 60.0, "INSTANCE_POLL_INTERVAL_S is 1000 s"),
        ({"VISIBILITY_TIMEOUT_S": "40"}, 5.0, "POLL_INTERVAL_S is 30 s"),
        ({}, 631.0, "the longest task time limit is 631 s"),
    ],
)
def test_check_waits__refuses_what_comes_near_the_visibility_timeout(
    variables: dict[str, str], time_limit_s: float, culprit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wait above 70 % of the visibility timeout would be delivered twice, so nothing starts."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(OperatorError, match=f"^{culprit}.* Keep it at or below ") as caught:
        settings.check_waits(Settings(), time_limits_s=[1.0, time_limit_s])

    assert caught.value.code == "config:visibility-timeout"
