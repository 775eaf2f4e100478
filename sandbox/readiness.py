"""Whether a process of the sandbox does its work already: each asked in its own language."""

from __future__ import annotations

import http.client

import redis
from celery import Celery
from kombu.exceptions import OperationalError
from redis.backoff import NoBackoff
from redis.retry import Retry

from sandbox.processes import HOST

PATIENCE_S = 1.0
# A Celery worker that is up answers within milliseconds, and one that is not keeps us waiting.
PING_S = 0.5


def http_answers(port: int, path: str, *, status: int) -> bool:
    """Tells whether the HTTP server at `port` answers a request for `path` with `status`."""
    # No urllib: it would ask the user's proxy.
    connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def broker_answers(url: str) -> bool:
    """Tells whether the broker at a Redis URL answers and has loaded its data."""
    # Without the client's own retries, which would take seconds.
    once = Retry(NoBackoff(), retries=0)
    with redis.Redis.from_url(url, socket_timeout=PATIENCE_S, retry=once) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False


def worker_answers(url: str, node: str) -> bool:
    """Tells whether the Celery worker `node` answers a ping through the broker at `url`."""
    # Not the current app: the process that asks may have one of its own.
    app = Celery(broker=url, set_as_current=False)
    try:
        with app.connection_for_write() as connection:
            replies = app.control.ping(
                destination=[node], timeout=PING_S, limit=1, connection=connection
            )
        return bool(replies)
    except OperationalError:
        return False
    finally:
        app.close()
