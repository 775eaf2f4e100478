from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from curation.names import run_name
from curation.states import Outcome
from tests.support.cli import end, new_run
from tests.support.terminal import CTRL_C, terminal

if TYPE_CHECKING:
    from curation.ledger.ledger import Ledger

ASK = ("run", "/clip.mp4", "--backend", "engine", "--idempotency-key", "k", "--wait")
QUESTION = "(d)etach, (c)ancel with clean-up, or (g)o on?"


@pytest.fixture
def run_id(ledger: Ledger) -> str:
    """A run that nobody works on, which `ASK` asks for."""
    return new_run(ledger, idempotency_key="k")


@pytest.mark.parametrize("answer", ["d\n", "\n", CTRL_C, "what\nd\n"])
def test_ctrl_c__detach_leaves_the_run_alone(
    answer: str, run_id: str, ledger: Ledger, valkey: str
) -> None:
    """Ctrl-C asks; `d`, Enter and a second Ctrl-C end the watching with 130, and no more."""
    with terminal(*ASK, variables={"REDIS_URL": valkey}) as screen:
        screen.read_until("pending")
        screen.type(CTRL_C)
        screen.read_until(QUESTION)
        screen.type(answer)
        exit_code = screen.end()

    assert exit_code == 130
    assert f"Run {run_name(run_id)} goes on." in screen.text
    assert f"curate cancel {run_name(run_id)}" in screen.text
    assert ledger.runs.get(run_id).outcome is None


def test_ctrl_c__go_on_watches_until_the_end(run_id: str, ledger: Ledger, valkey: str) -> None:
    """Whoever goes on sees the end, and gets the run's own exit code."""
    with terminal(*ASK, variables={"REDIS_URL": valkey}) as screen:
        screen.read_until("pending")
        screen.type(CTRL_C)
        screen.read_until(QUESTION)
        screen.type("g\n")
        screen.read_until("release_instance")
        end(ledger, run_id, Outcome.COMPLETED)
        exit_code = screen.end()

    assert exit_code == 0
    assert "completed" in screen.text
    assert f"curate report {run_name(run_id)}" in screen.text


def test_ctrl_c__cancel_waits_for_the_clean_up(run_id: str, ledger: Ledger, valkey: str) -> None:
    """`c` cancels at once, and stays until the instance is given back."""
    with terminal(*ASK, variables={"REDIS_URL": valkey}) as screen:
        screen.read_until("pending")
        screen.type(CTRL_C)
        screen.read_until(QUESTION)
        screen.type("c\n")
        screen.read_until("Canceled. It ends when its instance is given back")
        outcome = ledger.runs.get(run_id).outcome
        end(ledger, run_id, Outcome.CANCELED)
        exit_code = screen.end()

    assert outcome is Outcome.CANCELED
    assert exit_code == 1
    assert f"curate resume {run_name(run_id)}" in screen.text


def test_colours__no_color_turns_them_off(run_id: str, ledger: Ledger, valkey: str) -> None:
    """Colours are for terminals whose owner wants them."""
    end(ledger, run_id, Outcome.FAILED)
    shown = []

    for wish in ({}, {"NO_COLOR": "1"}):
        with terminal("status", run_id, variables={"REDIS_URL": valkey, **wish}) as screen:
            screen.end()
        # 31 is red, alone or after the 1 of bold.
        shown.append("31m" in screen.raw)

    assert shown == [True, False]


def test_live__ends_while_nobody_looks(run_id: str, ledger: Ledger, valkey: str) -> None:
    """A run that ends between two looks is shown as it ended, with its steps."""
    ending = threading.Timer(0.2, end, (ledger, run_id, Outcome.FAILED))
    with terminal(*ASK, variables={"REDIS_URL": valkey}) as screen:
        screen.read_until("pending")
        ending.start()
        exit_code = screen.end()

    assert exit_code == 1
    assert "Why: source:empty" in screen.text
    assert f"curate logs {run_name(run_id)}" in screen.text


def test_sigterm__gives_the_cursor_back(run_id: str, ledger: Ledger, valkey: str) -> None:
    """Whoever ends the watching by SIGTERM ends neither the run nor the use of the terminal."""
    with terminal(*ASK, variables={"REDIS_URL": valkey}) as screen:
        screen.read_until("release_instance")
        screen.send(signal.SIGTERM)
        exit_code = screen.end()

    hidden, shown = screen.raw.rfind("\x1b[?25l"), screen.raw.rfind("\x1b[?25h")
    assert exit_code == 128 + signal.SIGTERM
    assert -1 < hidden < shown
    assert ledger.runs.get(run_id).outcome is None


def test_live__on_a_dumb_terminal_is_lines(run_id: str, ledger: Ledger, valkey: str) -> None:
    """A terminal that cannot draw over what it has shown gets a line for each change."""
    with terminal(*ASK, variables={"REDIS_URL": valkey, "TERM": "dumb"}) as screen:
        screen.read_until(f"{run_name(run_id)}  run pending")
        end(ledger, run_id, Outcome.COMPLETED)
        exit_code = screen.end()

    assert exit_code == 0
    assert f"{run_name(run_id)}  run completed" in screen.text
