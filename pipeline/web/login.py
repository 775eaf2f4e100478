"""Who may come in: people with the password, programs with the token."""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING

from curation.errors import OperatorError

if TYPE_CHECKING:
    from pydantic import SecretStr

# What a client is told to come with. A browser asks for the password; a program knows its token.
CHALLENGE = 'Basic realm="curate", charset="UTF-8", Bearer realm="curate"'


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


def _same(given: bytes, secret: SecretStr) -> bool:
    # Takes as long for a nearly right guess as for a wrong one.
    return hmac.compare_digest(given, secret.get_secret_value().encode())
