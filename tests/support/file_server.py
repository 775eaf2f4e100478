"""A real HTTP server of files that can do all the bad things that hosts do."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

_CHUNK_BYTES = 64 * 1024


@dataclass
class ServedFile:
    """One file and how it is served.

    Attributes:
        content: Its bytes.
        status: HTTP status, if it is not served.
        headers: Further headers; they win over those that the server would send.
        etag: ETag, or None for none.
        has_ranges: Whether ranges are served.
        has_length: Whether the length is told; without it the end of the connection is the end.
        declared_bytes: Length that is told although it is wrong.
        cuts: So many bytes come before the connection is cut: first answer, second answer, ….
        stalls_after: So many bytes come, then nothing.
        is_endless: Whether the content comes again and again.
    """

    content: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    etag: str | None = '"one"'
    has_ranges: bool = True
    has_length: bool = True
    declared_bytes: int | None = None
    cuts: list[int] = field(default_factory=list)
    stalls_after: int | None = None
    is_endless: bool = False


class FileServer:
    """Serves `files` by path and remembers what was asked for."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.files: dict[str, ServedFile] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.closing = threading.Event()

    @property
    def host(self) -> str:
        """Name and port, as in ALLOWED_VIDEO_HOSTS."""
        return f"127.0.0.1:{self.port}"

    def put(self, path: str, file: ServedFile) -> str:
        """Serves a file and returns its link."""
        self.files[path] = file
        return f"http://{self.host}{path}"

    def ranges(self) -> list[str | None]:
        """Returns the Range header of each request so far."""
        return [headers.get("range") for _, headers in self.requests]


class _Server(ThreadingHTTPServer):
    """A server that bears clients which are killed, or cut off, in the middle."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing of a connection that the other side has given up."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # passed on


@contextlib.contextmanager
def file_server(tls: ssl.SSLContext | None = None) -> Iterator[FileServer]:
    """Runs a server on 127.0.0.1."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        server.daemon_threads = True
        files = FileServer(server.server_address[1])
        server.files = files  # type: ignore[attr-defined]  # for the handler
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield files
        finally:
            files.closing.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        files: FileServer = self.server.files  # type: ignore[attr-defined]  # see file_server
        path = self.path.partition("?")[0]
        files.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}))
        file = files.files.get(path, ServedFile(b"<html>not here</html>", status=404))
        self.close_connection = True
        # The client hangs up in the middle when it has seen enough.
        with contextlib.suppress(OSError):
            start = self._send_head(file)
            self._send_body(file, file.content[start:], files.closing)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base's name
        """Says nothing."""

    def _send_head(self, file: ServedFile) -> int:
        total = len(file.content)
        start, end, status = self._range(file, total)
        headers = {"Content-Type": "video/mp4", "Connection": "close"}
        if file.etag:
            headers["ETag"] = file.etag
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{total}"
        if file.has_length:
            headers["Content-Length"] = str(file.declared_bytes or end - start)
        self.send_response(status)
        for name, value in (headers | file.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.n_bytes = end - start
        return start

    def _range(self, file: ServedFile, total: int) -> tuple[int, int, int]:
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        same = self.headers.get("If-Range") in (None, file.etag)
        if file.status != 200 or not (asked and same and file.has_ranges and total):
            return 0, total, file.status
        if int(asked[1]) >= total:
            return 0, 0, 416
        end = int(asked[2]) + 1 if asked[2] else total
        return int(asked[1]), min(end, total), 206

    def _send_body(self, file: ServedFile, rest: bytes, closing: threading.Event) -> None:
        body = rest[: self.n_bytes]
        if file.cuts and len(body) > file.cuts[0]:
            body = body[: file.cuts.pop(0)]
        if file.stalls_after is not None:
            body = body[: file.stalls_after]
        while True:
            for begin in range(0, len(body), _CHUNK_BYTES):
                self.wfile.write(body[begin : begin + _CHUNK_BYTES])
            if not file.is_endless:
                break
        if file.stalls_after is not None:
            closing.wait()
