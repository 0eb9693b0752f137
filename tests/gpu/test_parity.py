"""Deterministic scripts give on a card what they give on ``cpp_standalone``."""

from __future__ import annotations

import numpy as np
import pytest

from tests.emulated import isolated, scripts
from tests.emulated.own import OwnBackend
from tests.emulated.run_script import Script, on_reference
from tests.emulated.values import Values, assert_same, collect

SCRIPTS: dict[str, Script] = {
    one.__name__: one
    for one in (
        scripts.neurons,
        scripts.delays,
        scripts.plasticity,
        scripts.cable,
        scripts.two_runs,
    )
}


def on_card(script: Script) -> Values:
    """What the script's objects hold after a run on the card."""
    backend = OwnBackend(emulated=False)
    backend.start()
    objects = script()
    backend.build()
    backend.run()
    values = collect(objects)
    backend.close()
    return values


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_equals_cpp_standalone(script: str) -> None:
    observed = isolated.run(on_card, SCRIPTS[script])
    expected = isolated.run(on_reference, SCRIPTS[script])
    spikes = [name for name in expected if name.endswith((".count", ".i", ".t"))]
    assert any(np.any(expected[name]) for name in spikes)
    # Spikes are equal; sums of atomic additions, and what follows from them, to rounding
    for name in spikes:
        assert np.array_equal(observed[name], expected[name]), name
    assert_same(observed, expected)
