"""The HTTP API: ask for runs, look at them, cancel and resume them."""

from __future__ import annotations

from http import HTTPStatus
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

from fastapi import APIRouter, Body, Depends, FastAPI, Header, Query, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from curation.errors import CurationError, RequestError
from curation.models import Run, RunRequest
from curation.source_uri import SourceKind, kind_of
from pipeline import client
from pipeline.web.login import has_token
from pipeline.web.problems import Problem, problem, status_of
from pipeline.web.search import Search, find_runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

_ABOUT = (
    "Asks for runs and looks at them, as `curate` does. Every request bears the token of "
    "`API_TOKEN`. Errors are `application/problem+json`."
)
_bearer = HTTPBearer(auto_error=False, description="The value of `API_TOKEN`.")
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": text}
    for status, text in {
        401: "No token, or another one.",
        403: "This installation has no API (`API_TOKEN` is not set).",
        404: "There is no such run.",
        409: "The idempotency key has another request, or the run cannot be resumed.",
        422: "The request is not usable; the sentence says which field and why.",
        503: "Redis does not answer. Ask again later, with the same idempotency key.",
    }.items()
}
_KEY = "Idempotency-Key"
_Key = Annotated[
    str | None,
    Header(alias=_KEY, max_length=200, description="The same key gives the same run."),
]
_Asked = Annotated[
    RunRequest | None,
    Body(
        description="What to do; what is left out comes from the settings.",
        examples=[{"source": "https://example.com/clip.mp4", "proportion_samples": 0.1}],
    ),
]


def check_token(
    given: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
) -> None:
    """Lets in whoever has the token."""
    token = client.settings().web.api_token
    if token is None or not token.get_secret_value():
        raise HTTPException(HTTPStatus.FORBIDDEN, "The HTTP API is off. Set API_TOKEN to have it.")
    if given is None or not has_token(given.credentials, token):
        raise HTTPException(
            HTTPStatus.UNAUTHORIZED,
            "The HTTP API wants the header `Authorization: Bearer TOKEN`, with the value of "
            "API_TOKEN.",
            headers={"WWW-Authenticate": 'Bearer realm="curate"'},
        )


router = APIRouter(
    prefix="/runs", tags=["runs"], dependencies=[Depends(check_token)], responses=_PROBLEMS
)


@router.post("", status_code=HTTPStatus.ACCEPTED, response_model=Run)
def ask_for_run(asked: _Asked = None, key: _Key = None) -> Response:
    """Asks for a run and answers its status object, before any work is done."""
    request = _with_key(asked or RunRequest(), key)
    _refuse_local(request)
    return _accepted(client.enqueue(request))


@router.get("")
def list_runs(search: Annotated[Search, Query()]) -> dict[str, Any]:
    """Lists runs, the newest first, as `curate list --json` does; searches the newest 1,000."""
    runs, _ = find_runs(search)
    return {"schema": 1, "items": [run.model_dump(mode="json", by_alias=True) for run in runs]}


@router.get("/{run_id}", response_model=Run)
def show_run(run_id: str) -> Response:
    """Answers the status object, as `curate status --json` does. A run's name will do."""
    return _status(client.status(run_id))


@router.post("/{run_id}/cancel", response_model=Run)
def cancel_run(run_id: str) -> Response:
    """Cancels a run: its steps stop, its instance is given back. Twice does no harm."""
    return _status(client.cancel(run_id))


@router.post("/{run_id}/resume", status_code=HTTPStatus.ACCEPTED, response_model=Run)
def resume_run(run_id: str) -> Response:
    """Makes a new run of one that failed or was canceled; what was done is not done again."""
    return _accepted(client.resume(run_id))


def create_api() -> FastAPI:
    """Returns the app that answers programs."""
    api = FastAPI(
        title="Video curation",
        version=version("video-curation"),
        description=_ABOUT,
        docs_url=None,
        redoc_url=None,
        # A stranger gets a 401, and not the answer that this path is there and that one is not.
        redirect_slashes=False,
    )
    api.include_router(router)
    api.add_exception_handler(CurationError, _our_error)
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _http_error)
    return api


def _with_key(asked: RunRequest, key: str | None) -> RunRequest:
    if key is None:
        return asked
    if asked.idempotency_key not in {None, key}:
        _unusable(f"{_KEY} and idempotency_key differ. Give one of them.", "request:two-keys")
    if not key.strip():
        _unusable(f"{_KEY} is empty. Give it a value, or leave it out.", "request:invalid")
    return asked.model_copy(update={"idempotency_key": key})


def _refuse_local(asked: RunRequest) -> None:
    """Refuses a path of the ingest worker: the token is no leave to read that machine's files."""
    if asked.source is None or client.settings().web.api_local_sources:
        return
    if kind_of(asked.source) is SourceKind.FOLDER:
        _unusable(
            f"The source {asked.source!r} is a path on the ingest worker's machine. Over HTTP "
            "these are taken only with API_LOCAL_SOURCES=true; give a link, s3:// or pexels:.",
            "request:local-source",
        )


def _unusable(message: str, code: str) -> NoReturn:
    raise RequestError(message, code=code)


def _accepted(run_id: str) -> Response:
    answer = _status(client.status(run_id), HTTPStatus.ACCEPTED)
    answer.headers["Location"] = f"/runs/{run_id}"
    return answer


def _status(run: Run, status: HTTPStatus = HTTPStatus.OK) -> Response:
    # The very bytes that `curate status --json` prints.
    return Response(run.to_json(), status_code=status, media_type="application/json")


def _our_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CurationError)
    return problem(status_of(error), error.code, error.message)


def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = [_fault(item) for item in error.errors()]
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "request:invalid", "; ".join(faults))


def _fault(item: Mapping[str, Any]) -> str:
    # The first part says where it was: body, query, header.
    place, *names = item["loc"]
    if item["type"] == "json_invalid":
        return f"The body is no JSON ({item['ctx']['error']}, at character {names[0]})"
    if not names:
        return f"The {place} must be a JSON object, sent with `Content-Type: application/json`"
    return f"{'.'.join(map(str, names))}: {item['msg']}"


def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    return problem(status, f"http:{status.value}", error.detail, error.headers)
