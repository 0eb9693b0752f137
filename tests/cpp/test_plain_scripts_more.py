"""Plain scripts whose time loop is deterministic, the second half; see test_plain_scripts.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plain_scripts_compare import identical
from tests.plain_scripts_driver import Script, deterministic


@pytest.mark.parametrize("script", deterministic()[1::2], ids=lambda script: script.name)
def test_results_are_those_of_brian(script: Script, tmp_path: Path) -> None:
    assert identical(script, tmp_path) == []
