"""Workers that build several projects at once, before the tests that need them ask."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest


@pytest.fixture(scope="session")
def workers() -> Generator[ThreadPoolExecutor]:
    """As many workers as there are processors."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        yield pool
        pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="module")
def ahead(
    request: pytest.FixtureRequest, workers: ThreadPoolExecutor
) -> Callable[[str, Callable[[Any], Any]], dict[Any, Future[Any]]]:
    """Start a function for each value that a parameter has in this module's selected tests.

    ``ahead("project", compare)["neurons"].result()`` is then what ``compare("neurons")``
    returns.
    """

    def start(parameter: str, function: Callable[[Any], Any]) -> dict[Any, Future[Any]]:
        wanted: dict[Any, None] = {}
        for item in request.session.items:
            call = getattr(item, "callspec", None)
            if item.path == request.path and call and parameter in call.params:
                wanted.setdefault(call.params[parameter])
        return {one: workers.submit(function, one) for one in wanted}

    return start
