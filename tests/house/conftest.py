"""What the rules of the house look at: the files of this checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def packages() -> tuple[str, ...]:
    """The four rooms of the house."""
    return ("pipeline", "workers", "curation", "sandbox")


@pytest.fixture(scope="session")
def files(checkout: Path) -> list[Path]:
    """All files that git tracks or would add, relative to the checkout."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=checkout, capture_output=True, check=True, text=True).stdout
    paths = {Path(name) for name in names.split("\0") if name}
    return sorted(path for path in paths if (checkout / path).is_file())


@pytest.fixture(scope="session")
def modules(checkout: Path, files: list[Path]) -> list[Path]:
    """All Python files, tests included, as full paths."""
    return [checkout / path for path in files if path.suffix == ".py"]


@pytest.fixture(scope="session")
def package_modules(checkout: Path, modules: list[Path], packages: tuple[str, ...]) -> list[Path]:
    """The Python files of the four packages, as full paths."""
    return [path for path in modules if path.relative_to(checkout).parts[0] in packages]
