"""A package that is missing or broken gives one error, with the command that mends it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from curation.engine.packages import INSTALL

# Without the package, imports the module and prints the operator's error.
IMPORT = """
import importlib, sys
sys.modules[sys.argv[1]] = None
from curation.errors import OperatorError
try:
    importlib.import_module(sys.argv[2])
except OperatorError as error:
    print(error.code, error)
"""


@pytest.mark.parametrize(
    ("package", "module"),
    [
        ("av", "curation.engine.probe"),
        ("onnx", "curation.engine.network"),
        ("onnxruntime", "curation.engine.embedders.catalog"),
        ("PIL", "curation.engine.run"),
        ("lightly_mundig", "curation.engine.run"),
    ],
)
def test_explained__names_the_package_and_the_command(package: str, module: str) -> None:
    """Whoever starts the engine without one of its packages is told what to run."""
    command = [sys.executable, "-c", IMPORT, package, module]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout

    assert said.startswith("config:packages The engine's packages are not installed")
    assert package in said
    assert INSTALL in said


def test_install__is_the_command_of_the_lock() -> None:
    """The command is the one that the lock itself asks for."""
    lock = Path(__file__).parents[3] / "requirements.txt"

    assert INSTALL in lock.read_text(encoding="utf-8").partition("\n")[0]
