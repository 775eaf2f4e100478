"""Who may come in: people with the password, programs with the token, reports with a ticket."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from typing import TYPE_CHECKING

from curation.errors import OperatorError

if TYPE_CHECKING:
    from pydantic import SecretStr

# What a client is told to come with. A browser asks for the password; a program knows its token.
CHALLENGE = 'Basic realm="curate", charset="UTF-8", Bearer realm="curate"'

TICKET_S = 86_400.0
# A ticket opens nothing when this process has ended.
_TICKET_KEY = secrets.token_bytes(32)


def check_login(login: SecretStr | None) -> SecretStr:
    """Returns the login of the pages.

    Raises:
        OperatorError: If it is not set, or not `user:password`.
    """
    user, _, password = login.get_secret_value().partition(":") if login else ("", "", "")
    if login and user and password:
        return login
    raise OperatorError(
        "The pages show every run, so they do not start without a password. "
        "Set WEB_BASIC_AUTH to user:password.",
        code="config:web-login",
    )


def has_login(authorization: str, login: SecretStr) -> bool:
    """Whether an Authorization header holds the user and the password."""
    kind, _, value = authorization.partition(" ")
    try:
        given = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return False
    return kind.lower() == "basic" and _same(given, login)


def has_token(given: str, token: SecretStr) -> bool:
    """Whether a token is the one that is set."""
    return _same(given.encode(), token)


def new_ticket(run_id: str, *, now: float) -> str:
    """Returns what opens the frames of one run for a day, as a part of their address.

    A report is shown in a sandbox, in which the browser gives away no password.

    Args:
        run_id: The run.
        now: The present, in seconds since the epoch.
    """
    ends = f"{int(now + TICKET_S):x}"
    return f"{ends}-{_signature(run_id, ends)}"


def has_ticket(run_id: str, given: str, *, now: float) -> bool:
    """Whether a ticket is one of ours for this run, and not over."""
    ends, _, signature = given.partition("-")
    is_ours = hmac.compare_digest(signature.encode(), _signature(run_id, ends).encode())
    return is_ours and now < int(ends, 16)


def _signature(run_id: str, ends: str) -> str:
    return hmac.digest(_TICKET_KEY, f"{run_id} {ends}".encode(), "sha256").hex()


def _same(given: bytes, secret: SecretStr) -> bool:
    # Takes as long for a nearly right guess as for a wrong one.
    return hmac.compare_digest(given, secret.get_secret_value().encode())
