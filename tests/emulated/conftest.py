"""Workers that build several projects at once, before the tests that need them ask."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest


@pytest.fixture(scope="session")
def workers() -> Generator[ThreadPoolExecutor]:
    """As many workers as there are processors."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        yield pool
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def wanted(request: pytest.FixtureRequest) -> Callable[[str], list[Any]]:
    """The values that a parameter has in the selected tests of this module."""

    def values(parameter: str) -> list[Any]:
        found: dict[Any, None] = {}
        for item in request.session.items:
            call = getattr(item, "callspec", None)
            if item.path == request.path and call and parameter in call.params:
                found.setdefault(call.params[parameter])
        return list(found)

    return values
