"""A datapool holds what each run chose, once, for all others to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from curation.adapters.storage.s3 import S3Storage
from curation.engine.datapool import Datapool
from curation.errors import OperatorError
from tests.support.embeddings import directions

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

RUNS = ["20261122-093015-5f0c2d81ab", "20261122-093016-0123456789", "20261122-093017-abcdefabcd"]


@pytest.fixture
def pool(bucket: str) -> Datapool:
    """An empty datapool on a real server."""
    return Datapool(S3Storage(), f"s3://{bucket}/results/", "traffic")


def add(pool: Datapool, run_id: str, n: int, *, seed: int = 0, embedder: str = "lite0") -> None:
    """Adds what a run chose."""
    pool.add(
        run_id=run_id,
        embedder=embedder,
        embeddings=directions(n, seed=seed),
        frame_names=[f"clip-{number}.jpg" for number in range(n)],
    )


def sizes(pool: Datapool, *, without_run: str = "", embedder: str = "lite0") -> list[int]:
    """Returns how many frames each entry has that a run reads."""
    found = pool.read(embedder=embedder, n_features=32, without_run=without_run)
    return [len(rows) for rows in found]


def test_read__what_was_added(pool: Datapool) -> None:
    """The embeddings of each run come back, run by run."""
    add(pool, RUNS[0], 5)
    add(pool, RUNS[1], 3, seed=1)

    first, second = pool.read(embedder="lite0", n_features=32, without_run="")

    assert first.tolist() == directions(5).astype(np.float16).tolist()
    assert second.tolist() == directions(3, seed=1).astype(np.float16).tolist()


def test_read__not_what_the_run_itself_has_added(pool: Datapool) -> None:
    """A run that chooses a second time is not influenced by its first choice."""
    for number, run_id in enumerate(RUNS):
        add(pool, run_id, number + 1)

    assert sizes(pool, without_run=RUNS[1]) == [1, 3]


def test_add__twice_is_once(pool: Datapool) -> None:
    """A choice that is delivered again takes the place of the first one."""
    add(pool, RUNS[0], 5)
    add(pool, RUNS[0], 4)

    assert sizes(pool) == [4]


def test_add__of_no_frames(pool: Datapool) -> None:
    """A run that found nothing new adds nothing that disturbs."""
    add(pool, RUNS[0], 0)

    assert sizes(pool) == [0]


def test_read__only_the_same_embedder(pool: Datapool) -> None:
    """Embeddings of another network say nothing about these frames."""
    add(pool, RUNS[0], 5, embedder="other")
    add(pool, RUNS[1], 2)

    assert sizes(pool) == [2]
    assert list(pool.read(embedder="lite0", n_features=16, without_run="")) == []


def test_read__only_the_same_name(pool: Datapool, bucket: str) -> None:
    """Names that begin alike are two datapools."""
    add(pool, RUNS[0], 5)

    assert sizes(Datapool(S3Storage(), f"s3://{bucket}/results/", "traffi")) == []


@pytest.mark.parametrize("content", [b"", b"{}\n", b"no entry", None])
def test_read__damaged_entry(
    pool: Datapool, bucket: str, s3_client: S3Client, content: bytes | None
) -> None:
    """An entry that was cut or written by somebody else is named, not read as frames."""
    add(pool, RUNS[0], 5)
    place = {"Bucket": bucket, "Key": f"results/datapool/traffic/{RUNS[0]}.frames"}
    whole = s3_client.get_object(**place)["Body"].read()  # type: ignore[arg-type]  # both are str
    s3_client.put_object(**place, Body=whole[:-1] if content is None else content)  # type: ignore[arg-type]  # as above

    with pytest.raises(OperatorError, match=f"{RUNS[0]}.frames is no entry") as caught:
        sizes(pool)

    assert caught.value.code == "datapool:damaged"
