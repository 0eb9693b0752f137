"""The examples of docs/sources.md and of docstrings run."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from gpurun.stimulus.sources import source
from gpurun.stimulus.sources.mnist import mnist
from tests.unit.stimulus.source_makers import write_idx

PAGE = Path(__file__).resolve().parents[3] / "docs" / "sources.md"


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, in a folder with the files they name."""
    monkeypatch.chdir(tmp_path)
    images, labels = np.zeros((12, 28, 28), np.uint8), np.arange(12, dtype=np.uint8)
    (tmp_path / "data").mkdir()
    for part in ("train", "t10k"):
        write_idx(tmp_path / f"data/{part}-images-idx3-ubyte.gz", images, packed=True)
        write_idx(tmp_path / f"data/{part}-labels-idx1-ubyte.gz", labels, packed=True)
    np.save("images.npy", images)
    np.save("labels.npy", labels)
    np.savez("both.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    with h5py.File("data.h5", "w") as file:
        file["train/images"], file["train/labels"] = images, labels
    for number, name in enumerate(("cat/a.png", "dog/b.png")):
        (tmp_path / "photos" / name).parent.mkdir(parents=True)
        Image.fromarray(np.zeros((40 + number, 30), np.uint8)).save(tmp_path / "photos" / name)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 10
    names: dict[str, Any] = {"source": source, "mnist": mnist}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)


@pytest.mark.parametrize("module", ["arrays", "choose"])
def test_docstrings_run(module: str) -> None:
    found = doctest.testmod(importlib.import_module(f"gpurun.stimulus.sources.{module}"))
    assert found.attempted and not found.failed
