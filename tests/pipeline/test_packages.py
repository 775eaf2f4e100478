from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MEND = "pip install --no-deps --require-hashes -r requirements.txt"


def run(program: list[str], shadows: Path) -> subprocess.CompletedProcess[str]:
    """Runs Python with packages that hide the installed ones of the same name."""
    return subprocess.run(
        [sys.executable, *program],
        env=os.environ | {"PYTHONPATH": str(shadows)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_import__broken_package_names_it_and_the_mend(tmp_path: Path) -> None:
    """A package that cannot be imported is named, with the command that mends it."""
    (tmp_path / "redis.py").write_text("")

    done = run(["-c", "import pipeline"], tmp_path)

    last = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1
    assert "redis" in last
    assert MEND in last


def test_worker__refuses_the_celery_that_dies_with_its_broker(tmp_path: Path) -> None:
    """Celery 5.7.0 is refused in one sentence, whoever has installed it."""
    program = (
        "import celery; celery.__version__ = '5.7.0'\n"
        "from pipeline.celery import app\n"
        "import workers.signals\n"
        "workers.signals.check_settings(conf=app.conf)\n"
    )

    done = run(["-c", program], tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith("curation: celery 5.7.0 ")
    assert MEND in done.stderr
