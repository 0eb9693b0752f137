"""What `Model.memory` says of a card, against what the emulated one counts."""

from __future__ import annotations

import pytest

from . import estimate_programs, isolated

pytestmark = pytest.mark.timeout(300)


def test_the_estimate_is_what_a_session_takes() -> None:
    without, stored = isolated.run(estimate_programs.measure, [0, 1])
    assert without["measured"] > 5 * 2**20
    # All that cannot be known is how many spikes there will be
    assert without["ratio"] == pytest.approx(1, abs=0.02), without["table"]
    assert stored["measured"] - without["measured"] > 2**20
    assert stored["ratio"] == pytest.approx(1, abs=0.02), stored["table"]
