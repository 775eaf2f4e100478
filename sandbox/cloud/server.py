"""The wire: EC2's query protocol, SSM's JSON, and the sandbox's own addresses, on one port."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from typing import TYPE_CHECKING

from tornado.web import Application, RequestHandler

from sandbox.cloud import wire
from sandbox.cloud.errors import AwsError
from sandbox.cloud.request import Request
from sandbox.cloud.store import Call
from sandbox.steering import LOOPBACK_HOSTS, FaultScript, Steering

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.cloud.account import Account

_HANG_S = 3600.0
_SIGNATURE = "AWS4-HMAC-SHA256 "  # what no page in a browser can send unasked


def application(account: Account) -> Application:
    """Returns the web application of an account; it answers only to loopback host names."""
    app = Application(log_function=lambda _handler: None)
    handlers: list[tuple[str, type[RequestHandler], dict[str, object]]] = [
        (r"/", _Aws, {"account": account}),
        (r"/sandbox/(health|instances|billing|calls)", _View, {"account": account}),
        (r"/sandbox/faults", FaultScript, {"faults": account.faults}),
        (r"/sandbox/([a-z-]+)", _Hand, {"account": account}),
    ]
    app.add_handlers(LOOPBACK_HOSTS, handlers)
    return app


class _Aws(RequestHandler):
    """Both services: SSM names its operation in a header, EC2 in a form field."""

    def initialize(self, account: Account) -> None:
        self._account = account

    async def post(self) -> None:
        arrived_at = time.time()
        request = self._parse()
        fault = request.fault
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        code, answer = "", b""
        if fault.kind not in ("cut-before", "garbage", "hang"):
            code, answer = self._answer(request)
        self._note(request, arrived_at, code)
        if fault.kind == "hang":
            await asyncio.sleep(_HANG_S)
        if fault.kind in ("cut-before", "cut-after", "hang"):
            self.detach().close()
        else:
            await self.finish(answer or "no answer at all")

    def _parse(self) -> Request:
        target = self.request.headers.get("X-Amz-Target")
        body = self.request.body.decode()
        if target:
            operation = target.rpartition(".")[2]
            return Request("ssm", operation, json.loads(body), self._account.faults.take(operation))
        fields = wire.parse_form(body)
        operation = str(fields.pop("Action", ""))
        fields.pop("Version", None)
        return Request("ec2", operation, fields, self._account.faults.take(operation))

    def _answer(self, request: Request) -> tuple[str, bytes]:
        """Carries the request out and returns AWS's code (`ok` if none) and the body."""
        try:
            self._refuse_unsigned_or_scripted(request)
            return "ok", self._success(request)
        except AwsError as error:
            self.set_status(error.status, error.code)
            return error.code, self._failure(request, error)

    def _refuse_unsigned_or_scripted(self, request: Request) -> None:
        if not self.request.headers.get("Authorization", "").startswith(_SIGNATURE):
            raise AwsError("AuthFailure", "The request is not signed.")
        if request.fault.kind == "error":
            raise AwsError(request.fault.code, request.fault.message)

    def _success(self, request: Request) -> bytes:
        if request.service == "ssm":
            self.set_header("Content-Type", "application/x-amz-json-1.1")
            return json.dumps(self._account.ssm.act(request)).encode()
        self.set_header("Content-Type", "text/xml;charset=UTF-8")
        answer = {"requestId": str(uuid.uuid4()), **self._account.ec2.act(request)}
        return wire.to_xml(f"{request.operation}Response", answer)

    def _failure(self, request: Request, error: AwsError) -> bytes:
        if request.service == "ssm":
            self.set_header("Content-Type", "application/x-amz-json-1.1")
            return json.dumps({"__type": error.code, "message": error.message}).encode()
        self.set_header("Content-Type", "text/xml;charset=UTF-8")
        return wire.to_xml(
            "Response",
            {
                "Errors": {"Error": {"Code": error.code, "Message": error.message}},
                "RequestID": str(uuid.uuid4()),
            },
        )

    def _note(self, request: Request, arrived_at: float, code: str) -> None:
        told_truth = request.fault.kind in ("pass", "delay", "error")
        self._account.log(
            Call(
                time=arrived_at,
                service=request.service,
                operation=request.operation,
                parameters=request.parameters,
                code=code if told_truth else request.fault.kind,
                acted=code == "ok" and request.is_effective,
            )
        )


class _View(Steering):
    """Shows the truth."""

    def initialize(self, account: Account) -> None:
        self._account = account

    def get(self, name: str) -> None:
        views: dict[str, Callable[[], object]] = {
            "health": lambda: "ok",
            "instances": self._account.truth,
            "billing": self._account.billing,
            "calls": lambda: self._account.calls,
        }
        self.finish({name: views[name]()})


class _Hand(Steering):
    """Starts, stops and powers off past the API."""

    def initialize(self, account: Account) -> None:
        self._account = account

    def post(self, name: str) -> None:
        try:
            self._account.hand(name, json.loads(self.request.body).get("instance_id"))
        except KeyError as error:
            self.refuse(404, f"{error} is unknown")
        except AwsError as error:
            self.refuse(409, error.message)
