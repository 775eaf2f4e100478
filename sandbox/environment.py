"""The variables of all processes in the sandbox: few of the user's own, and its settings."""

from __future__ import annotations

import os
import secrets
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from sandbox.clip import clip
from sandbox.processes import HOST

if TYPE_CHECKING:
    from collections.abc import Mapping

# What a program needs to find its files and to print. All else of the user's (accounts, proxies,
# settings of ours) stays outside, so that a sandbox can never reach a real account.
PASSED = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "PATH",
    "TERM",
    "TZ",
    "USER",
    "XDG_CACHE_HOME",
    # The converted network is the same everywhere, and to convert it takes seconds.
    "ENGINE_CACHE_DIR",
)
ROOT = Path(__file__).parents[1]
INSTANCE_ID = "i-0123456789abcdef0"
REGION = "eu-central-1"


def clean_environment(inherited: Mapping[str, str], *, temporary: Path) -> dict[str, str]:
    """Returns the variables that processes of the sandbox have besides its settings.

    Args:
        inherited: The variables of the process that starts the sandbox.
        temporary: Folder for temporary files.
    """
    environment = {name: inherited[name] for name in PASSED if name in inherited}
    # The instance's script and the user's next command find our programs without a path.
    programs = str(Path(sys.executable).parent)
    environment["PATH"] = os.pathsep.join([programs, environment.get("PATH", os.defpath)])
    # In a checkout that is not installed, our packages are found here.
    if (ROOT / "pyproject.toml").exists():
        environment["PYTHONPATH"] = str(ROOT)
    return environment | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        # A `.env` of the user, in whatever folder, is for real accounts.
        "PYTHON_DOTENV_DISABLED": "1",
        "PYTHONUNBUFFERED": "1",
        "SANDBOX_PYTHON": sys.executable,
        "TMPDIR": str(temporary),
    }


def sandbox_settings(ports: Mapping[str, int]) -> dict[str, str]:
    """Returns settings that lead every client to the sandbox, with fresh passwords.

    Args:
        ports: Port of each server by its name.
    """
    pexels = f"{HOST}:{ports['pexels']}"
    return {
        **_aws_settings(ports),
        **_page_settings(ports),
        # Whoever may start a sandbox may read this machine's files anyway.
        "API_LOCAL_SOURCES": "true",
        "API_TOKEN": secrets.token_urlsafe(24),
        "ALLOWED_VIDEO_HOSTS": pexels,
        "EC2_REGION": REGION,
        "EC2_INSTANCE_ID": INSTANCE_ID,
        "INSTANCE_POLL_INTERVAL_S": "0.5",
        "PEXELS_API_KEY": secrets.token_urlsafe(30),
        "PEXELS_API_URL": f"http://{pexels}",
        "POLL_INTERVAL_S": "0.5",
        "REDIS_URL": f"redis://:{secrets.token_urlsafe(24)}@{HOST}:{ports['valkey']}/0",
        "SANDBOX_WATCHDOG": str(ROOT / "deploy" / "instance" / "watchdog.sh"),
        "S3_REGION": REGION,
        "S3_INPUT_BUCKET": "s3://input/videos/",
        "S3_LIGHTLY_BUCKET": "s3://lightly/results/",
        "SCRIPT_PATH": str(ROOT / "sandbox" / "instance" / "run.sh"),
        "SELECTION_BACKEND": "engine",
        "VIDEO_SOURCE": str(clip()),
    }


def hosted_settings(ports: Mapping[str, int]) -> dict[str, str]:
    """Returns settings that let the stand-in of hosted Lightly select, not our own engine.

    Args:
        ports: Port of each server by its name.
    """
    return {
        "LIGHTLY_DATASET_NAME": "sandbox videos",
        "LIGHTLY_SERVER_LOCATION": f"http://{HOST}:{ports['lightly']}",
        "LIGHTLY_TOKEN": secrets.token_urlsafe(30),
        "S3_EXTERNAL_ID": secrets.token_urlsafe(16),
        "S3_ROLE_ARN": "arn:aws:iam::123456789012:role/sandbox",
        "SCRIPT_PATH": str(ROOT / "sandbox" / "instance" / "lightly.sh"),
        "SELECTION_BACKEND": "lightly",
    }


def write_door(path: Path, environment: Mapping[str, str]) -> None:
    """Writes a script that runs its arguments as a command inside the sandbox.

    Args:
        path: Where the script goes.
        environment: All variables that the command has.
    """
    # What a command says about the next one has to lead through the door, too.
    inside = {**environment, "SANDBOX_DOOR": str(path)}
    variables = [shlex.quote(f"{name}={value}") for name, value in inside.items()]
    # These are of the terminal that the command is typed in.
    theirs = '${TERM:+"TERM=$TERM"} ${NO_COLOR:+"NO_COLOR=$NO_COLOR"}'
    path.touch(mode=0o700)
    path.write_text(
        "#!/bin/sh\n"
        "# Runs a command inside the sandbox: with its settings, and with no others.\n"
        f'exec env -i {" ".join(variables)} {theirs} "${{@:-sh}}"\n'
    )


def _page_settings(ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "FLOWER_BASIC_AUTH": f"sandbox:{secrets.token_urlsafe(12)}",
        "FLOWER_URL": f"http://{HOST}:{ports['flower']}/",
        "WEB_BASIC_AUTH": f"sandbox:{secrets.token_urlsafe(12)}",
        "WEB_URL": f"http://{HOST}:{ports['web']}/",
    }


def _aws_settings(ports: Mapping[str, int]) -> dict[str, str]:
    cloud = f"http://{HOST}:{ports['cloud']}"
    return {
        # For every service that has no stand-in: no call leaves the machine.
        "AWS_ENDPOINT_URL": cloud,
        "AWS_ENDPOINT_URL_EC2": cloud,
        "AWS_ENDPOINT_URL_S3": f"http://{HOST}:{ports['s3']}",
        "AWS_ENDPOINT_URL_SSM": cloud,
        "AWS_ACCESS_KEY_ID": f"AKIA{secrets.token_hex(8).upper()}",
        "AWS_SECRET_ACCESS_KEY": secrets.token_urlsafe(30),
        "AWS_DEFAULT_REGION": REGION,
    }
