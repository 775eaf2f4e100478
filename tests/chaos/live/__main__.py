"""Plays cells in a world of its own: names on standard input, results on standard output.

`python -m tests.chaos.live LEASE_TTL_S`. A world has a process for itself, because the pipeline's
own client reads its settings from the environment.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import traceback
from dataclasses import asdict
from typing import TYPE_CHECKING

from tests.chaos.live.cells import BRIEF_S, CELLS
from tests.chaos.live.play import Play
from tests.chaos.live.runner import Result
from tests.chaos.live.witness import Witness
from tests.chaos.live.world import LiveWorld
from tests.chaos.promises import Figures, check, worst_time_to_stop_s
from tests.support.clips import small_clip
from tests.support.file_server import ServedFile, file_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.live.cells import Cell

_SPARE = ("celery", "-A", "pipeline", "worker", "-c", "2", "-n", "spare@sandbox", "-l", "INFO")
_QUEUES = "ingest,compute,selection,reaper,reports"


def main() -> None:
    """Opens the world and plays until standard input ends."""
    lease_ttl_s = float(sys.argv[1])
    with file_server() as files, LiveWorld(files.port, lease_ttl_s=lease_ttl_s) as live:
        files.put("/clip.mp4", ServedFile(small_clip(50)))
        os.environ.clear()
        os.environ.update(live.setting)
        with _spare(live) if lease_ttl_s == BRIEF_S else contextlib.nullcontext():
            for line in sys.stdin:
                result = play(CELLS[line.strip()], live)
                sys.stdout.write(json.dumps(asdict(result)) + "\n")
                sys.stdout.flush()


def play(cell: Cell, live: LiveWorld) -> Result:
    """Plays one cell and checks its history."""
    figures = Figures(
        lease_ttl_s=live.lease_ttl_s, reap_interval_s=1.0, max_uptime_s=600.0, watchdog_s=15.0
    )
    with Witness(live, figures) as witness:
        play = Play(live, witness)
        try:
            cell.order(play, cell.step)
            play.begin(cell.source)
            runs = play.finish()
            breaks = [
                f"{run.run_id} ended {run.state.value} ({run.error and run.error.message})"
                for run in runs
                if cell.end not in ("", run.state)
            ]
        except Exception:  # noqa: BLE001  # whatever it is, it belongs to this cell
            breaks = [traceback.format_exc(limit=3)]
        finally:
            play.clean_up()
        history = witness.tell()
    breaks += [f"{found.promise}: {found.what}" for found in check(history)]
    return Result(cell.step, cell.fault, tuple(breaks), worst_time_to_stop_s(history))


@contextlib.contextmanager
def _spare(live: LiveWorld) -> Iterator[None]:
    """A second Celery worker, whose reaper lives on while the first one is frozen."""
    log = live.world.log("spare")
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", *_SPARE, "-Q", _QUEUES],
            env=dict(live.setting),
            stdout=file,
            stderr=file,
        )
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


if __name__ == "__main__":
    main()
