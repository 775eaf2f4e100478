"""Plays cells in a world of its own: names on standard input, results on standard output.

`python -m tests.chaos.live LEASE_TTL_S`. A world has a process for itself, because the pipeline's
own client reads its settings from the environment.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from dataclasses import asdict
from typing import TYPE_CHECKING

from tests.chaos.live.cells import BRIEF_S, CELLS, WARM_UP
from tests.chaos.live.play import Play
from tests.chaos.live.runner import Result
from tests.chaos.live.witness import Witness
from tests.chaos.live.world import LiveWorld
from tests.chaos.promises import Figures, check, worst_time_to_stop_s
from tests.support.clips import small_clip
from tests.support.file_server import ServedFile, file_server

if TYPE_CHECKING:
    from curation.models import Run
    from tests.chaos.live.cells import Cell


# A machine that is busy with five worlds is late with everything, by this much at most.
_LATE_S = 5.0


def main() -> None:
    """Opens the world and plays until standard input ends."""
    lease_ttl_s = float(sys.argv[1])
    with file_server() as files, LiveWorld(files.port, lease_ttl_s=lease_ttl_s) as live:
        files.put("/clip.mp4", ServedFile(small_clip(50)))
        os.environ.clear()
        os.environ.update(live.setting)
        if lease_ttl_s == BRIEF_S:
            live.add_spare()
        # The first run of a world waits for imports, and no fault may wait with it.
        play(WARM_UP, live)
        for line in sys.stdin:
            result = play(CELLS[line.strip()], live)
            sys.stdout.write(json.dumps(asdict(result)) + "\n")
            sys.stdout.flush()


def play(cell: Cell, live: LiveWorld) -> Result:
    """Plays one cell and checks its history."""
    figures = Figures(
        lease_ttl_s=live.lease_ttl_s + _LATE_S,
        reap_interval_s=2.0,
        max_uptime_s=600.0,
        watchdog_s=15.0,
    )
    breaks: list[str] = []
    with Witness(live, figures) as witness:
        play = Play(live, witness)
        try:
            cell.order(play, cell.step)
            play.begin(cell.source)
            breaks += [_wrong_end(run) for run in play.finish() if cell.end not in ("", run.state)]
        except Exception:  # noqa: BLE001  # whatever it is, it belongs to this cell
            breaks.append(traceback.format_exc(limit=3))
        history = witness.tell()
        breaks += [f"{found.promise}: {found.what}" for found in check(history)]
        play.clean_up()
    return Result(cell.step, cell.fault, tuple(breaks), worst_time_to_stop_s(history))


def _wrong_end(run: Run) -> str:
    return f"{run.run_id} ended {run.state.value}: {run.error.message if run.error else ''}"


if __name__ == "__main__":
    main()
