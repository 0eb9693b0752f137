"""Plain scripts whose time loop is deterministic, the first half of them: exactly Brian's results.

Set ``PLAIN_SCRIPTS_REFERENCE=cython`` to compare all of them with Brian's compiled code, which
takes an hour the first time. The second half is in ``test_plain_scripts_more.py``: a file is what
one process of the tests does.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plain_scripts_compare import identical
from tests.plain_scripts_driver import Script, deterministic


@pytest.mark.parametrize("script", deterministic()[::2], ids=lambda script: script.name)
def test_results_are_those_of_brian(script: Script, tmp_path: Path) -> None:
    assert identical(script, tmp_path) == []
