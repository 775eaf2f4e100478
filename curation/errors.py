"""Errors split by who can mend them; that alone decides retry, log level and message."""

from __future__ import annotations


class CurationError(Exception):
    """Base of all errors that a run can end with.

    The message is the one positional argument, so that the error survives a result backend.
    It says what happened, which value it was, and what to do; never a secret or a signed URL.

    Attributes:
        code: Stable, machine-readable reason, for example `source:http:404`.
    """

    code: str = "internal"

    def __init__(self, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code


class OperatorError(CurationError):
    """Somebody must change a setting, a permission or a quota. Never retried."""

    code = "config"


class RequestError(CurationError):
    """The input of this one run is wrong. Never retried."""

    code = "request"


class RunUnknown(RequestError):  # noqa: N818  # what is the case: there is no such run
    """The ledger does not know the run: it never did, was wiped, or its retention is over."""

    code = "run:unknown"


class TransientError(CurationError):
    """The same call may succeed later. Retried until the run's deadline.

    Attributes:
        retry_after_s: Seconds the other side asked us to wait, or None.
    """

    code = "transient"

    def __init__(
        self, message: str, code: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, code)
        self.retry_after_s = retry_after_s


class SelectionFailed(CurationError):  # noqa: N818  # the glossary's word for this end of a run
    """The selection run ended badly. Never retried: it would be a second selection run."""

    code = "selection:failed"


class RunEnded(CurationError):  # noqa: N818  # not a fault: the run has an outcome, so work stops
    """The run got its outcome while a step was at work; the step must stop and clean up."""

    code = "run:ended"


class LeaseLost(CurationError):  # noqa: N818  # standard word for the event
    """The run no longer holds the instance, so its work must not go on."""

    code = "lease:lost"
