"""What a Celery worker loads before its pool is made."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from pipeline.celery import app
import workers.signals
app.WorkController(queues=sys.argv[1], pool_cls="solo")
print("curation.adapters.selection.lightly_client" in sys.modules)
"""


@pytest.mark.parametrize(
    ("queues", "token", "expected"),
    [
        pytest.param("ingest,selection", "canary-of-a-token", "True", id="needed"),
        pytest.param("ingest", "canary-of-a-token", "False", id="selects nothing"),
        pytest.param("ingest,selection", "", "False", id="no token"),
    ],
)
def test_load_before_the_pool__only_what_is_needed(queues: str, token: str, expected: str) -> None:
    """A process that will select on hosted Lightly has the client before its first task."""
    environment = {
        "PYTHON_DOTENV_DISABLED": "1",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "LIGHTLY_TOKEN": token,
    }

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, queues],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )

    assert (expected, "") == (done.stdout.strip(), done.stderr)
