"""A real HTTP server to which messages are sent: keeps them, and can refuse the first ones."""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class Inbox:
    """What has come, as path and JSON."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.refusals = 0

    @property
    def webhook(self) -> str:
        """An Apprise URL of a plain webhook here, with a password in it."""
        return f"json://user:canary-password@127.0.0.1:{self.port}/webhook"

    @property
    def chat(self) -> str:
        """An Apprise URL of a chat here that takes Slack's shape, with its token."""
        return f"mmost://127.0.0.1:{self.port}/canarytoken0123456789abcd"


@contextlib.contextmanager
def inbox_server() -> Iterator[Inbox]:
    """Runs a server on 127.0.0.1."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        inbox = Inbox(server.server_address[1])
        server.inbox = inbox  # type: ignore[attr-defined]  # for the handler
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield inbox
        server.shutdown()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        inbox: Inbox = self.server.inbox  # type: ignore[attr-defined]  # set above
        body = self.rfile.read(int(self.headers["Content-Length"]))
        is_refused = inbox.refusals > 0
        if is_refused:
            inbox.refusals -= 1
        else:
            inbox.received.append((self.path, json.loads(body)))
        self.send_response(500 if is_refused else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""
