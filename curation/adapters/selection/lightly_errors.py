"""Translates all that the Lightly client raises; and keeps its token out of every text."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from lightly.api.retry_utils import MaxRetryError
from lightly.openapi_generated.swagger_client.exceptions import ApiException
from urllib3.exceptions import HTTPError, ReadTimeoutError

from curation.adapters.retry_after import retry_after_s
from curation.adapters.selection.lightly_api import DENIED, NOT_FOUND, unreadable
from curation.errors import OperatorError, TransientError

if TYPE_CHECKING:
    from curation.errors import CurationError

# Whatever the client may raise. The last four: its models refuse an answer, or stumble over it.
RAISED = (
    *(ApiException, MaxRetryError, HTTPError, OSError),
    *(ValueError, TypeError, LookupError, AttributeError),
)
_NO_ANSWER = (MaxRetryError, HTTPError, OSError)
_FORBIDDEN = (401, 403)
_NOT_FOUND = 404
# Statuses below 500 that may be others next time; 409 is a dataset that somebody else has made.
_PASSING = (408, 409, 425, 429)
_SERVER_ERROR = 500
_LONGEST_QUOTE = 300
# Pause after a request that was not answered in time.
_SLOW_PAUSE_S = 30.0
# The client puts its token into every address, and a signed link is a secret too.
_QUERY_VALUE = re.compile(r"([?&][\w.%-]+=)[^&\s\"'#)]+")
# Where those would be printed: retries, requests, redirects, and bodies of answers.
_LOGGERS = (
    *("urllib3.connectionpool", "urllib3.connection", "urllib3.poolmanager"),
    *("urllib3.response", "urllib3.util.retry"),
    *("lightly.openapi_generated.swagger_client.rest", "lightly-worker"),
)


@dataclass(frozen=True)
class Redaction:
    """Takes a token, and the values in links, out of texts and log records."""

    token: str = field(repr=False)

    def clean(self, text: str) -> str:
        """Returns the text without the token and without values in links."""
        for form in (self.token, quote(self.token), quote(self.token, safe="")):
            text = text.replace(form, "***")
        return _QUERY_VALUE.sub(r"\1***", text)

    def filter(self, record: logging.LogRecord) -> bool:
        """Cleans a record; every record passes."""
        record.msg, record.args = self.clean(record.getMessage()), ()
        return True

    def guard(self) -> None:
        """Cleans, from now on, what the client and the libraries beneath it log."""
        for name in _LOGGERS:
            # A filter of a logger does not see the records of the loggers below it. The same one
            # again is not added.
            logging.getLogger(name).addFilter(self)


def translated(error: Exception, what: str, redaction: Redaction) -> CurationError:
    """Returns our error for one of RAISED.

    It must not be raised `from` that one, nor within its handler: the text of an error that holds
    an address holds the token.

    Args:
        error: What the client raised.
        what: What it was asked to do, as an infinitive, for the message.
        redaction: Cleans what Lightly said.
    """
    kind = type(error).__name__
    if isinstance(error, ApiException):
        return _refusal(error, what, redaction)
    if isinstance(error, _NO_ANSWER):
        return TransientError(
            f"Lightly did not answer when asked to {what} ({kind}). Is LIGHTLY_SERVER_LOCATION "
            "right, and can it be reached from here?",
            code="lightly:unreachable",
            # It may still be at it; whoever looks too early for the effect does not find it.
            retry_after_s=_SLOW_PAUSE_S if isinstance(error, ReadTimeoutError) else None,
        )
    return unreadable(what)


def _refusal(error: ApiException, what: str, redaction: Redaction) -> CurationError:
    status = error.status or 0
    says = f"Lightly answered {status} when asked to {what}{_words(error, redaction)}."
    if status in _FORBIDDEN:
        return OperatorError(
            f"{says} Check that LIGHTLY_TOKEN is right and was not revoked, and that its user may "
            "do that.",
            code=DENIED,
        )
    if status in _PASSING or status >= _SERVER_ERROR:
        wait_s = retry_after_s((error.headers or {}).get("Retry-After", ""))
        return TransientError(says, code=f"lightly:{status}", retry_after_s=wait_s)
    if not status:  # how the client puts an error of TLS
        return OperatorError(
            f"No secure connection to Lightly could be made in order to {what}. Check "
            "LIGHTLY_SERVER_LOCATION, LIGHTLY_CA_CERTS and the clock of this machine.",
            code="lightly:tls",
        )
    return OperatorError(says, code=NOT_FOUND if status == _NOT_FOUND else "lightly:refused")


def _words(error: ApiException, redaction: Redaction) -> str:
    """Returns what the answer says besides its status, as far as it is fit to be read."""
    try:
        text = json.loads(error.body)["error"]
    except (ValueError, TypeError, LookupError):
        return ""
    return f": {redaction.clean(str(text))[:_LONGEST_QUOTE].rstrip('.')}"
