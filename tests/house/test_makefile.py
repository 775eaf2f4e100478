"""`make` explains itself and says what it needs."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def test_make__lists_every_command(checkout: Path) -> None:
    """`make` without a word prints each word with one line about it."""
    makefile = (checkout / "Makefile").read_text(encoding="utf-8")
    commands = " ".join(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)).split()

    printed = make(checkout).stdout

    assert set(re.findall(r"^  make ([a-z-]+) +\S", printed, re.MULTILINE)) == set(commands)


@pytest.mark.parametrize("version", [(3, 9), (3, 10), (3, 14)])
def test_make_setup__refuses_another_python(
    version: tuple[int, int], checkout: Path, tmp_path: Path
) -> None:
    """A wrong Python ends the set-up before anything is made, and one line says what to do."""
    python = tmp_path / "python3"
    python.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        f"sys.version_info = {version}\n"
        "print('Python %d.%d' % sys.version_info) if len(sys.argv) == 2 else exec(sys.argv[2])\n"
    )
    python.chmod(0o755)

    result = make(checkout, "setup", f"PYTHON={python}", f"VENV={tmp_path / 'venv'}")

    assert result.returncode != 0
    assert f"is needed, but {python} is: Python {version[0]}.{version[1]}. Name " in result.stderr
    assert not (tmp_path / "venv").exists()


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs make in the checkout."""
    return subprocess.run(
        ["make", *arguments], cwd=checkout, capture_output=True, check=False, text=True
    )
