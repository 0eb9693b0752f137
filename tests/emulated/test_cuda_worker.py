"""A session on a card in a process of its own: the card is lost there, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from . import isolated, worker_programs

pytestmark = pytest.mark.timeout(300)


def test_a_lost_card() -> None:
    got = isolated.run(worker_programs.a_lost_card, "order=forward")
    assert len(got["here"]) == 8
    assert got["here"][2].size
    for name in ("there", "spared"):
        for mine, theirs in zip(got["here"], got[name], strict=True):
            assert np.array_equal(mine, theirs)
    assert got["device"] == ("cuda:0", "cuda:0")
    kind, message, fields, cause = got["said"]
    assert kind == "WorkerError", message
    assert cause == "DeviceError"
    assert "lost its card" in message
    assert "device-side assert" in message
    assert fields == {"exitcode": None, "signal": None}
    assert not got["alive"]
