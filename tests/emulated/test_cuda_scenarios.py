"""gpurun's CUDA backend is right where brian2cuda is wrong, in every order of threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from . import isolated, own
from .scenarios import SCENARIOS

# The first test waits for others that are built at the same time.
pytestmark = pytest.mark.timeout(1200)

ORDERS = ("order=forward", "order=reverse", "order=random:7")
#: A setting besides, with the reason for it.
ALSO = {
    # Threads per block are 256 here: with that many, any kernel finds its registers on a card
    "fewer_threads": "kernel_threads=256",
}


def _observe(scenario: str, always: str) -> Any:
    backend = own.backend(always)
    seen = SCENARIOS[scenario].observe(backend)
    backend.close()
    return seen


Observed = dict[tuple[str, str], Future[Any]]


@pytest.fixture(scope="module")
def observed(wanted: Callable[[str], list[str]], workers: ThreadPoolExecutor) -> Observed:
    return {
        (name, order): workers.submit(
            isolated.run, _observe, name, f"{order} leaks=fatal {ALSO.get(name, '')}".strip()
        )
        for name in wanted("scenario")
        for order in wanted("order")
    }


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_outcome_is_right(scenario: str, order: str, observed: Observed) -> None:
    assert observed[scenario, order].result() == SCENARIOS[scenario].right
