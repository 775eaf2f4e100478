"""One process of the matrix: reads trials from its input, plays them, writes what came of them.

`python -m tests.chaos.play`; each line is a JSON list of step, fault, seed and mutant, if any.
"""

from __future__ import annotations

from tests.chaos import clock

clock.install()


# Everything below must find the virtual clock, so nothing may be imported before.
import json  # noqa: E402  # see above
import os  # noqa: E402  # see above
import sys  # noqa: E402  # see above
import tempfile  # noqa: E402  # see above
import warnings  # noqa: E402  # see above
from pathlib import Path  # noqa: E402  # see above
from typing import TYPE_CHECKING  # noqa: E402  # see above

from tests.chaos.cells import Cell  # noqa: E402  # see above
from tests.chaos.wire import Wire  # noqa: E402  # see above
from tests.support.servers import valkey_server  # noqa: E402  # see above

if TYPE_CHECKING:
    from tests.chaos.trial import Bench


def main() -> None:
    """Plays until its input ends."""
    warnings.simplefilter("ignore")
    os.environ["PYTHON_DOTENV_DISABLED"] = "1"
    with valkey_server() as url, tempfile.TemporaryDirectory() as folder:
        wire = Wire()
        # Celery's settings are read when they are imported.
        os.environ["REDIS_URL"] = url
        from tests.chaos.trial import Bench  # noqa: PLC0415  # see above

        bench = Bench(wire, url, Path(folder))
        bench.warm_up()
        for line in sys.stdin:
            _play(line, bench)


def _play(line: str, bench: Bench) -> None:
    from tests.chaos.mutants import switched_off  # noqa: PLC0415  # see above

    step, fault, seed, mutant = json.loads(line)
    with switched_off(mutant):
        trial = bench.run(Cell(step, fault), seed)
    found = [(item.promise, item.what) for item in trial.breaks]
    facts = [trial.has_struck, found, trial.worst_s, trial.state]
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
