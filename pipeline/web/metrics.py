"""The metrics for a scraper, at the address where scrapers look; behind the same password."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response

from curation.metrics.collector import exposition
from pipeline import client

if TYPE_CHECKING:
    from starlette.requests import Request

router = APIRouter(include_in_schema=False)


# Not a coroutine: the framework runs it beside the others, because it waits for Redis.
def show_metrics(request: Request) -> Response:
    """Answers a scrape; without Redis too, because that is what the alert is about."""
    settings = client.settings()
    text, content_type = exposition(
        client.ledger().store,
        settings.ec2.ec2_instance_id,
        settings.cost,
        accept=request.headers.get("accept", ""),
    )
    return Response(text, headers={"Content-Type": content_type})


router.add_route("/metrics", show_metrics)
