"""The pages: runs, one run, its frames and report, instances, cost. They only read."""

from __future__ import annotations

import time
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Query
from fastapi.exceptions import RequestValidationError
from fastapi.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
)
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.requests import Request  # noqa: TC002  # FastAPI reads the annotation

from curation.budget import this_month
from curation.errors import CurationError
from curation.ledger.bill import billed_days
from pipeline import client, costs
from pipeline.web import gantt, metrics, results
from pipeline.web.instances import instances
from pipeline.web.login import has_ticket, new_ticket
from pipeline.web.problems import headers_of, status_of
from pipeline.web.reference import operations
from pipeline.web.search import MOST_SEARCHED, Search, find_runs
from pipeline.web.words import environment

_FOLDER = Path(__file__).parent
_FRAMES_PER_PAGE = 60
_DAYS = 31
_FRAMES_PREVIEWED = 6
_templates = environment()
# FastAPI answers HEAD only where it is told to.
_read = partial(APIRouter.api_route, methods=["GET", "HEAD"], include_in_schema=False)
router = APIRouter(default_response_class=HTMLResponse)


@_read(router, "/health")
def health() -> Response:
    """Says that this process answers; whether Redis does is another question."""
    return PlainTextResponse("ok\n")


@_read(router, "/")
@_read(router, "/runs")
def show_runs(search: Annotated[Search, Query()]) -> Response:
    """Lists runs."""
    runs, has_more = find_runs(search)
    kept = search.model_dump(exclude={"skip"}, exclude_defaults=True, mode="json")
    return _page(
        "runs",
        runs=runs,
        search=search,
        most_searched=MOST_SEARCHED,
        is_live=any(not run.state.is_end for run in runs),
        newer=_query(kept, max(search.skip - search.limit, 0)) if search.skip else None,
        older=_query(kept, search.skip + search.limit) if has_more else None,
    )


@_read(router, "/runs/{run_id}")
def show_run(run_id: str) -> Response:
    """Shows a run: its steps, its timeline, what came of it."""
    run, now = client.status(run_id), client.ledger().store.now()
    frames, problem = _frames(run_id)
    return _page(
        "run",
        run=run,
        bars=gantt.bars(run, now=now),
        ticks=gantt.ticks(run, now=now),
        frames=frames[:_FRAMES_PREVIEWED] if results.has_pictures(frames) else (),
        n_frames=len(frames),
        frames_problem=problem,
        report=results.report_kind(run),
        is_live=not run.state.is_end,
    )


