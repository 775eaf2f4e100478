"""The locks are complete, agree with pyproject.toml and each other, and hold no training stack."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distributions
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

LOCKS = {
    "requirements.txt": ("engine", "hosted", "sandbox"),
    "requirements-dev.txt": ("engine", "hosted", "sandbox", "dev"),
}
TRAINING_STACK = {"torch", "torchvision", "pytorch-lightning"}
HASH = r" \\\n    --hash=sha256:[0-9a-f]{64}"
PIN = re.compile(rf"(?P<name>[\w.-]+)==(?P<version>[\w.]+)( ;[^\n\\]+)?({HASH})+\n?")


@pytest.fixture
def config(checkout: Path) -> dict[str, Any]:
    """The content of pyproject.toml."""
    return tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("lock", LOCKS)
def test_lock__pins_every_dependency(lock: str, checkout: Path, config: dict[str, Any]) -> None:
    """Each dependency of pyproject.toml is in the lock, in versions that it allows."""
    pins = read(checkout / lock)

    unmet = [str(wanted) for wanted in declared(config, LOCKS[lock]) if not is_met(wanted, pins)]

    assert unmet == []


@pytest.mark.parametrize("lock", LOCKS)
def test_lock__begins_with_the_command_that_installs_it(lock: str, checkout: Path) -> None:
    """Only without dependency resolution can the lock be installed, so its first line says how."""
    first_line = (checkout / lock).read_text(encoding="utf-8").partition("\n")[0]

    assert first_line.endswith(f": pip install --no-deps --require-hashes -r {lock}")


def test_locks__agree(checkout: Path) -> None:
    """Developers test with the very versions that are deployed."""
    deployed, tested = (read(checkout / lock) for lock in LOCKS)

    assert deployed == {name: tested.get(name) for name in deployed}


def test_locks__hold_no_training_stack(checkout: Path) -> None:
    """Gigabytes of torch are neither locked nor installed."""
    locked = {name for lock in LOCKS for name in read(checkout / lock)}
    installed = {canonicalize_name(item.metadata["Name"]) for item in distributions()}

    assert (locked | installed) & TRAINING_STACK == set()


def test_lock__is_complete(checkout: Path, config: dict[str, Any]) -> None:
    """Whatever an installed package asks for is locked, or left out on purpose."""
    pins = read(checkout / "requirements-dev.txt")
    left_out = set(config["tool"]["uv"]["exclude-dependencies"])

    unmet = {
        f"{item.metadata['Name']} asks for {wanted}"
        for item in distributions()
        if canonicalize_name(item.metadata["Name"]) in pins
        for wanted in map(Requirement, item.requires or ())
        if canonicalize_name(wanted.name) not in left_out
        and (wanted.marker is None or wanted.marker.evaluate({"extra": ""}))
        and not is_met(wanted, pins)
    }

    assert unmet == set()


def test_celery__is_not_the_version_that_exits(config: dict[str, Any]) -> None:
    """Celery 5.7.0 can never come back by an upgrade (docs/adr/0015)."""
    (celery,) = (wanted for wanted in declared(config, ()) if wanted.name == "celery")

    assert "5.7.0" not in celery.specifier


@pytest.mark.parametrize(
    ("pins", "met"),
    [({}, False), ({"x": {"1.0"}}, False), ({"x": {"2.0", "1.0"}}, False), ({"x": {"2.1"}}, True)],
)
def test_is_met__needs_every_pin_to_fit(pins: dict[str, set[str]], *, met: bool) -> None:
    """A package that is locked once per Python version must fit on each of them."""
    assert is_met(Requirement("X>=2"), pins) is met


@pytest.mark.parametrize("line", ["x==1.0\n", "x>=1.0 \\\n    --hash=sha256:" + "0" * 64])
def test_read__refuses_a_line_without_pin_or_hash(line: str, tmp_path: Path) -> None:
    """A loosened lock is noticed, not skipped."""
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"# Complete lock.\n{line}", encoding="utf-8")

    with pytest.raises(AssertionError, match="not a pin with hashes"):
        read(lock)


def declared(config: dict[str, Any], extras: Iterable[str]) -> Iterator[Requirement]:
    """Yields what pyproject.toml asks for, the named extras included."""
    project = config["project"]
    yield from map(Requirement, project["dependencies"])
    for extra in extras:
        yield from map(Requirement, project["optional-dependencies"][extra])


def read(lock: Path) -> dict[str, set[str]]:
    """Returns the pinned versions of each package; more than one if they depend on Python."""
    pins: dict[str, set[str]] = {}
    for entry in re.split(r"\n(?=\S)", lock.read_text(encoding="utf-8")):
        pin = PIN.fullmatch(entry)
        if pin:
            pins.setdefault(pin["name"], set()).add(pin["version"])
        else:
            assert entry.startswith("#"), f"not a pin with hashes: {entry}"
    return pins


def is_met(wanted: Requirement, pins: dict[str, set[str]]) -> bool:
    """Returns whether every pinned version of the package is one that is wanted."""
    pinned = pins.get(canonicalize_name(wanted.name), set())
    return bool(pinned) and all(map(wanted.specifier.contains, pinned))
