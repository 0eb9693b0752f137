"""A card draws the numbers that the CPU draws with rng="philox"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import brian2 as b2
import numpy as np
import pytest

import gpurun
from tests import philox_script

#: What is drawn by comparisons and whole numbers, so that libraries' rounding hardly shows.
EXACT = ("cells.u", "cells.f", "cells.x", "cells.shared_one", "cells.k", "cells.b", "cells.m",
         "links.s", "fired.i", "fired.t", "target.v")  # fmt: skip


@pytest.fixture(autouse=True)
def float_dtype() -> Iterator[None]:
    before = b2.prefs.core.default_float_dtype
    yield
    b2.prefs.core.default_float_dtype = before


@pytest.mark.parametrize("single", [False, True])
def test_noisy_models_agree(single: bool) -> None:
    results: list[dict[str, Any]] = []
    for backend, device in (("cpu", "cpu"), ("cuda", "cuda:0")):
        philox_script.draws(backend=backend, single=single)
        model = gpurun.build()
        names = [v.name for v in model.manifest.variables if v.kind != "static"]
        with model.session(device=device) as session:
            session.run(seed=9, duration=0.0007)
            result = session.advance(0.0013, record=names)
            results.append({name: np.array(result.values[name]) for name in names})
    cpu, card = results
    for name in EXACT:
        assert np.array_equal(card[name], cpu[name]), name
    np.testing.assert_allclose(card["cells.z"], cpu["cells.z"], rtol=2e-6 if single else 1e-13)
    # The normal approximation is rounded to single precision
    for name in ("cells.a", "target.w"):
        np.testing.assert_allclose(card[name], cpu[name], rtol=1e-6, err_msg=name)
    # Sums of noise round, and a spike at the threshold is then another one
    assert len(card["crossed.i"]) == pytest.approx(len(cpu["crossed.i"]), rel=0.05)
    close = np.isclose(card["noisy.v"], cpu["noisy.v"], rtol=1e-3, atol=1e-4)
    assert close.mean() > 0.95