@_read(router, "/runs/{run_id}/frames")
def show_frames(
    run_id: str,
    sort: Literal["order", "time"] = "order",
    skip: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Shows the selected frames of a run."""
    run = client.status(run_id)
    frames: list[results.Frame] = list(results.frames_of(run))
    if sort == "time":
        frames.sort(key=lambda frame: (frame.frame_number or 0, frame.order))
    end = skip + _FRAMES_PER_PAGE
    kept = {"sort": sort}
    return _page(
        "frames",
        run=run,
        frames=frames[skip:end],
        n_frames=len(frames),
        has_pictures=results.has_pictures(tuple(frames)),
        sort=sort,
        skip=skip,
        newer=_query(kept, max(skip - _FRAMES_PER_PAGE, 0)) if skip else None,
        older=_query(kept, end) if end < len(frames) else None,
    )


@_read(router, "/runs/{run_id}/frames/{name}")
def show_frame(run_id: str, name: str) -> Response:
    """Hands out one selected frame."""
    return results.picture(client.status(run_id), name)


@_read(router, "/runs/{run_id}/report")
def find_report(run_id: str) -> Response:
    """Leads to the run's report, beside which its frames lie."""
    run = client.status(run_id)
    ticket = new_ticket(run.run_id, now=time.time())
    return RedirectResponse(f"/runs/{run.run_id}/report/{ticket}/", HTTPStatus.SEE_OTHER)


@_read(router, "/runs/{run_id}/report/{ticket}/")
def show_report(run_id: str, ticket: str) -> Response:
    """Hands out the run's report."""
    if not has_ticket(run_id, ticket, now=time.time()):
        return find_report(run_id)
    return results.report(client.status(run_id))


@_read(router, "/runs/{run_id}/report/{ticket}/frames/{name}")
def show_frame_in_report(run_id: str, name: str) -> Response:
    """Hands out one selected frame to the run's report; the door has seen its ticket."""
    answer = results.picture(client.status(run_id), name)
    # To the browser a report in its sandbox is a stranger to this server.
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


@_read(router, "/instances")
def show_instances() -> Response:
    """Shows who holds which instance."""
    active = client.ledger().runs.active()
    held = instances(active)
    return _page("instances", instances=held, is_live=bool(active))


@_read(router, "/cost")
def show_cost() -> Response:
    """Shows what the newest runs have cost, and the newest days."""
    ledger, price = client.ledger(), client.settings().cost.price
    runs, billed = ledger.runs.newest(MOST_SEARCHED), billed_days(ledger.store)
    sources, unheld = costs.by_source(runs, price), costs.unheld(billed, price)
    return _page(
        "cost",
        total=costs.total([*sources, unheld]),
        unheld=unheld,
        budget=this_month(ledger.store, client.settings().cost),
        days=costs.by_day(runs, billed, price)[:_DAYS],
        sources=sources,
        runs=runs[:50],
        price=price,
        most_searched=MOST_SEARCHED,
    )


def create_pages(api: FastAPI) -> FastAPI:
    """Returns the app that answers people.

    Args:
        api: The app that answers programs, whose description has a page.
    """
    pages = FastAPI(openapi_url=None, redirect_slashes=False)
    pages.include_router(router)
    pages.include_router(metrics.router)
    pages.mount("/static", StaticFiles(directory=_FOLDER / "static"))

    @_read(pages.router, "/openapi.json")
    def describe_api() -> Response:
        return JSONResponse(api.openapi())

    @_read(pages.router, "/docs")
    def show_api(request: Request) -> Response:
        return _page(
            "docs",
            api=api.openapi()["info"],
            address=str(request.base_url),
            operations=operations(api),
            is_on=client.settings().web.api_token is not None,
        )

    pages.add_exception_handler(CurationError, _our_error)
    pages.add_exception_handler(RequestValidationError, _invalid)
    pages.add_exception_handler(HTTPException, _http_error)
    return pages


def _frames(run_id: str) -> tuple[tuple[results.Frame, ...], str]:
    """Returns the frames of a run, or why they cannot be shown; its page is there all the same."""
    try:
        return results.frames_of(client.status(run_id)), ""
    except CurationError as error:
        return (), error.message


def _page(name: str, *, is_live: bool = False, **facts: Any) -> HTMLResponse:  # noqa: ANN401  # each template knows its own
    known = {
        "page": name,
        "is_live": is_live,
        "now": client.ledger().store.now(),
        "flower_url": client.settings().flower.url,
    }
    return HTMLResponse(_templates.get_template(f"{name}.html.jinja").render(known | facts))


def _query(kept: dict[str, Any], skip: int) -> str:
    return "?" + urlencode(kept | ({"skip": skip} if skip else {}))


def _our_error(_: Request, error: Exception) -> HTMLResponse:
    assert isinstance(error, CurationError)
    return _error_page(status_of(error), error.message, error.code)


def _invalid(_: Request, error: Exception) -> HTMLResponse:
    assert isinstance(error, RequestValidationError)
    fields = ", ".join(str(item["loc"][-1]) for item in error.errors())
    message = f"The address asks for something that is not there ({fields}). Begin anew."
    return _error_page(HTTPStatus.UNPROCESSABLE_ENTITY, message, "request:invalid")


def _http_error(_: Request, error: Exception) -> HTMLResponse:
    assert isinstance(error, HTTPException)
    message = "There is no such page. The runs are on the first one."
    return _error_page(HTTPStatus(error.status_code), message, f"http:{error.status_code}")


def _error_page(status: HTTPStatus, message: str, code: str) -> HTMLResponse:
    # Without the ledger: it may be what is away.
    facts = {"page": "error", "is_live": False, "flower_url": None}
    text = _templates.get_template("error.html.jinja").render(
        facts, status=status, message=message, code=code
    )
    return HTMLResponse(text, status_code=status, headers=headers_of(status))
