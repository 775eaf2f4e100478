"""The command `curate serve`: the pages and the HTTP API."""

import logging
from ipaddress import ip_address
from typing import Annotated

import typer

from curation.settings import Settings
from pipeline import client
from pipeline.cli import output

log = logging.getLogger(__name__)

_Host = Annotated[
    str, typer.Option(help="Address to listen on. Beyond this machine: behind a proxy with TLS.")
]
_Port = Annotated[
    int | None,
    typer.Option(min=1, max=65535, help="Port to listen on. Without it: WEB_PORT (8080)."),
]


def serve(*, host: _Host = "127.0.0.1", port: _Port = None) -> None:
    """Serves the pages, and the HTTP API if API_TOKEN is set, until Ctrl-C.

    Example: curate serve --port 8080
    """
    # Whoever only asks for a run waits for no web framework.
    import uvicorn

    from pipeline.web import lines
    from pipeline.web.app import create_app
    from pipeline.web.login import check_login

    settings = client.settings()
    app = create_app(check_login(settings.web.web_basic_auth), loopback_only=_is_loopback(host))
    port = port or settings.web.web_port
    lines.set_up(settings.log.format)
    _tell(f"http://{host}:{port}/", settings)
    uvicorn.run(
        app,
        host=host,
        port=port,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        # What a proxy says about a client is not needed, and may be anybody's.
        proxy_headers=False,
        timeout_graceful_shutdown=5,
    )


def _tell(address: str, settings: Settings) -> None:
    say = log.info if settings.log.format == "json" else output.note
    say(f"The pages are at {address}, with the password of WEB_BASIC_AUTH.")
    if settings.web.api_token is None:
        say("The HTTP API is off. Set API_TOKEN to have it.")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
