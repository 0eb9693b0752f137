"""The examples of docs/readout.md and of the docstrings run and say what they promise."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "readout.md"


def test_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 9
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("<Assignment of 100 neurons to 10 classes")
    right, linear = float(lines[1].rstrip("%")), float(lines[-1].rstrip("%"))
    assert right > 80 and linear > 80  # chance is 10
    assert lines[2] == "[5 8]"
    assert {path.name for path in tmp_path.iterdir()} == {"fields.png", "confusions.png"}
    assert np.asarray(names["table"]).sum() == 797


@pytest.mark.parametrize(
    "module", ["assignment", "prediction", "order", "ngram", "scores", "mosaic"]
)
def test_docstrings_run(module: str) -> None:
    found = importlib.import_module(f"gpurun.readout.{module}")
    outcome = doctest.testmod(found)
    assert outcome.attempted > 0 and outcome.failed == 0
