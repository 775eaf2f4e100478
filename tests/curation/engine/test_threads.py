"""An engine worker calculates with one thread."""

from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import os, sys
import workers.engine
assert "numpy" not in sys.modules
import curation.engine.choice
print(os.environ["OPENBLAS_NUM_THREADS"])
"""


def test_engine_worker__has_one_thread() -> None:
    """The limit is set before numpy reads it, and can be changed from outside."""
    variables = {name: value for name, value in os.environ.items() if "OPENBLAS" not in name}

    printed = [
        subprocess.check_output([sys.executable, "-c", PROGRAM], env=variables | extra, text=True)
        for extra in ({}, {"OPENBLAS_NUM_THREADS": "3"})
    ]

    assert printed == ["1\n", "3\n"]
