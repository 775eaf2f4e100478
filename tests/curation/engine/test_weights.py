"""The weights are read completely, only from the file that is known, and nothing in it runs."""

from __future__ import annotations

import io
import os
import pickle
from typing import TYPE_CHECKING

import pytest

from curation.engine.packages import INSTALL
from curation.engine.weights import _Unpickler, load_weights, weights_path
from curation.errors import OperatorError

if TYPE_CHECKING:
    from pathlib import Path


def test_load_weights__reads_every_tensor() -> None:
    """PyTorch finds the same 296 tensors of 4,694,073 values, the first and last like these."""
    weights = load_weights(weights_path())

    assert len(weights) == 296
    assert sum(tensor.size for tensor in weights.values()) == 4_694_073
    assert weights["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert weights["_fc.bias"][:2].tolist() == pytest.approx([0.03205391, -0.01598576], abs=1e-7)


def test_load_weights__names_the_command_when_the_file_is_missing(tmp_path: Path) -> None:
    """A package that is not installed as it should be is the operator's to mend."""
    with pytest.raises(OperatorError) as caught:
        load_weights(tmp_path / "lite0.pth")

    assert "lite0.pth cannot be read (No such file or directory)" in caught.value.message
    assert INSTALL in caught.value.message


def test_load_weights__refuses_another_file(tmp_path: Path) -> None:
    """One changed byte makes it another file: other weights would choose other frames."""
    content = bytearray(weights_path().read_bytes())
    content[-1] ^= 1
    damaged = tmp_path / "lite0.pth"
    damaged.write_bytes(content)

    with pytest.raises(OperatorError) as caught:
        load_weights(damaged)

    assert "lite0.pth are damaged or another version" in caught.value.message
    assert INSTALL in caught.value.message


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch /nowhere/evil",)


def test_unpickler__runs_nothing() -> None:
    """A pickle that names anything but tensors is refused."""
    with pytest.raises(KeyError, match="system"):
        _Unpickler(io.BytesIO(pickle.dumps(_Evil()))).load()
