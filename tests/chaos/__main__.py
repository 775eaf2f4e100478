"""`make chaos`: the matrix, the cells with real processes, and the mutants."""

from __future__ import annotations

from tests.chaos import clock

clock.install()
