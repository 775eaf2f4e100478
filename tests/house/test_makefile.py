"""`make` explains itself and says what it needs."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def test_make__lists_every_command(checkout: Path) -> None:
    """`make` without a word prints each word with one line about it."""
    makefile = (checkout / "Makefile").read_text(encoding="utf-8")
    commands = " ".join(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)).split()

    printed = make(checkout).stdout

    assert set(re.findall(r"^  make ([a-z-]+) +\S", printed, re.MULTILINE)) == set(commands)


def test_make_setup__names_the_python_that_is_too_old(checkout: Path, tmp_path: Path) -> None:
    """An old Python ends the set-up before anything is made, with one line that says what to do."""
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.10.2\nexit 1\n')
    old.chmod(0o755)

    result = make(checkout, "setup", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}")

    assert result.returncode != 0
    assert f"Python 3.11, 3.12 or 3.13 is needed, but {old} is: Python 3.10.2." in result.stderr
    assert not (tmp_path / "venv").exists()


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs make in the checkout."""
    return subprocess.run(
        ["make", *arguments], cwd=checkout, capture_output=True, check=False, text=True
    )
