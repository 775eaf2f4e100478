from __future__ import annotations

import threading

import pytest

from curation.doctor.check import Answer, Check, Finding, Health, NotChecked, Once, ok
from curation.doctor.examine import examine
from curation.errors import OperatorError, RequestError, TransientError
from curation.ledger.store import LedgerUnavailable

HINT = "Check the network."


def fine() -> Answer:
    """Finds nothing."""
    return ok("Fine.")


def findings(*checks: Check, limit_s: float = 10.0) -> list[Finding]:
    """Returns what is found."""
    return examine(checks, limit_s=limit_s, tell=lambda _: None)


def raising(error: Exception, *, worst: Health = Health.FAIL) -> Check:
    """Returns a check whose look fails."""

    def look() -> Answer:
        raise error

    return Check("bucket", look, HINT, worst=worst)


def test_examine__keeps_the_order_and_leaves_out_what_is_not_needed() -> None:
    """Findings come in the order of the checks, whichever came first; None is no finding."""
    is_second_done = threading.Event()
    told: list[str] = []

    def slow() -> Answer:
        is_second_done.wait(10)
        return fine()

    def fast() -> Answer:
        is_second_done.set()
        return fine()

    checks = [Check("a", slow, HINT), Check("b", fast, HINT), Check("c", lambda: None, HINT)]
    found = examine(checks, limit_s=10.0, tell=lambda it: told.append(it.name))

    assert [it.name for it in found] == ["a", "b"]
    assert sorted(told) == ["a", "b"]


def test_examine__does_not_wait_for_what_hangs() -> None:
    """A check that does not answer in time is a finding with its hint; the others are theirs."""
    never = threading.Event()

    def hang() -> Answer:
        never.wait()
        return fine()

    hanging = Check("redis", hang, HINT)
    first, second, third = findings(
        hanging, Check("s3", fine, HINT), Check("leases", hang, HINT, needs="redis"), limit_s=2.0
    )
    never.set()

    assert first == Finding(
        name="redis", state=Health.FAIL, found="No answer within 2 s.", mend=HINT
    )
    assert second.state is Health.OK
    assert (third.state, third.mend) == (Health.WARN, "Mend 'redis' first.")


@pytest.mark.parametrize(
    ("error", "state", "found", "mend"),
    [
        (
            OperatorError("EC2 said no (i-1). Grant ec2:StartInstances. Or do not."),
            Health.FAIL,
            "EC2 said no (i-1).",
            "Grant ec2:StartInstances. Or do not.",
        ),
        (RequestError("No such run."), Health.FAIL, "No such run.", HINT),
        (
            TransientError("EC2 got no answer (Timeout); it is tried again."),
            Health.FAIL,
            "EC2 got no answer (Timeout).",
            f"Look again, and if it stays so: {HINT}",
        ),
        (
            OperatorError("S3_INPUT_BUCKET: 'x' is not usable: y (z).", code="config:invalid"),
            Health.WARN,
            "Not checked.",
            "Mend 'setting S3_INPUT_BUCKET' first.",
        ),
        (LedgerUnavailable("away"), Health.WARN, "Not checked.", "Mend 'redis' first."),
        (NotChecked("ec2 instance"), Health.WARN, "Not checked.", "Mend 'ec2 instance' first."),
        (
            KeyError("canary"),
            Health.FAIL,
            "The check itself failed with KeyError.",
            "Please report it.",
        ),
    ],
)
def test_examine__reads_each_error(error: Exception, state: Health, found: str, mend: str) -> None:
    """What a look raises is a finding: what happened, then what to do; no unknown text."""
    assert findings(raising(error)) == [Finding(name="bucket", state=state, found=found, mend=mend)]


def test_examine__a_check_may_be_no_reason_to_fail() -> None:
    """A check that runs can do without is a warning at worst."""
    (finding,) = findings(raising(OperatorError("No."), worst=Health.WARN))

    assert finding.state is Health.WARN


def test_once__asks_once_for_all_threads() -> None:
    """Whoever comes second gets the first one's answer, or its error."""
    asked: list[str] = []

    def ask() -> Answer:
        asked.append("again")
        raise OperatorError("No.")

    once = Once(ask)
    found = findings(*(Check(name, once, HINT) for name in "abcd"))

    assert asked == ["again"]
    assert [it.found for it in found] == ["No."] * 4
