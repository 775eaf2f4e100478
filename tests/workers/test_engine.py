"""The engine's tasks in real Celery workers: any number of them, also dying ones, one result."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.engine_room import EngineRoom
from tests.support.media import write_scenes
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from redis import Redis

    from curation.wiring import Wiring

LENGTHS = (60, 240, 9, 200, 31)


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video of 540 small frames and 108 seconds, which makes five segments."""
    path = tmp_path_factory.mktemp("media") / "long.mp4"
    return write_scenes(path, LENGTHS, fps=5, options={"bf": "3", "g": "25"}).read_bytes()


@pytest.fixture
def room(
    here: Wiring,
    valkey: str,
    bucket: str,
    redis_client: Redis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> EngineRoom:
    """An empty ledger and bucket; embeddings that cost little."""
    assert redis_client
    monkeypatch.setenv("ENGINE_EMBEDDER", "features")
    return EngineRoom(here, valkey, bucket, tmp_path)


def choice_of(room: EngineRoom, run_id: str) -> tuple[list[object], dict[str, bytes]]:
    """What was selected, and the pictures."""
    results = room.results(run_id)
    selected = json.loads(results["selection.json"])["selected"]
    return selected, {name: data for name, data in results.items() if name.startswith("frames/")}


@pytest.mark.timeout(600)
def test_run__is_the_same_with_one_and_with_four_processes(room: EngineRoom, long: bytes) -> None:
    """Who embeds which segment changes nothing; nothing is left of the work."""
    choices = []
    for concurrency in (1, 4):
        run_id = room.begin(long)
        with room.workers(concurrency) as workers:
            task = room.ended(run_id)
        assert (task.state, task.n_frames, task.n_selected) == ("COMPLETED", 540, 54)
        assert sorted(workers.embedded()) == [0, 1, 2, 3, 4]
        assert [name for name in room.results(run_id) if name.startswith("segments/")] == []
        choices.append(choice_of(room, run_id))

    assert choices[0] == choices[1]
    assert len(choices[0][1]) == 54
    assert room.ledger.engine.unclean() == []


@pytest.mark.timeout(600)
def test_run__survives_the_death_of_its_worker(room: EngineRoom, long: bytes) -> None:
    """SIGKILL in the middle of a video: what was embedded is not embedded again."""
    run_id = room.begin(long)
    with room.workers(1) as workers:
        wait_until(lambda: room.task(run_id).segments_done >= 2 or None)
        workers.kill()
    before = workers.embedded()
    died_in = room.task(run_id).segments_done
    with room.workers(2) as workers:
        task = room.ended(run_id)

    assert (task.state, task.n_selected) == ("COMPLETED", 54)
    assert 2 <= died_in < 5
    assert sorted(before + workers.embedded()) == [0, 1, 2, 3, 4]
    assert [name for name in room.results(run_id) if name.startswith("segments/")] == []


@pytest.mark.timeout(600)
def test_run__canceled_in_the_middle(room: EngineRoom, long: bytes) -> None:
    """A canceled run stops within seconds, without a result, and the rest is not begun."""
    run_id = room.begin(long)
    with room.workers(1) as workers:
        wait_until(lambda: room.task(run_id).segments_done or None)
        room.queue.cancel(room.ledger.runs.get(run_id))
        wait_until(lambda: "given up" in workers.log.read_text() or None, limit_s=90)
        done = room.task(run_id).segments_done
        wait_until(lambda: room.n_waiting() == 0 or None)

    assert done < 5
    assert room.task(run_id).state == "CANCELED"
    assert "selection.json" not in room.results(run_id)
    assert room.ledger.engine.unclean() == [run_id]
