from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from curation.doctor.check import ok
from curation.doctor.notify import notify_checks
from curation.errors import OperatorError
from curation.settings import Settings
from curation.wiring import Wiring
from tests.support.inbox import inbox_server

if TYPE_CHECKING:
    from tests.support.cli import Curate


def test_doctor_notify__sends_a_test_message_to_every_target(
    curate: Curate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sets URLs sees at once which of them work; a URL itself is not shown."""
    with inbox_server() as inbox:
        inbox.refusals = 1
        monkeypatch.setenv("NOTIFY_URLS", f"{inbox.webhook} {inbox.chat}")

        result = curate("doctor", "--notify", "--json")

    states = {item["name"]: item["state"] for item in json.loads(result.stdout)["items"]}
    assert states == {"test message 1 (JSON)": "fail", "test message 2 (Mattermost)": "ok"}
    assert result.exit_code == 1
    assert [path for path, _ in inbox.received] == ["/hooks/canarytoken0123456789abcd"]
    assert "canary" not in result.output


def test_doctor_notify__without_urls_says_so(
    curate: Curate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test message that nobody gets is a failed check."""
    monkeypatch.delenv("NOTIFY_URLS", raising=False)

    result = curate("doctor", "--notify")

    assert result.exit_code == 1
    assert "NOTIFY_URLS is not set" in result.stdout


@pytest.mark.parametrize(
    ("urls", "expected"),
    [
        ("", None),
        ("json://127.0.0.1/a,json://127.0.0.1/b", "go to 1 (JSON), 2 (JSON)."),
        ("mailto://u:p@example.com?to=a@example.com,b@example.com", "go to 1 (E-Mail)."),
    ],
)
def test_check__names_the_targets(
    urls: str, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """URLs are parted by commas before a new one, so that one may have commas in it."""
    monkeypatch.setenv("NOTIFY_URLS", urls)

    (check,) = notify_checks(Wiring(Settings(), send_engine_task=lambda _: None))
    answer = check.look()

    about = "Messages about budget, deadline, failed, reaped"
    assert answer == (ok(f"{about} {expected}") if expected else None)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("NOTIFY_URLS", "json://127.0.0.1/ nonsense://canary", "URL number 2 is none"),
        ("NOTIFY_ON", "failed,failing", "failing is none of completed, failed"),
    ],
)
def test_check__wrong_setting_is_said_without_a_secret(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be used is named, a URL by its place alone."""
    monkeypatch.setenv("NOTIFY_URLS", "json://127.0.0.1/")
    monkeypatch.setenv(name, value)
    (check,) = notify_checks(Wiring(Settings(), send_engine_task=lambda _: None))

    with pytest.raises(OperatorError, match=said) as error:
        check.look()

    assert "canary" not in str(error.value)
