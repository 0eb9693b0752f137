"""The examples about meters and cards in docs/memory.md run and say what they promise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "memory.md"


def test_the_sections_run(capsys: pytest.CaptureFixture[str]) -> None:
    sections = re.split(r"^## ", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    text = "".join(part for part in sections if part.startswith(("Meters\n", "Cards\n")))
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 3
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    sample, peak, line, driver, *_ = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"[0-9.]+ of [0-9.]+ GiB, [0-9]+ MiB by us", sample)
    own = re.fullmatch(r"peak: ([0-9]+) MiB", peak)
    before = re.search(r"([0-9]+) MiB by us", sample)
    assert own and before and int(own[1]) - int(before[1]) > 60  # the block has 64
    assert line == "True True"
    assert driver


def test_all_fields_are_described() -> None:
    from gpurun.meter import MemorySample
    from gpurun.nvml import Card

    described = set(re.findall(r"`(\w+)`", PAGE.read_text("utf-8")))
    fields = {*vars(Card(0)), *vars(MemorySample(0.0))}
    assert fields <= described
