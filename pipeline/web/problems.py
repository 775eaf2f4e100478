"""What went wrong, in the words of HTTP: a status for each of our errors, and their JSON."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from curation.errors import CurationError, RequestError, RunUnknown, TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Seconds after which whoever found Redis away may ask again.
RETRY_AFTER_S = 5
# Requests that are right in themselves, and not for this run or key.
_CONFLICTS = frozenset({"request:idempotency-key", "request:resume"})


class Problem(BaseModel):
    """An error as RFC 9457 writes it, with our code."""

    type: str = "about:blank"
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    code: str = Field(description="Stable, for programs, e.g. `source:unknown`.")
    detail: str = Field(description="What happened, which value it was, what to do.")


def status_of(error: CurationError) -> HTTPStatus:
    """Returns the HTTP status that tells who can mend the error."""
    if isinstance(error, RunUnknown):
        return HTTPStatus.NOT_FOUND
    if error.code in _CONFLICTS:
        return HTTPStatus.CONFLICT
    if isinstance(error, RequestError):
        return HTTPStatus.UNPROCESSABLE_ENTITY
    if isinstance(error, TransientError):
        return HTTPStatus.SERVICE_UNAVAILABLE
    return HTTPStatus.INTERNAL_SERVER_ERROR


def headers_of(status: HTTPStatus) -> dict[str, str]:
    """Returns the headers that belong to a status."""
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        return {"Retry-After": str(RETRY_AFTER_S)}
    return {}


def problem(
    status: HTTPStatus, code: str, detail: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Returns an error as `application/problem+json`."""
    content = Problem(title=status.phrase, status=status, code=code, detail=detail)
    return JSONResponse(
        content.model_dump(),
        status_code=status,
        headers={**headers_of(status), **(headers or {})},
        media_type="application/problem+json",
    )
