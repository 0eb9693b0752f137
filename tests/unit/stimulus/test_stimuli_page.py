"""The examples of docs/stimuli.md run and print what they promise."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gpurun.stimulus import place

PAGE = Path(__file__).parents[3] / "docs" / "stimuli.md"


def test_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """One after the other."""
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 7
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        # CuPy may be there without a card, which would be worth a warning
        patch.setattr(place, "settings", lambda: SimpleNamespace(device="cpu"))
        for block in blocks:
            exec(compile(block, str(PAGE), "exec"), names)
    first, sizes, waited = capsys.readouterr().out.splitlines()
    assert first == "1797 stimuli; the last one shows a 8"
    assert sizes == "[40, 40, 20]"
    assert re.fullmatch(r"waited 0\.\d{3} s, 0\.\d{3} s of it for the first batch", waited)
