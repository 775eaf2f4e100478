"""`curate datapool`: what is in a datapool, and how it is emptied."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from curation.adapters.storage.s3 import S3Storage
from curation.datapool import DatapoolStore, PoolEntry

if TYPE_CHECKING:
    from tests.support.cli import Curate

RUN, OTHER = "20261122-093015-5f0c2d81ab", "20261122-093016-0123456789"


@pytest.fixture
def store(bucket: str, monkeypatch: pytest.MonkeyPatch) -> DatapoolStore:
    """The datapool `traffic` with the frames of two runs, in the bucket of the settings."""
    monkeypatch.setenv("S3_INPUT_BUCKET", f"s3://{bucket}/videos/")
    monkeypatch.setenv("S3_LIGHTLY_BUCKET", f"s3://{bucket}/results/")
    pool = DatapoolStore(S3Storage(), f"s3://{bucket}/results/", "traffic")
    for run_id, frames in ((RUN, ("a.jpg", "b.jpg")), (OTHER, ("c.jpg",))):
        entry = PoolEntry(run_id=run_id, embedder="lite0", n_features=4, frames=frames)
        pool.write(entry, bytes(entry.n_bytes))
    return pool


@pytest.mark.usefixtures("store")
def test_list__counts_runs(curate: Curate) -> None:
    """Each datapool is one item, for programs and for people."""
    (item,) = json.loads(curate("datapool", "list", "--json").stdout)["items"]

    assert (item["name"], item["n_runs"]) == ("traffic", 2)
    assert item["size_bytes"] > 24
    assert "traffic" in curate("datapool", "list").stdout


@pytest.mark.usefixtures("store")
def test_show__names_runs_and_frames(curate: Curate) -> None:
    """Each run is one item with its frames and what made their embeddings."""
    items = json.loads(curate("datapool", "show", "traffic", "--json").stdout)["items"]

    assert [(item["run_id"], item["frames"], item["embedder"]) for item in items] == [
        (RUN, ["a.jpg", "b.jpg"], "lite0"),
        (OTHER, ["c.jpg"], "lite0"),
    ]
    assert "3 frames of 2 runs" in curate("datapool", "show", "traffic").stderr


def test_reset__asks_first(curate: Curate, store: DatapoolStore) -> None:
    """Without --yes nothing is deleted unless somebody agrees."""
    refused = curate("datapool", "reset", "traffic")

    assert refused.exit_code == 1
    assert "Forget the frames of 2 runs in traffic?" in refused.stderr
    assert store.run_ids() == [RUN, OTHER]


def test_reset__empties(curate: Curate, store: DatapoolStore) -> None:
    """With --yes the datapool is empty, and a second time that is no error."""
    first, second = (curate("datapool", "reset", "traffic", "--yes", "--json") for _ in range(2))

    assert [json.loads(done.stdout)["items"][0]["n_deleted"] for done in (first, second)] == [2, 0]
    assert store.run_ids() == []
    assert "There is no datapool yet" in curate("datapool", "list").stderr


@pytest.mark.usefixtures("store")
def test_show__refuses_an_impossible_name(curate: Curate) -> None:
    """A name that leads out of its folder is wrong usage."""
    result = curate("datapool", "show", "../videos")

    assert result.exit_code == 2
    assert "'../videos' cannot be the name of a datapool" in result.stderr
