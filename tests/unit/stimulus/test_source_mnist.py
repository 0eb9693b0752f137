"""The files of MNIST are found by their names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpurun.errors import DatasetError, StimulusError
from gpurun.stimulus.sources.mnist import has_mnist, mnist
from tests.unit.stimulus.source_makers import write_idx


def _write(folder: Path, name: str, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shape = (count, 2, 2) if "images" in name else (count,)
    write_idx(folder / name, np.ones(shape, np.uint8), packed=name.endswith(".gz"))


@pytest.mark.parametrize("where", [".", "raw", "MNIST/raw"])
@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("mark", ["-", "."])
@pytest.mark.parametrize("begin", ["t10k", "test"])
def test_the_usual_names_are_found(
    tmp_path: Path, where: str, end: str, mark: str, begin: str
) -> None:
    for part, count in (("train", 5), (begin, 3)):
        _write(tmp_path / where, f"{part}-images{mark}idx3-ubyte{end}", count)
        _write(tmp_path / where, f"{part}-labels{mark}idx1-ubyte", count)
    assert has_mnist(tmp_path)
    train, test = mnist(tmp_path), mnist(str(tmp_path), "test")
    assert (train.count, test.count) == (5, 3)
    assert train.labels is not None and train.labels.tolist() == [1] * 5


def test_emnist_has_a_prefix(tmp_path: Path) -> None:
    _write(tmp_path, "emnist-letters-test-images-idx3-ubyte.gz", 4)
    _write(tmp_path, "emnist-letters-test-labels-idx1-ubyte.gz", 4)
    assert mnist(tmp_path, "test", prefix="emnist-letters-").count == 4
    assert has_mnist(tmp_path, "emnist-letters-") and not has_mnist(tmp_path)


def test_what_was_looked_for_is_listed(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        mnist(tmp_path, "test")
    for name in ("t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte.gz", "MNIST/raw", "Download"):
        assert name in str(caught.value)
    assert caught.value.fields["file"] == str(tmp_path)
    _write(tmp_path, "train-images-idx3-ubyte", 2)
    with pytest.raises(DatasetError, match="but none of train-labels-idx1-ubyte,"):
        mnist(tmp_path)


def test_other_parts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StimulusError, match="'train' or 'test', not 'valid'") as caught:
        mnist(tmp_path, "valid")
    assert caught.value.fields["name"] == "part"
