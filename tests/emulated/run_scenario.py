"""Gives a scenario to a backend in a process of its own."""

from __future__ import annotations

from typing import Any

from . import isolated, reference, scenarios, upstream

_BACKENDS = {"reference": reference.backend, "upstream": upstream.backend}


def observe(scenario: str, backend: str) -> Any:
    """What is observed in the scenario of that name, on the backend of that name."""
    return isolated.run(_observe, scenario, backend)


def _observe(scenario: str, backend: str) -> Any:
    return scenarios.SCENARIOS[scenario].observe(_BACKENDS[backend]())
