from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from workers.owners import is_dead, new_owner

NAME = "from workers.owners import new_owner; print(new_owner(), flush=True); input()"


def test_is_dead__follows_the_process() -> None:
    """A delivery lives as long as its process, frozen or not, and is dead when that is gone."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", NAME], stdin=pipe, stdout=pipe, text=True) as one:
        assert one.stdout
        owner = one.stdout.readline().strip()
        alive = is_dead(owner)
        os.kill(one.pid, signal.SIGSTOP)
        frozen = is_dead(owner)
        one.kill()
        one.wait()

    assert (alive, frozen, is_dead(owner)) == (False, False, True)


def test_is_dead__its_own() -> None:
    """Whoever asks lives."""
    assert not is_dead(new_owner())


@pytest.mark.parametrize("pid", ["999999999", "x", ""])
def test_is_dead__of_another_machine(pid: str) -> None:
    """Nothing is known of the processes of another boot, machine or container."""
    assert not is_dead(f"another:{pid}:0")
    assert not is_dead(f":{pid}:0")
    assert not is_dead("a")
