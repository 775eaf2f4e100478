"""The wire: Lightly's JSON with the token in the address, and the sandbox's own addresses."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tornado.iostream import StreamClosedError
from tornado.log import app_log
from tornado.web import Application, RequestHandler

from sandbox.cloud.store import Call
from sandbox.lightly.datasets import Text
from sandbox.lightly.request import OPEN, SIGNED, LightlyError, Request, route
from sandbox.steering import LOOPBACK_HOSTS, FaultScript, Steering

if TYPE_CHECKING:
    from sandbox.cloud.faults import Fault
    from sandbox.lightly.platform import Platform

_HANG_S = 3600.0
_SILENT_KINDS = ("cut-before", "hang")
_CUT_KINDS = ("cut-before", "cut-after", "hang")
_CREATED = 201


def application(platform: Platform) -> Application:
    """Returns the web application of a platform; it answers only to loopback host names."""
    app = Application(log_function=lambda _handler: None)
    handlers: list[tuple[str, type[RequestHandler], dict[str, object]]] = [
        (r"/sandbox/faults", FaultScript, {"faults": platform.faults}),
        (r"/sandbox/([a-z]+)", _Hand, {"platform": platform}),
        (r"/.*", _Api, {"platform": platform}),
    ]
    app.add_handlers(LOOPBACK_HOSTS, handlers)
    return app


class _Api(RequestHandler):
    """Every call of the client and of the Lightly Worker."""

    def initialize(self, platform: Platform) -> None:
        self._platform = platform

    async def get(self) -> None:
        await self._handle()

    async def post(self) -> None:
        await self._handle()

    async def put(self) -> None:
        await self._handle()

    def log_exception(self, *error: Any) -> None:  # noqa: ANN401  # as the base has it
        """Leaves out the address, which has the token in it, and clients that have gone."""
        if not isinstance(error[1], StreamClosedError):
            app_log.error("%s %s failed", self.request.method, self.request.path, exc_info=error)

    async def _handle(self) -> None:
        arrived_at = time.time()
        request = self._parse()
        if request is None:
            self.set_status(404)
            return
        fault = self._platform.faults.take(request.operation)
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        if fault.kind not in _SILENT_KINDS:
            body = self._answer(request, fault)
        self._note(request, fault, arrived_at)
        if fault.kind == "hang":
            await asyncio.sleep(_HANG_S)
        if fault.kind in _CUT_KINDS:
            self.detach().close()
        elif fault.kind == "truncated":
            await self._send_half(body)
        else:
            await self.finish(body)

    def _parse(self) -> Request | None:
        routed = route(self.request.method or "", self.request.path)
        if routed is None:
            return None
        operation, path = routed
        body: Any = self.request.body
        if operation not in SIGNED:
            body = json.loads(body or b"{}")
        query = {
            name: [value.decode() for value in values]
            for name, values in self.request.query_arguments.items()
            if name != "token"
        }
        return Request(operation, path, query, body)

    def _answer(self, request: Request, fault: Fault) -> bytes:
        """Carries the request out, unless a fault keeps it from that, and returns the body."""
        if fault.kind == "garbage":
            return b"<html>no answer at all</html>"
        try:
            self._refuse_unknown_or_scripted(request, fault)
            answer = self._platform.act(request)
        except LightlyError as error:
            self.set_status(error.status)
            return json.dumps({"code": error.code, "error": error.message}).encode()
        self.set_status(_CREATED if self.request.method == "POST" else 200)
        if isinstance(answer, bytes):
            self.set_header("Content-Type", "application/octet-stream")
            return answer
        if isinstance(answer, Text):
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            return answer.encode()
        self.set_header("Content-Type", "application/json; charset=utf-8")
        return json.dumps(_spoiled(answer, fault)).encode()

    def _refuse_unknown_or_scripted(self, request: Request, fault: Fault) -> None:
        if fault.kind == "error":
            if fault.seconds:
                self.set_header("Retry-After", f"{fault.seconds:.0f}")
            raise LightlyError(int(fault.code), "SCRIPTED", fault.message)
        token = self.get_query_argument("token", "")
        if request.operation not in OPEN + SIGNED and token != self._platform.token:
            raise LightlyError(401, "UNAUTHORIZED", "The token is not valid.")

    def _note(self, request: Request, fault: Fault, arrived_at: float) -> None:
        told_truth = fault.kind in ("pass", "delay", "error")
        status = self.get_status()
        self._platform.log(
            Call(
                time=arrived_at,
                service="lightly",
                operation=request.operation,
                parameters=request.parameters,
                code=str(status) if told_truth else fault.kind,
                acted=fault.kind not in (*_SILENT_KINDS, "garbage", "error") and status < 400,  # noqa: PLR2004  # HTTP's errors begin there
            )
        )

    async def _send_half(self, body: bytes) -> None:
        stream = self.detach()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        await stream.write(head.encode() + b"\r\n\r\n" + body[: len(body) // 2])
        stream.close()


class _Hand(Steering):
    """Shows the truth, changes the plan, and takes what the Lightly Worker has selected."""

    def initialize(self, platform: Platform) -> None:
        self._platform = platform

    def get(self, name: str) -> None:
        views: dict[str, object] = {
            "health": "ok",
            "calls": self._platform.calls[int(self.get_query_argument("from", "0")) :],
            "plan": asdict(self._platform.plan),
        }
        if name in views:
            self.finish({name: views[name]})
        else:
            self.refuse(404, f"{name} is unknown")

    def post(self, name: str) -> None:
        acts = {"plan": self._platform.change_plan, "results": self._platform.add_result}
        try:
            acts[name](json.loads(self.request.body))
        except KeyError:
            self.refuse(404, f"{name} is unknown")
        except (TypeError, ValueError) as error:
            self.refuse(400, str(error))
        except LightlyError as error:
            self.refuse(error.status, error.message)


def _spoiled(answer: Any, fault: Fault) -> Any:  # noqa: ANN401  # JSON in, JSON out
    """Returns the answer as a newer service might give it, if the fault says so."""
    if isinstance(answer, list):
        return [_spoiled(item, fault) for item in answer]
    if not isinstance(answer, dict):
        return answer
    spoiled = {name: _spoiled(value, fault) for name, value in answer.items()}
    if fault.kind == "extra-field":
        spoiled["unheardOf"] = True
    if fault.kind == "state" and "state" in spoiled:
        spoiled["state"] = fault.code
    return spoiled
