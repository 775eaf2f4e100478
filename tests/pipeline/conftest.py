"""Celery's app of this process, led to this session's broker once and for all."""

from __future__ import annotations

import pytest

from pipeline.celery import app


@pytest.fixture(scope="session")
def broker_url(valkey: str) -> str:
    """URL of the broker to which the app points; its connections are kept until the end."""
    app.conf.update(broker_url=valkey, result_backend=valkey)
    return valkey
